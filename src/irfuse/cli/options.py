"""Options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from irfuse.imaging.levels import Levels, Percentiles

METHOD_HELP = "NAME or NAME:parameter=value,... as `irfuse methods` lists them, or FILE.py:CLASS."

MethodOption = Annotated[str, typer.Option("--method", "-m", metavar="SPEC", help=METHOD_HELP)]
ColorOption = Annotated[
    Literal["auto", "gray"],
    typer.Option(help="auto keeps the color of the visible image; gray writes only the fused luma."),
]
StretchOption = Annotated[bool, typer.Option("--stretch", help="Stretch each result to the full range of brightness.")]
DeviceOption = Annotated[str, typer.Option(help="The device: auto, cpu, cuda, cuda:1, ...")]
EngineOption = Annotated[
    Literal["auto", "torch", "compile", "onnx", "openvino"],
    typer.Option(help="What computes the method; auto takes the fastest that is installed and keeps 50 dB."),
]
PrecisionOption = Annotated[
    Literal["auto", "fp32", "fp16", "bf16"],
    typer.Option(help="The precision of the computation; auto takes the fastest that keeps 50 dB."),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(help="A file that `irfuse export` wrote, instead of a method. It needs only ONNX Runtime."),
]
FormatOption = Annotated[str, typer.Option("--format", help="The format of a folder's results: png, tiff, jpg, ...")]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Skip pairs whose result exists, unless another method or setting made it.")
]
HighlightOption = Annotated[
    str | None,
    typer.Option(metavar="THRESHOLD", help="Tint what is as warm as 60C, as the warmest pixels from 99%, or as 30000."),
]
BlendOption = Annotated[
    bool, typer.Option("--blend", help="Draw the thermal image with the visible image's edges, instead of a method.")
]
TemperatureOption = Annotated[
    Path | None,
    typer.Option(help="Write the temperatures or counts as TIFF: a file, or a folder for a folder's pairs."),
]
AsPictureOption = Annotated[
    bool,
    typer.Option("--as-picture", help="Read the pictures of radiometric JPEG files, not temperatures and photographs."),
]
RangeOption = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="LOW HIGH", help="The infrared values that become black and white, for all images; in degrees as 20C."
    ),
]
PercentilesOption = Annotated[
    tuple[float, float],
    typer.Option(metavar="LOW HIGH", help="The percentiles of raw infrared values that become black and white."),
]
PaletteOption = Annotated[
    Literal["iron", "inferno", "white-hot", "black-hot", "rainbow", "arctic"] | None,
    typer.Option(help="The colors of the thermal image."),
]
LegendOption = Annotated[bool, typer.Option("--legend", help="Draw the colors with their values.")]

CalibrationOption = Annotated[
    Path | None, typer.Option(help="A calibration of the two cameras, which `irfuse register` writes.")
]
RegisterOption = Annotated[
    Literal["auto"] | None, typer.Option(help="auto registers each pair, for images that do not match pixel by pixel.")
]
TransformOption = Annotated[
    Literal["similarity", "affine", "homography"],
    typer.Option("--model", help="What the transform may do: move, turn and scale; shear too; or tilt too."),
]
OntoOption = Annotated[Literal["vis", "ir"], typer.Option(help="The image whose pixels the registered images have.")]
CropOption = Annotated[bool, typer.Option("--crop", help="Cut registered images to what both cameras see.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Accept a registration that cannot be trusted.")]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="The number of processes that score.", show_default="one per core"),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(help="The folder for fused images and scores.", show_default="irfuse/benchmark in your cache folder"),
]


def thermal(fixed: tuple[str, str] | None, percentiles: tuple[float, float] | None) -> "Levels | Percentiles":
    """Choose how infrared values become [0, 1]: a fixed range takes precedence over percentiles.

    Raises:
        ParameterError: the range is none.
    """
    from irfuse.imaging.levels import Levels, Percentiles

    return Percentiles(*percentiles or ()) if fixed is None else Levels.parse(*fixed)


def is_given(context: typer.Context, name: str) -> bool:
    """Tell whether the user gave an option, by the name of its parameter."""
    # Compared by name: the class of a source is Typer's own or Click's, depending on Typer's version.
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def names(texts: list[str] | None) -> list[str] | None:
    """Split names that are separated by commas or given by several options; None if there is no option."""
    return None if texts is None else [name.strip() for text in texts for name in text.split(",") if name.strip()]
