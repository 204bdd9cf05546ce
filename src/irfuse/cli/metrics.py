"""`irfuse metrics` and `irfuse protocols`."""

from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Annotated

import typer

from irfuse.cli.console import output, print_json, print_table, table
from irfuse.cli.options import JsonOption
from irfuse.io.tables import ARROWS

if TYPE_CHECKING:
    from irfuse.metrics import MetricInfo
    from irfuse.metrics.protocols.base import Protocol


def metrics(
    as_json: JsonOption = False,
    video: Annotated[bool, typer.Option("--video", help="List the metrics of clips instead.")] = False,
) -> None:
    """List the metrics with their directions and the protocols that define them."""
    if video:
        _list_metrics_of_clips(as_json)
        return
    from irfuse.metrics import METRICS

    if as_json:
        print_json([_metric_as_json(info) for info in METRICS])
        return
    listed = table("metric", "", "symbol", "title", "range", "smallest", "protocols")
    for info in METRICS:
        low, high = (f"{bound:g}" for bound in info.range)
        defined_by = " ".join(_defined_by(info))
        smallest = f"{info.minimum}x{info.minimum}"
        listed.add_row(info.name, info.arrow, info.symbol, info.title, f"[{low}, {high}]", smallest, defined_by)
    print_table(listed)


def protocols(
    name: Annotated[str | None, typer.Argument(help="The protocol to show.", show_default="list all")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the protocols, or show one. A protocol computes metrics exactly as one toolbox does."""
    from irfuse.metrics.protocols import PROTOCOLS, find

    if as_json:
        shown = [_protocol_as_json(protocol) for protocol in (PROTOCOLS if name is None else [find(name)])]
        print_json(shown if name is None else shown[0])
        return
    if name is None:
        listed = table("protocol", "title", "source", "color", "metrics")
        for protocol in PROTOCOLS:
            color = {"luma": "luma", "rgb": "mean of R, G, B"}[protocol.color]
            listed.add_row(protocol.name, protocol.title, protocol.source, color, " ".join(protocol.readings))
    else:
        protocol = find(name)
        color = {"luma": "the luma", "rgb": "the mean over R, G and B"}[protocol.color]
        output.print(protocol.title, markup=False)
        output.print(f"source: {protocol.source}", markup=False)
        output.print(f"color images: scored by {color}", markup=False)
        listed = table("metric", "how this protocol computes it")
        for metric, reading in protocol.readings.items():
            listed.add_row(metric, reading.note)
    print_table(listed)


def _list_metrics_of_clips(as_json: bool) -> None:
    from irfuse.metrics.temporal import CLIP_METRICS

    if as_json:
        print_json([asdict(info) for info in CLIP_METRICS])
        return
    listed = table("metric", "", "symbol", "title", "unit", "compared with", "smallest")
    for info in CLIP_METRICS:
        neighbors = {"previous": "the previous frame", "both": "both neighbors"}[info.neighbors]
        smallest = f"{info.minimum}x{info.minimum}"
        listed.add_row(info.name, ARROWS["lower"], info.symbol, info.title, info.unit or "-", neighbors, smallest)
    print_table(listed)


def _metric_as_json(info: "MetricInfo") -> dict[str, object]:
    bounds = [bound if isfinite(bound) else None for bound in info.range]
    facts = {key: getattr(info, key) for key in ("name", "symbol", "title", "direction", "minimum")}
    return {**facts, "range": bounds, "protocols": _defined_by(info)}


def _defined_by(info: "MetricInfo") -> list[str]:
    from irfuse.metrics.protocols import PROTOCOLS

    return [protocol.name for protocol in PROTOCOLS if info.name in protocol.readings]


def _protocol_as_json(protocol: "Protocol") -> dict[str, object]:
    facts = {key: getattr(protocol, key) for key in ("name", "title", "source", "color")}
    return {**facts, "metrics": {metric: reading.note for metric, reading in protocol.readings.items()}}
