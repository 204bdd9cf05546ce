"""`irfuse reproduce`."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from irfuse import __version__, datasets
from irfuse.cli.console import output, printed_warnings
from irfuse.cli.options import CacheOption, DeviceOption, JobsOption
from irfuse.cli.stages import Stages
from irfuse.errors import DatasetError, OutputError
from irfuse.io.files import write_atomic

_INTRODUCTION = """# The papers' tables, run again

Printed by `irfuse reproduce`, irfuse {version}, on {machine}, {date}.
Rows that begin with "paper" hold the papers' own figures, those of compared methods too; rows that begin with "irfuse"
were measured. Below each table stand how near they are, what the paper leaves open, and how it is taken here.
"""


def reproduce(
    method: Annotated[str | None, typer.Argument(help="Whose paper; all by default.", show_default=False)] = None,
    out: Annotated[Path | None, typer.Option("--output", "-o", help="Write the Markdown to this file.")] = None,
    jobs: JobsOption = None,
    cache: CacheOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Run the tables of a method's paper again, and print its rows, irfuse's own, and the differences.

    The data is looked for in the folder that IRFUSE_DATA names. After an interruption the same command goes on.
    """
    from irfuse.benchmark.papers import PAPERS, find
    from irfuse.benchmark.reproduction import reproduce
    from irfuse.device import cores, machine, resolve

    if out is not None and not out.parent.is_dir():
        raise OutputError(f"cannot write {out}: there is no folder {out.parent}")
    measured = {"version": __version__, "machine": machine(resolve(device)), "date": date.today()}
    if not datasets.folder("the papers").is_dir():
        raise DatasetError(f"{datasets.folder('the papers')}: the folder that IRFUSE_DATA names is not there")
    parts = [_INTRODUCTION.format(**measured)] if method is None else []
    with printed_warnings(), Stages() as stages:
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
