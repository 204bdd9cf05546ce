"""The callback through which long work reports its progress."""

from typing import Protocol


class Progress(Protocol):
    """Called after each step of long work, with the steps done, the steps in all, and a note on the current state.

    The total is None while it is unknown.
    """

    def __call__(self, done: int, total: int | None, note: str) -> None: ...


def silent(done: int, total: int | None, note: str) -> None:
    """Report nothing."""
