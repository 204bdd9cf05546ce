"""Choices: values that are refused, and names that are suggested."""

import pytest

from irfuse.choices import hint


@pytest.mark.parametrize(
    ("name", "meant"),
    [("tno", "tno21"), ("TNO21", "tno21"), ("yourmodel", "YourModel"), ("pyramid", "laplacian-pyramid"), ("xyz", None)],
)
def test_hint(name: str, meant: str | None) -> None:
    known = ["tno21", "vifb", "laplacian-pyramid", "YourModel"]
    assert hint(name, known) == (f"; did you mean {meant!r}?" if meant else "")
    assert hint(name, []) == ""
