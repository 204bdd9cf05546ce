"""Progress of work that has several stages."""

from contextlib import ExitStack

from irfuse.cli.console import progress
from irfuse.progress import Progress


class Stages:
    """Progress bars of which one is shown at a time: when a stage begins, the one before it ends."""

    def __init__(self) -> None:
        self._shown = ExitStack()
        self._current = ""

    def __enter__(self) -> "Stages":
        return self

    def __exit__(self, *reason: object) -> None:
        self._shown.close()

    def stage(self, title: str, unit: str) -> Progress:
        """What tells how far the stage is, once it begins."""
        bar: list[Progress] = []

        def on_step(done: int, total: int, note: str) -> None:
            if self._current != title:
                self._shown.close()
                self._current = title
                bar[:] = [self._shown.enter_context(progress(title, unit))]
            bar[0](done, total, note)

        return on_step
