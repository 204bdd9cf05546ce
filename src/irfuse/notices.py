"""Warnings about images: told to the caller that collects them, or else to Python's own :mod:`warnings`.

A folder, a benchmark and a batch of scores report each warning beside the pair that it is about. They collect it here
instead of with :func:`warnings.catch_warnings`, which changes the filters of the whole process and so those of other
threads.
"""

import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from irfuse.errors import ImageFileWarning

_collected: ContextVar[list[Warning] | None] = ContextVar("collected", default=None)


def warn(warning: Warning) -> None:
    """Give a warning.

    Args:
        warning: an instance of one of the warnings of :mod:`irfuse.errors`.

    >>> from irfuse.errors import SuspiciousPairWarning
    >>> with collected() as found:
    ...     warn(SuspiciousPairWarning("the infrared image is constant"))
    >>> [str(warning) for warning in found]
    ['the infrared image is constant']
    """
    found = _collected.get()
    if found is None:
        warnings.warn(warning, stacklevel=_frames_in_irfuse())
    else:
        found.append(warning)


@contextmanager
def collected() -> Iterator[list[Warning]]:
    """Collect the warnings that :func:`warn` gives in this thread until the block ends, and nobody else sees them."""
    found: list[Warning] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def about(name: str, warning: Warning) -> tuple[str, str]:
    """Return a warning with the name of what it is about, for :func:`first_of_each`.

    The name of a file's warning is empty, since its message begins with the path.

    >>> from irfuse.errors import ImageFileWarning, SuspiciousPairWarning
    >>> about("a", SuspiciousPairWarning("too dark")), about("a", ImageFileWarning("in/a.jpg: is animated"))
    (('a', 'too dark'), ('', 'in/a.jpg: is animated'))
    """
    return "" if isinstance(warning, ImageFileWarning) else name, str(warning)


def first_of_each(named: Iterable[tuple[str, str]]) -> list[str]:
    """Put the names of what warnings are about before them. Of those that are alike, only the first stays.

    A warning whose name is empty stays as it is, see :func:`about`.

    >>> first_of_each([("a", "value 1 is odd"), ("b", "value 22 is odd"), ("b", "too dark")])
    ['a: value 1 is odd (and 1 more like this)', 'b: too dark']
    """
    alike: dict[str, list[str]] = {}
    for name, message in named:
        alike.setdefault(kind(message), []).append(f"{name}: {message}" if name else message)
    return [first + (f" (and {len(others)} more like this)" if others else "") for first, *others in alike.values()]


def kind(message: str) -> str:
    """Return what messages have in common that are alike.

    A camera's frames often share a problem, and their messages differ only in the numbers.

    >>> kind("value 1 is odd") == kind("value 22 is odd")
    True
    """
    return re.sub(r"\d+", "", message)


def _frames_in_irfuse() -> int:
    """How many calls lie between the user's line and :func:`warn`, as the ``stacklevel`` that names that line."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("irfuse."):
        frame, level = frame.f_back, level + 1
    return level
