import warnings
from collections.abc import Iterator

import pytest

from irfuse.errors import SuspiciousPairWarning


@pytest.fixture(autouse=True)
def _of_few_steps() -> Iterator[None]:
    """A few steps do not even make a picture; one test expects the warning about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SuspiciousPairWarning)
        yield
