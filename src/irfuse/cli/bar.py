"""The progress bar of the commands."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from irfuse.progress import Progress


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__(table_column=_whole())
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.2f} {self._unit}/s")


class _Note(ProgressColumn):
    """The current state. It is cut off first if the terminal is narrow."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["note"], no_wrap=True, overflow="ellipsis")


@contextmanager
def bar(console: Console, title: str, unit: str, *, at_once: bool) -> Iterator[Progress]:
    """Show a bar with the count, the rate and the remaining time.

    An unknown total shows as a moving bar with a question mark. `title`, `unit` and `at_once` are those of
    :func:`irfuse.cli.console.progress`.
    """
    columns = (
        TextColumn("{task.description}", table_column=_whole()),
        BarColumn(20, table_column=_whole()),
        MofNCompleteColumn(table_column=_whole()),
        _Rate(unit),
        TimeRemainingColumn(table_column=_whole()),
        _Note(),
    )
    shown = Bar(*columns, console=console)
    task = shown.add_task(title, total=None, note="")
    with ExitStack() as stack:
        if at_once:
            stack.enter_context(shown)

        def on_step(done: int, total: int | None, note: str) -> None:
            if not shown.live.is_started:
                stack.enter_context(shown)
            shown.update(task, completed=done, total=total, note=note)

        yield on_step


def _whole() -> Column:
    """A column that keeps its width if the terminal is narrow."""
    return Column(no_wrap=True)
