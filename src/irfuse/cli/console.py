"""The output of the commands: results on standard output, everything else on standard error."""

import json
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from irfuse import notices
from irfuse.errors import (
    BenchmarkWarning,
    DatasetWarning,
    ImageFileWarning,
    PluginWarning,
    PrecisionWarning,
    SuspiciousPairWarning,
)
from irfuse.progress import Progress

if TYPE_CHECKING:
    from rich.table import Table

    from irfuse.pipelines.folder import Report

output = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

_ANY_WIDTH = 10_000
_SECONDS_BETWEEN_LINES = 30.0
_SHOWN = (
    SuspiciousPairWarning,
    ImageFileWarning,
    BenchmarkWarning,
    DatasetWarning,
    PluginWarning,
    PrecisionWarning,
)
"""The warnings that are printed each time, not only once."""
_LISTED = 10
"""The most files of a folder that are listed as having no partner."""


@contextmanager
def printed_warnings() -> Iterator[None]:
    """Print each warning as one line when it is raised."""

    def show(message: Warning | str, *place: object, **more: object) -> None:
        errors.print(f"warning: {message}", style="yellow", markup=False)

    with warnings.catch_warnings():
        for category in _SHOWN:
            warnings.simplefilter("always", category)
        warnings.showwarning = show
        yield


@contextmanager
def progress(title: str, unit: str, *, at_once: bool = True) -> Iterator[Progress]:
    """Show a progress bar on a terminal, and print a line now and then elsewhere, such as in a log.

    Args:
        title: what is being done.
        unit: what is counted.
        at_once: show the bar immediately. Otherwise it appears with the first step, for work that may have none.
    """
    if not errors.is_terminal:
        yield _lines(title)
        return
    # Imported here: only work that takes long shows a bar.
    from irfuse.cli.bar import bar

    with bar(errors, title, unit, at_once=at_once) as on_step:
        yield on_step


def print_table(made: "Table") -> None:
    """Print a table, wrapped to the width of a terminal. Elsewhere, such as in a pipe, no cell is wrapped."""
    console = output if output.is_terminal else Console(highlight=False, width=_ANY_WIDTH)
    console.print(made, soft_wrap=False, markup=False)


def print_json(value: object) -> None:
    """Print a value as JSON. Infinite numbers, which JSON lacks, must have been replaced."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def table(*columns: str) -> "Table":
    """Make an empty table whose cells are wrapped if the terminal is narrow."""
    # Imported here: `irfuse fuse` starts without it.
    from rich.table import Table

    made = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def print_engine(used: str) -> None:
    """Print the engine, the precision and the reason for them."""
    errors.print(f"engine: {used}", markup=False)


def print_unpaired(paths: Sequence[Path]) -> None:
    """Print the files without a partner: a few of each folder, and how many more there are."""
    by_folder: dict[Path, list[Path]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, []).append(path)
    for folder, found in by_folder.items():
        more = len(found) - _LISTED
        for path in found[: _LISTED if more > 0 else None]:
            errors.print(f"no partner: {path}", style="yellow", markup=False)
        if more > 0:
            errors.print(f"no partner: {more} more in {folder}", style="yellow", markup=False)


def print_warnings(named: Iterable[tuple[str, str]]) -> None:
    """Print warnings with the names of what they are about. Of those that are alike, only the first is printed."""
    for line in notices.first_of_each(named):
        errors.print(f"warning: {line}", style="yellow", markup=False)


def print_report(report: "Report", out: Path) -> None:
    """Print the outcome of a run, and exit with status 1 if a pair failed."""
    print_warnings(report.warnings)
    for name, reason in report.failures:
        errors.print(f"failed: {name}: {reason}", style="red", markup=False)
    counts = [f"{len(report.fused)} fused"]
    counts += [f"{len(report.skipped)} skipped"] * bool(report.skipped)
    counts += [f"{len(report.failures)} failed"] * bool(report.failures)
    output.print(f"{', '.join(counts)}: {out}", markup=False)
    if report.failures:
        raise typer.Exit(1)


def _lines(title: str) -> Progress:
    last = time.monotonic()

    def on_step(done: int, total: int | None, note: str) -> None:
        nonlocal last
        if time.monotonic() - last > _SECONDS_BETWEEN_LINES:
            count = f"{done}" if total is None else f"{done}/{total}"
            errors.print(f"{title} {count} {note}", markup=False)
            last = time.monotonic()

    return on_step
