"""Progress of work that has several stages."""

from contextlib import ExitStack

from irfuse.cli.console import progress
from irfuse.progress import Progress, silent


class Stages:
    """Progress bars of which one is shown at a time: when a stage begins, the one before it ends."""

    def __init__(self) -> None:
        self._bars = ExitStack()
        self._title = ""
        self._on_step: Progress = silent

    def __enter__(self) -> "Stages":
        return self

    def __exit__(self, *reason: object) -> None:
        self._bars.close()

    def stage(self, title: str, unit: str) -> Progress:
        """What tells how far the stage is, once it begins."""

        def on_step(done: int, total: int, note: str) -> None:
            if self._title != title:
                self._bars.close()
                self._title = title
                self._on_step = self._bars.enter_context(progress(title, unit))
            self._on_step(done, total, note)

        return on_step
