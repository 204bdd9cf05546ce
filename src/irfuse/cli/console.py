"""What the commands print on: results on standard output, all else on standard error."""

import re
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from irfuse.errors import BenchmarkWarning, SuspiciousPairWarning
from irfuse.pipelines.folder import Report
from irfuse.progress import Progress

output = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

_SECONDS_BETWEEN_LINES = 30.0


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__(table_column=_whole())
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.2f} {self._unit}/s")


class _Note(ProgressColumn):
    """What is done right now: cut off where there is no room, so that counts and times keep theirs."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["note"], no_wrap=True, overflow="ellipsis")


@contextmanager
def printed_warnings() -> Iterator[None]:
    """Print warnings as they come up, each as one line."""

    def show(message: Warning | str, *place: object, **more: object) -> None:
        errors.print(f"warning: {message}", style="yellow", markup=False)

    with warnings.catch_warnings():
        for category in (SuspiciousPairWarning, BenchmarkWarning):
            warnings.simplefilter("always", category)
        warnings.showwarning = show
        yield


@contextmanager
def progress(title: str, unit: str, *, at_once: bool = True) -> Iterator[Progress]:
    """A bar with count, rate and remaining time on a terminal; elsewhere, in a log say, a line now and then.

    Without `at_once` the bar waits for the first step, for work that there may be none of.
    """
    if not errors.is_terminal:
        yield _lines(title)
        return
    columns = (
        TextColumn("{task.description}", table_column=_whole()),
        BarColumn(20, table_column=_whole()),
        MofNCompleteColumn(table_column=_whole()),
        _Rate(unit),
        TimeRemainingColumn(table_column=_whole()),
        _Note(),
    )
    bar = Bar(*columns, console=errors)
    task = bar.add_task(title, total=None, note="")
    with ExitStack() as stack:
        if at_once:
            stack.enter_context(bar)

        def on_step(done: int, total: int, note: str) -> None:
            if not bar.live.is_started:
                stack.enter_context(bar)
            bar.update(task, completed=done, total=total, note=note)

        yield on_step


def print_engine(used: str) -> None:
    """Say what computed the results."""
    errors.print(f"engine: {used}", markup=False)


def print_report(report: Report, out: Path) -> None:
    """Print what became of the pairs, and leave with status 1 if some failed."""
    alike: dict[str, list[str]] = {}
    for name, message in report.warnings:
        # What is wrong with one frame of a camera is often wrong with all, but for the numbers.
        alike.setdefault(re.sub(r"\d+", "", message), []).append(f"{name}: {message}")
    for first, *others in alike.values():
        also = f" (and {len(others)} more like this)" if others else ""
        errors.print(f"warning: {first}{also}", style="yellow", markup=False)
    for name, reason in report.failures:
        errors.print(f"failed: {name}: {reason}", style="red", markup=False)
    counts = [f"{len(report.fused)} fused"]
    counts += [f"{len(report.skipped)} were there already"] * bool(report.skipped)
    counts += [f"{len(report.failures)} failed"] * bool(report.failures)
    output.print(f"{', '.join(counts)}: {out}", markup=False)
    if report.failures:
        raise typer.Exit(1)


def _whole() -> Column:
    """A column that keeps its width when the terminal is narrow."""
    return Column(no_wrap=True)


def _lines(title: str) -> Progress:
    last = time.monotonic()

    def on_step(done: int, total: int, note: str) -> None:
        nonlocal last
        if time.monotonic() - last > _SECONDS_BETWEEN_LINES:
            errors.print(f"{title} {done}/{total} {note}", markup=False)
            last = time.monotonic()

    return on_step
