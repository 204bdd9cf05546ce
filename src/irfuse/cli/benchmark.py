"""`irfuse benchmark`."""

from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irfuse.cli.console import errors, output, print_table, table
from irfuse.cli.options import (
    METHOD_HELP,
    CacheOption,
    DeviceOption,
    JobsOption,
    PercentilesOption,
    RangeOption,
    StretchOption,
    names,
    thermal,
)
from irfuse.cli.stages import Stages
from irfuse.errors import ParameterError

if TYPE_CHECKING:
    from irfuse.benchmark import Result


def benchmark(
    data: Annotated[
        str, typer.Argument(help="A folder of pairs, a CSV manifest, or a named set such as tno21, vifb or roadscene.")
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="The folder for the report.")],
    method: Annotated[
        list[str] | None,
        typer.Option("--method", "-m", metavar="SPEC", help=f"{METHOD_HELP} May be repeated."),
    ] = None,
    *,
    fused: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FOLDER",
            help="A folder of external fused images, or of such folders. May be repeated.",
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metrics",
            "-k",
            help="Names separated by commas, or all.",
            show_default="the protocol's own; of canonical eight",
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option("--protocol", "-p", help="How to compute the metrics. May be repeated.", show_default="canonical"),
    ] = None,
    show: Annotated[
        list[str] | None,
        typer.Option(metavar="PAIR", help="A pair to show. May be repeated.", show_default="three pairs"),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="The region to enlarge, inside the pairs of --show, or else inside all.",
            show_default="where the fused images differ most",
        ),
    ] = None,
    stretch: StretchOption = False,
    thermal_range: RangeOption = None,
    thermal_percentiles: PercentilesOption = (0.1, 99.9),
    jobs: JobsOption = None,
    cache: CacheOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Compare methods on the pairs of DATA, and write a report with tables and figures.

    After an interruption, the same command continues. The exit status is 0 on success, 1 if some pairs failed, 2 if
    nothing could be done, and 130 on Ctrl-C. The report lists the failures.
    """
    from irfuse import datasets, notices
    from irfuse.benchmark import Region, plan, report, run
    from irfuse.device import cores
    from irfuse.io.files import check_folder

    chosen = Region.parse(region) if region else None
    folders: dict[str, Path] = {}
    for text in fused or []:
        found = plan.external_folders(text)
        twice = sorted(folders.keys() & found.keys())
        if twice:
            raise ParameterError(f"two methods are named {' and '.join(twice)}; give each its own name")
        folders |= found
    if show or chosen:
        # The run gives the warnings.
        with notices.collected():
            pairs = datasets.pairs(data).pairs
        if show:
            report.check_shown([pair.name for pair in pairs], show)
        if chosen:
            report.check_region([pair for pair in pairs if not show or pair.name in show], chosen)
    check_folder(out)
    with Stages() as stages:
        result = run(
            data,
            method or [],
            fused=folders,
            protocols=names(protocol) or ["canonical"],
            metrics=names(metrics),
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
    if result.failures:
        raise typer.Exit(1)


def _print(result: "Result") -> None:
    """Print the failures and the overall ranks."""
    from irfuse.benchmark.statistics import overall

    for failure in result.failures:
        errors.print(f"failed: {failure.method}: {failure.pair}: {failure.reason}", style="red", markup=False)
    shown = table("overall rank")
    ranks = {protocol: overall(result, protocol).mean_ranks for protocol in result.protocols}
    for protocol in result.protocols:
        shown.add_column(protocol, justify="right")
    first = ranks[result.protocols[0]].reindex(list(result.methods))
    for method in first.sort_values().index:
        shown.add_row(str(method), *(_digits(ranks[protocol].get(method, nan)) for protocol in result.protocols))
    print_table(shown)


def _digits(rank: float) -> str:
    return "-" if rank != rank else f"{rank:.2f}"
