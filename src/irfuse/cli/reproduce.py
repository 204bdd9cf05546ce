"""`irfuse reproduce`."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from irfuse.cli.console import output
from irfuse.cli.options import CacheOption, DeviceOption, JobsOption
from irfuse.cli.stages import Stages
from irfuse.errors import DatasetError, OutputError

_INTRODUCTION = """# The papers' tables, run again

Printed by `irfuse reproduce`, irfuse {version}, on {machine}, {date}.
Rows that begin with "paper" give the paper's numbers, also for the methods that it compares with. Rows that begin with
"irfuse" were measured. The notes below each table say how close the numbers are, what the paper leaves open, and what
irfuse assumes.
"""


def reproduce(
    method: Annotated[str | None, typer.Argument(help="The method whose paper is run.", show_default="all")] = None,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the Markdown to this file instead of printing it.")
    ] = None,
    jobs: JobsOption = None,
    cache: CacheOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Run the tables of a method's paper, and print the paper's numbers, irfuse's numbers and their differences.

    The data must be in the folder that IRFUSE_DATA names. After an interruption, the same command continues.
    """
    from irfuse import __version__, datasets
    from irfuse.benchmark.papers import PAPERS, find
    from irfuse.benchmark.reproduction import reproduce
    from irfuse.device import cores, machine, resolve
    from irfuse.io.files import write_atomic

    if out is not None and not out.parent.is_dir():
        raise OutputError(f"cannot write {out}: there is no folder {out.parent}")
    measured = {"version": __version__, "machine": machine(resolve(device)), "date": date.today()}
    if not datasets.folder("the papers").is_dir():
        raise DatasetError(f"{datasets.folder('the papers')}: the folder that IRFUSE_DATA names does not exist")
    parts = [_INTRODUCTION.format(**measured)] if method is None else []
    with Stages() as stages:
        for paper in PAPERS if method is None else [find(method)]:
            parts.append(
                reproduce(
                    paper,
                    device=device,
                    jobs=jobs or cores(),
                    cache=cache,
                    on_fetch=stages.stage("fetching", "MB"),
                    on_fuse=stages.stage(f"{paper.method}: fusing", "images"),
                    on_score=stages.stage(f"{paper.method}: scoring", "images"),
                )
            )
    text = "\n".join(parts)
    if out is None:
        output.print(text, markup=False)
    else:
        write_atomic(out, text.encode())
        output.print(str(out), markup=False)
