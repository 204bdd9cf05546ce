"""`irfuse metrics` and `irfuse protocols`."""

from typing import Annotated

import typer
from rich.table import Table

from irfuse.cli.console import output


def metrics() -> None:
    """List the metrics, with their directions and the protocols that define them."""
    from irfuse.metrics import METRICS
    from irfuse.metrics.protocols import PROTOCOLS

    table = _table("metric", "", "symbol", "title", "range", "smallest", "protocols")
    for info in METRICS:
        low, high = (f"{bound:g}" for bound in info.range)
        defined_by = " ".join(protocol.name for protocol in PROTOCOLS if info.name in protocol.readings)
        smallest = f"{info.minimum}x{info.minimum}"
        table.add_row(info.name, info.arrow, info.symbol, info.title, f"[{low}, {high}]", smallest, defined_by)
    output.print(table, soft_wrap=False, markup=False)


def protocols(
    name: Annotated[str | None, typer.Argument(help="One of them, to see what it does differently.")] = None,
) -> None:
    """List the protocols, each one toolbox's exact way to compute metrics, or show one."""
    from irfuse.metrics.protocols import PROTOCOLS, find

    if name is None:
        table = _table("protocol", "title", "colour", "metrics")
        for protocol in PROTOCOLS:
            color = {"luma": "luma", "rgb": "mean of R, G, B"}[protocol.color]
            table.add_row(protocol.name, f"{protocol.title}\n{protocol.source}", color, " ".join(protocol.readings))
    else:
        protocol = find(name)
        color = {"luma": "by the luma", "rgb": "as the mean over R, G and B"}[protocol.color]
        output.print(f"{protocol.title}: {protocol.source}; colour {color}", markup=False)
        table = _table("metric", "as this protocol reads it")
        for metric, reading in protocol.readings.items():
            table.add_row(metric, reading.note)
    output.print(table, soft_wrap=False, markup=False)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
