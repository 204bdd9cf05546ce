"""The progress of work in several stages."""

from contextlib import ExitStack

from irfuse.cli.console import progress
from irfuse.progress import Progress, silent


class Stages:
    """Progress bars, one at a time: the bar of a stage ends when the next stage begins."""

    def __init__(self) -> None:
        self._bars = ExitStack()
        self._title = ""
        self._on_step: Progress = silent

    def __enter__(self) -> "Stages":
        return self

    def __exit__(self, *reason: object) -> None:
        self._bars.close()

    def stage(self, title: str, unit: str) -> Progress:
        """Make the callback of a stage. Its bar appears with the first step."""

        def on_step(done: int, total: int | None, note: str) -> None:
            if self._title != title:
                self._bars.close()
                self._title = title
                self._on_step = self._bars.enter_context(progress(title, unit))
            self._on_step(done, total, note)

        return on_step
