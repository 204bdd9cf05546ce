"""`irfuse register`."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from irfuse import notices
from irfuse.cli import pairing
from irfuse.cli.aligning import own_photograph
from irfuse.cli.console import errors, output, print_unpaired, print_warnings, progress
from irfuse.cli.options import CropOption, ForceOption, OntoOption, TransformOption
from irfuse.errors import CalibrationError, ImageError, OutputError, PairError, ParameterError, naming
from irfuse.io.formats import EXTENSIONS, is_image

if TYPE_CHECKING:
    from irfuse.imaging.planes import Array, Planes
    from irfuse.io.pairs import Pair
    from irfuse.registration.alignment import Aligner
    from irfuse.registration.calibration import Calibration

_MOST_PAIRS = 24
"""How many pairs of a folder are registered, spread over it."""
_CHECK_POINTS = "check them, x to the right and y down from the top left pixel, or accept them by --force"


class _Loaded(NamedTuple):
    """A pair of files, and its images."""

    pair: "Pair"
    ir: "Planes[Array]"
    vis: "Planes[Array]"


def register(
    ir: Annotated[Path, typer.Argument(help="An infrared image, a folder of them, a data set or a CSV manifest.")],
    vis: Annotated[Path | None, typer.Argument(help="The visible image or folder.", show_default=False)] = None,
    *,
    out: Annotated[Path, typer.Option("--output", "-o", help="The calibration, a JSON file.")],
    preview: Annotated[
        Path | None, typer.Option(help="A picture that shows how well the images of the first pair are aligned.")
    ] = None,
    points: Annotated[
        Path | None, typer.Option(help="A CSV file of points in both images: ir_x, ir_y, vis_x, vis_y.")
    ] = None,
    start: Annotated[Path | None, typer.Option(help="A calibration that is about right, which is refined.")] = None,
    fields: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="IR VIS", help="The horizontal fields of view of both cameras, in degrees."),
    ] = None,
    model: TransformOption = "homography",
    force: ForceOption = False,
    images: Annotated[
        Path | None, typer.Option(help="A new folder for the registered images, for training and benchmarks.")
    ] = None,
    onto: OntoOption = "vis",
    crop: CropOption = False,
) -> None:
    """Find how two cameras see one scene, from one pair of images or from many pairs of one rig.

    The calibration is for `irfuse fuse --calibration`. The exit status is 2 if the result cannot be trusted, and 1 if
    some pairs of a folder could not be read.
    """
    from irfuse.io.files import make_folder
    from irfuse.registration import registering
    from irfuse.registration.calibration import read_calibration

    given = [name for name, value in (("--points", points), ("--start", start), ("--fields", fields)) if value]
    if len(given) > 1:
        raise ParameterError(f"{given[0]} cannot be combined with {given[1]}")
    unused = "--onto" if onto != "vis" else "--crop" if crop else ""
    if unused and images is None:
        raise ParameterError(f"{unused} needs --images; irfuse fuse has it, too, for fused images")
    pairs = _pairs(ir, vis)
    _check_outputs(out, preview, images, pairs)
    chosen = pairs[:: ceil(len(pairs) / _MOST_PAIRS)] if points is None else pairs[:1]
    loaded, failures = _load(chosen, is_single=len(pairs) == 1)
    registering.check_one_rig([(one.pair.name, one.ir.size, one.vis.size) for one in loaded])
    if points is not None:
        found = _by_points(points, loaded[0], model, force)
    else:
        with progress("registering", "pairs", at_once=len(loaded) > 1) as on_step:
            found = registering.register_planes(
                [(one.ir, one.vis) for one in loaded],
                model=model,
                start=None if start is None else read_calibration(start),
                field=None if fields is None else registering.field_of(*fields),
                force=force,
                on_step=on_step,
            )
    make_folder(out.parent)
    found.write(out)
    if preview is not None:
        _draw(loaded[0], found, preview)
    if images is not None:
        failures = _write_registered(pairs, found, images, onto, crop, warned=[one.pair for one in loaded])
    _print(found, out, len(loaded))
    for name, reason in failures:
        errors.print(f"failed: {name}: {reason}", style="red", markup=False)
    if failures:
        raise typer.Exit(1)


def _pairs(ir: Path, vis: Path | None) -> "Sequence[Pair]":
    from irfuse.io.pair import Pair

    if vis is None and ir.is_file() and is_image(ir):
        return [Pair(ir.stem, ir, own_photograph(ir, False, "irfuse register IR VIS -o rig.json"))]
    if vis is not None and pairing.are_files(ir, vis):
        return [Pair(vis.stem, ir, vis)]
    many = pairing.many(ir, vis)
    print_unpaired(many.unpaired)
    return many.pairs


def _check_outputs(out: Path, preview: Path | None, images: Path | None, pairs: "Sequence[Pair]") -> None:
    """Check, before the work, what will be written."""
    from irfuse.io.files import check_folder

    if out.suffix.lower() != ".json":
        raise OutputError(f"{out}: the name of a calibration must end in .json")
    check_folder(out.parent)
    if preview is not None:
        check_folder(preview.parent)
        if not is_image(preview):
            raise OutputError(f"{preview}: the name of the preview must end in one of {' '.join(EXTENSIONS)}")
        if preview.exists() and any(preview.samefile(file) for pair in pairs for file in (pair.ir, pair.vis)):
            raise OutputError(f"{preview} would replace an input; choose another name")
    if images is not None:
        check_folder(images)
        if images.exists() and any(images.iterdir()):
            raise OutputError(f"{images}: the folder is not empty; give a new one")


def _load(pairs: "Sequence[Pair]", *, is_single: bool) -> tuple[list[_Loaded], list[tuple[str, str]]]:
    """Read pairs, and print what looks wrong with them.

    Returns:
        The pairs, and (name, reason) of each that cannot be read.

    Raises:
        ImageError, PairError: none can be read.
    """
    from irfuse.registration.registering import read_pair

    loaded: list[_Loaded] = []
    failures: list[tuple[str, ImageError | PairError]] = []
    warned: list[tuple[str, str]] = []
    for pair in pairs:
        with notices.collected() as warnings:
            try:
                loaded.append(_Loaded(pair, *read_pair(pair.ir, pair.vis)))
            except (ImageError, PairError) as error:
                failures.append((pair.name, error))
        warned += [notices.about("" if is_single else pair.name, warning) for warning in warnings]
    print_warnings(warned)
    if not loaded:
        raise failures[0][1]
    return loaded, [(name, str(error)) for name, error in failures]


def _by_points(points: Path, pair: _Loaded, model: TransformOption, force: bool) -> "Calibration":
    from irfuse.registration.points import calibrate, read
    from irfuse.registration.registering import trusted

    ir, vis = read(points)
    with naming(str(points), CalibrationError):
        found = calibrate(ir, vis, pair.ir.size, pair.vis.size, model)
    return trusted(found, force=force, advice=_CHECK_POINTS)


def _draw(pair: _Loaded, found: "Calibration", path: Path) -> None:
    from irfuse.io import images
    from irfuse.io.files import make_folder
    from irfuse.registration.preview import preview
    from irfuse.registration.registering import views

    make_folder(path.parent)
    images.write(path, preview(*views(pair.ir, pair.vis)[0], found))
    output.print(str(path), markup=False)


def _write_registered(
    pairs: "Sequence[Pair]",
    found: "Calibration",
    folder: Path,
    onto: OntoOption,
    crop: bool,
    *,
    warned: "Sequence[Pair]",
) -> list[tuple[str, str]]:
    """Write the registered images of all pairs.

    Args:
        pairs, found, folder, onto, crop: as the command takes them.
        warned: the pairs whose warnings have been printed.

    Returns:
        (name, reason) of each pair that cannot be read, or has other sizes.
    """
    from irfuse.io.files import make_folder
    from irfuse.registration.alignment import Alignment

    align = Alignment(found, onto, crop)
    for name in ("ir", "vis"):
        make_folder(folder / name)
    failures: list[tuple[str, str]] = []
    remarks: list[tuple[str, str]] = []
    with progress("writing", "pairs") as on_step:
        for done, pair in enumerate(pairs, 1):
            with notices.collected() as warnings:
                try:
                    _write_pair(pair, align, folder)
                except (ImageError, PairError) as error:
                    failures.append((pair.name, str(error)))
            remarks += [notices.about(pair.name, warning) for warning in warnings if pair not in warned]
            on_step(done, len(pairs), pair.name)
    print_warnings(remarks)
    return failures


def _write_pair(pair: "Pair", align: "Aligner", folder: Path) -> None:
    from irfuse.io import images
    from irfuse.registration.alignment import filled
    from irfuse.registration.registering import read_pair

    for name, aligned in zip(("ir", "vis"), align(*read_pair(pair.ir, pair.vis)), strict=True):
        image = filled(aligned)
        extension = ".tiff" if image.dtype == "float32" else ".png"
        images.write(folder / name / f"{pair.name}{extension}", image)


def _print(found: "Calibration", out: Path, count: int) -> None:
    import math

    facts = [f"covers {found.overlap:.0%} of the visible image"]
    if not math.isnan(found.support):
        facts.insert(0, f"support {found.support:.2f}")
    if not math.isnan(found.residual):
        facts.append(f"usual residual {found.residual:.1f} pixels of the visible image")
    if count > 1:
        facts.append(f"{count} pairs")
    errors.print(", ".join(facts), markup=False)
    output.print(str(out), markup=False)
