"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from irfuse.imaging.levels import Levels, Percentiles

MethodOption = Annotated[
    str,
    typer.Option(
        "--method", "-m", metavar="SPEC", help="NAME or NAME:parameter=value,...; `irfuse methods` lists them."
    ),
]
ColorOption = Annotated[
    Literal["auto", "gray"], typer.Option(help="auto keeps the visible image's colour; gray writes the luma alone.")
]
StretchOption = Annotated[bool, typer.Option("--stretch", help="Stretch each result to the whole range of brightness.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
EngineOption = Annotated[
    Literal["auto", "torch", "compile", "onnx", "openvino"],
    typer.Option(help="What computes the method; auto is the fastest that is installed and keeps 50 dB."),
]
PrecisionOption = Annotated[
    Literal["auto", "fp32", "fp16", "bf16"], typer.Option(help="In which the method is computed; auto, likewise.")
]
RangeOption = Annotated[
    tuple[float, float] | None,
    typer.Option(metavar="LOW HIGH", help="Raw infrared values that become black and white, the same in all frames."),
]
PercentilesOption = Annotated[
    tuple[float, float],
    typer.Option(metavar="LOW HIGH", help="Percentiles that become black and white in each 16-bit infrared image."),
]

JobsOption = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="Processes that score; by default one a core.")
]
CacheOption = Annotated[
    Path | None, typer.Option(help="Keeps fused images and scores. [default: irfuse/benchmark in the user's cache]")
]


def thermal(fixed: tuple[float, float] | None, percentiles: tuple[float, float]) -> Levels | Percentiles:
    """How infrared values become [0, 1]: a fixed range wins over percentiles."""
    return Percentiles(*percentiles) if fixed is None else Levels(*fixed)
