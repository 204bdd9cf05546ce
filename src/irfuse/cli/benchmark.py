"""`irfuse benchmark`."""

from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from irfuse import datasets
from irfuse.cli.console import errors, output, printed_warnings
from irfuse.cli.options import (
    CacheOption,
    DeviceOption,
    JobsOption,
    PercentilesOption,
    RangeOption,
    StretchOption,
    thermal,
)
from irfuse.cli.stages import Stages
from irfuse.errors import ParameterError
from irfuse.io.files import check_folder

if TYPE_CHECKING:
    from irfuse.benchmark import Result


def benchmark(
    data: Annotated[
        str, typer.Argument(help="A folder of pairs, a CSV manifest, or a named set: tno21, vifb, roadscene, ...")
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="The folder for the report.")],
    method: Annotated[
        list[str] | None,
        typer.Option("--method", "-m", metavar="SPEC", help="NAME or NAME:parameter=value,...; once for each method."),
    ] = None,
    *,
    fused: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FOLDER", help="Fused images that another program made; or a folder of such folders."
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metrics", "-k", help="Names, separated by commas; all of the protocol by default."),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option("--protocol", "-p", help="Whose way to compute them; may be given again. [default: canonical]"),
    ] = None,
    show: Annotated[
        list[str] | None, typer.Option(metavar="PAIR", help="A pair to show; once for each. [default: three of them]")
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(metavar="X,Y,W,H", help="What is enlarged. [default: where the fused images differ most]"),
    ] = None,
    stretch: StretchOption = False,
    thermal_range: RangeOption = None,
    thermal_percentiles: PercentilesOption = (0.1, 99.9),
    jobs: JobsOption = None,
    cache: CacheOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Compare methods on the pairs of DATA, and write a report with tables and figures.

    After an interruption the same command goes on. The exit status is 0 when all went well, 1 when some pairs failed,
    which the report names, 2 when nothing could be done, and 130 on Ctrl-C.
    """
    from irfuse.benchmark import Region, plan, report, run
    from irfuse.device import cores

    chosen = Region.parse(region) if region else None
    guests: dict[str, Path] = {}
    for text in fused or []:
        found = plan.guests(text)
        twice = sorted(guests.keys() & found.keys())
        if twice:
            raise ParameterError(f"two entrants are named {' and '.join(twice)}; give each its own name")
        guests |= found
    if show:
        report.check_shown([pair.name for pair in datasets.pairs(data).pairs], show)
    check_folder(out)
    with printed_warnings(), Stages() as stages:
        result = run(
            data,
            method or [],
            fused=guests,
            protocols=_names(protocol) or ["canonical"],
            metrics=_names(metrics),
            stretch=stretch,
            thermal=thermal(thermal_range, thermal_percentiles),
            device=device,
            jobs=jobs or cores(),
            cache=cache,
            on_fetch=stages.stage("fetching", "MB"),
            on_fuse=stages.stage("fusing", "images"),
            on_score=stages.stage("scoring", "images"),
        )
    with errors.status("writing the report"):
        page = report.write(result, out, shown=show, region=chosen)
    _print(result)
    output.print(str(page), markup=False)
    if result.holes:
        raise typer.Exit(1)


def _names(texts: list[str] | None) -> list[str] | None:
    return None if texts is None else [name.strip() for text in texts for name in text.split(",") if name.strip()]


def _print(result: "Result") -> None:
    """Print the mean ranks, and what failed."""
    from irfuse.benchmark.statistics import overall

    for hole in result.holes:
        errors.print(f"failed: {hole.entrant}: {hole.pair}: {hole.reason}", style="red", markup=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("mean rank over all metrics")
    ranks = {protocol: overall(result, protocol).mean_ranks for protocol in result.protocols}
    for protocol in result.protocols:
        table.add_column(protocol, justify="right")
    first = ranks[result.protocols[0]].reindex(list(result.entrants))
    for entrant in first.sort_values().index:
        table.add_row(str(entrant), *(_digits(ranks[protocol].get(entrant, nan)) for protocol in result.protocols))
    output.print(table, soft_wrap=False, markup=False)


def _digits(rank: float) -> str:
    return "-" if rank != rank else f"{rank:.2f}"
