"""`irfuse thermal`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from irfuse.cli.console import errors, output, print_json, print_table, table
from irfuse.cli.once import OnceCommand
from irfuse.cli.options import JsonOption, LegendOption, PaletteOption, PercentilesOption, RangeOption, is_given
from irfuse.cli.options import thermal as levels
from irfuse.errors import ImageError, OutputError, ParameterError, naming
from irfuse.io.formats import check_not_video

if TYPE_CHECKING:
    from irfuse.io.thermal.base import ThermalFile

thermal = typer.Typer(
    help="Show what thermal files hold, and write it into other files.",
    short_help="Show and export what thermal files hold.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FormOption = Annotated[
    Literal["celsius", "counts", "centikelvin", "picture"] | None,
    typer.Option(
        "--as",
        help="°C in floating point, counts, 1/100 K in 16 bits, or a picture.",
        show_default="°C or else counts in TIFF and CSV, a picture in other files",
    ),
]

_TIFF = (".tif", ".tiff")
_OF_PICTURES = ("palette", "legend", "thermal_range", "thermal_percentiles")
"""The options that make no difference to numbers."""


@thermal.command(short_help="Show what thermal files hold.")
def info(
    files: Annotated[list[Path], typer.Argument(help="Radiometric JPEG files, or images of counts or temperatures.")],
    as_json: JsonOption = False,
) -> None:
    """Show the camera, the size, the range, the settings and the photograph of thermal files, and what they lack.

    The exit status is 1 if some files cannot be read, and 2 if none can.
    """
    from irfuse.io.thermal import reading

    found: dict[Path, ThermalFile] = {}
    failures: dict[Path, ImageError] = {}
    for path in files:
        try:
            check_not_video(path)
            found[path] = reading.read(path)
        except ImageError as error:
            failures[path] = error
    if not found:
        raise next(iter(failures.values()))
    if as_json:
        print_json([{"file": str(path), **_facts(file)} for path, file in found.items()])
    else:
        _print(found)
    for failure in failures.values():
        errors.print(f"failed: {failure}", style="red", markup=False)
    if failures:
        raise typer.Exit(1)


@thermal.command(cls=OnceCommand, short_help="Write what a thermal file holds into another file.")
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A radiometric JPEG, or an image of counts or temperatures.")],
    *,
    out: Annotated[Path, typer.Option("--output", "-o", help="The file to write: .tiff, .csv, .png, .jpg, ...")],
    form: FormOption = None,
    palette: PaletteOption = None,
    legend: LegendOption = False,
    thermal_range: RangeOption = None,
    thermal_percentiles: PercentilesOption = (0.1, 99.9),
    visible: Annotated[bool, typer.Option("--visible", help="Write the photograph in the file.")] = False,
) -> None:
    """Write the temperatures, the counts, a picture in a palette, or the photograph of a thermal file."""
    from irfuse.io.files import make_folder

    check_not_video(file)
    if out.exists() and file.exists() and out.samefile(file):
        raise OutputError(f"{out} would replace the input; choose another name")
    suffix = out.suffix.lower()
    drawn = [f"--{name.replace('_', '-')}" for name in _OF_PICTURES if is_given(context, name)]
    if visible and (form or drawn):
        raise ParameterError(f"--visible cannot be combined with {'--as' if form else drawn[0]}")
    if form not in (None, "picture") and drawn:
        raise ParameterError(f"--as {form} writes numbers, for which {drawn[0]} makes no difference")
    if form is None and (drawn or suffix not in (*_TIFF, ".csv")):
        form = "picture"
    if form == "picture" and suffix == ".csv":
        raise ParameterError(f"{out}: CSV holds numbers, not a picture")
    make_folder(out.parent)
    if visible:
        _write_photograph(file, out)
    elif form == "picture":
        _write_picture(file, out, palette, legend, thermal_range, thermal_percentiles)
    else:
        _write_numbers(file, out, form)
    output.print(str(out), markup=False)


def _write_photograph(file: Path, out: Path) -> None:
    from irfuse.io import images
    from irfuse.io.files import write_atomic
    from irfuse.io.thermal import reading

    content, image, metadata = reading.photograph(file)
    if content and out.suffix.lower() in (".jpg", ".jpeg"):
        # Not compressed again.
        write_atomic(out, content)
    else:
        images.write(out, image, metadata=metadata)


def _write_picture(
    file: Path,
    out: Path,
    palette: PaletteOption,
    legend: bool,
    fixed: tuple[str, str] | None,
    percentiles: tuple[float, float],
) -> None:
    from irfuse.imaging import overlay
    from irfuse.io import images
    from irfuse.io.thermal import reading

    found, metadata = reading.read_with_metadata(file)
    scale = levels(fixed, percentiles)
    with naming(str(file), ImageError):
        drawn = overlay.picture(found.values, palette=palette or "iron", thermal=scale, legend=legend)
    images.write(out, drawn, metadata=metadata)


def _write_numbers(file: Path, out: Path, form: Literal["celsius", "counts", "centikelvin"] | None) -> None:
    from irfuse.io import images
    from irfuse.io.files import write_atomic
    from irfuse.io.thermal import export, reading

    found, metadata = reading.read_with_metadata(file)
    if form is None:
        form = "counts" if found.celsius is None else "celsius"
        if found.celsius is None and found.maker:
            errors.print(f"warning: {file}: counts are written, since {found.no_celsius}", style="yellow", markup=False)
    with naming(str(file), ImageError):
        numbers = export.numbers(found, form)
    if out.suffix.lower() == ".csv":
        write_atomic(out, export.to_csv(numbers))
    else:
        images.write(out, export.exact(numbers), metadata=metadata)


def _facts(file: "ThermalFile") -> dict[str, object]:
    """Describe a thermal file, for JSON."""
    import numpy as np

    height, width = file.values.shape
    return {
        "maker": file.maker or None,
        "camera": file.camera or None,
        "width": width,
        "height": height,
        "unit": "counts" if file.celsius is None else "celsius",
        "lowest": float(np.nanmin(file.values)),
        "highest": float(np.nanmax(file.values)),
        "scene": None if file.scene is None else asdict(file.scene),
        "alignment": None if file.alignment is None else asdict(file.alignment),
        "photograph": _photograph_size(file),
        "no_temperatures": file.no_celsius or None,
        "no_photograph": file.no_visible or None,
    }


def _photograph_size(file: "ThermalFile") -> list[int] | None:
    """Return the width and height of the photograph; None if there is none, or if it is damaged."""
    from irfuse import notices
    from irfuse.io import images

    try:
        with notices.collected():
            height, width = images.decode(file.visible, "the photograph").shape[:2] if file.visible else (0, 0)
    except ImageError:
        return None
    return [width, height] if width else None


def _print(found: dict[Path, "ThermalFile"]) -> None:
    shown = table(
        "file", "camera", "size", "values", "emissivity", "distance", "reflected", "air", "humidity", "photograph"
    )
    for path, file in found.items():
        facts, scene = _facts(file), file.scene
        digits, unit = (0, "counts") if file.celsius is None else (1, "°C")
        settings = ["-"] * 5
        if scene is not None:
            settings = [
                f"{scene.emissivity:.2f}",
                f"{scene.distance:.1f} m",
                f"{scene.reflected:.1f} °C",
                f"{scene.atmosphere:.1f} °C",
                f"{100 * scene.humidity:.0f} %",
            ]
        photograph = facts["photograph"]
        shown.add_row(
            str(path),
            file.camera or "-",
            f"{facts['width']}x{facts['height']}",
            f"{facts['lowest']:.{digits}f} to {facts['highest']:.{digits}f} {unit}",
            *settings,
            f"{photograph[0]}x{photograph[1]}" if isinstance(photograph, list) else "-",
        )
    print_table(shown)
    for path, file in found.items():
        missing = [("temperatures", file.no_celsius), ("photograph", file.no_visible)]
        for what, why in missing if file.maker else []:
            if why:
                output.print(f"{path}: no {what}: {why}", markup=False)
