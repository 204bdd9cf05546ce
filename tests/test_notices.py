"""Warnings go to the collector of their thread, or to Python's `warnings` if there is none."""

import warnings
from threading import Thread

import numpy as np
import pytest

from irfuse.errors import SuspiciousPairWarning
from irfuse.imaging.levels import Levels
from irfuse.notices import collected, warn


def test_only_the_innermost_collector_gets_a_warning() -> None:
    filters = list(warnings.filters)
    with collected() as outer:
        warn(SuspiciousPairWarning("first"))
        with collected() as inner:
            warn(SuspiciousPairWarning("second"))
        warn(SuspiciousPairWarning("third"))
        assert warnings.filters == filters
    assert [str(warning) for warning in outer] == ["first", "third"]
    assert [str(warning) for warning in inner] == ["second"]


def test_collectors_are_per_thread() -> None:
    found: list[Warning] = []

    def collect() -> None:
        with collected() as mine:
            warn(SuspiciousPairWarning("of the thread"))
            found.extend(mine)

    with collected() as mine:
        thread = Thread(target=collect)
        thread.start()
        thread.join()
    assert mine == []
    assert [str(warning) for warning in found] == ["of the thread"]


def test_a_warning_names_the_line_of_the_user() -> None:
    with pytest.warns(SuspiciousPairWarning, match="none lies within the thermal range") as caught:
        Levels(10, 20).apply(np.zeros((2, 2)))
    assert caught[0].filename == __file__
