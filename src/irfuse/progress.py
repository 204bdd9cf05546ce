"""The one way in which long work tells how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Called after each step of long work, with the steps done, the steps in all, and a word on the state."""

    def __call__(self, done: int, total: int, note: str) -> None: ...


def silent(done: int, total: int, note: str) -> None:
    """Report nothing."""
