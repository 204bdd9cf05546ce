"""`irfuse metrics` and `irfuse protocols`."""

from typing import Annotated

import typer

from irfuse.cli.console import output, table


def metrics() -> None:
    """List the metrics with their directions and the protocols that define them."""
    from irfuse.metrics import METRICS
    from irfuse.metrics.protocols import PROTOCOLS

    listed = table("metric", "", "symbol", "title", "range", "smallest", "protocols")
    for info in METRICS:
        low, high = (f"{bound:g}" for bound in info.range)
        defined_by = " ".join(protocol.name for protocol in PROTOCOLS if info.name in protocol.readings)
        smallest = f"{info.minimum}x{info.minimum}"
        listed.add_row(info.name, info.arrow, info.symbol, info.title, f"[{low}, {high}]", smallest, defined_by)
    output.print(listed, soft_wrap=False, markup=False)


def protocols(
    name: Annotated[str | None, typer.Argument(help="The protocol to show.", show_default="list all")] = None,
) -> None:
    """List the protocols, or show one. A protocol computes metrics exactly as one toolbox does."""
    from irfuse.metrics.protocols import PROTOCOLS, find

    if name is None:
        listed = table("protocol", "title", "color", "metrics")
        for protocol in PROTOCOLS:
            color = {"luma": "luma", "rgb": "mean of R, G, B"}[protocol.color]
            listed.add_row(protocol.name, f"{protocol.title}\n{protocol.source}", color, " ".join(protocol.readings))
    else:
        protocol = find(name)
        color = {"luma": "the luma", "rgb": "the mean over R, G and B"}[protocol.color]
        output.print(f"{protocol.title}: {protocol.source}; color images are scored by {color}", markup=False)
        listed = table("metric", "how this protocol computes it")
        for metric, reading in protocol.readings.items():
            listed.add_row(metric, reading.note)
    output.print(listed, soft_wrap=False, markup=False)
