"""`irfuse register`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irfuse.cli.aligning import own_photograph
from irfuse.cli.console import errors, output, print_unpaired, progress
from irfuse.cli.options import CropOption, ForceOption, OntoOption, TransformOption
from irfuse.errors import OutputError, ParameterError

if TYPE_CHECKING:
    from irfuse.imaging.planes import Array, Planes
    from irfuse.io.pairs import Pair
    from irfuse.registration.calibration import Calibration

_MOST_PAIRS = 24
"""How many pairs of a folder are registered, spread over it."""


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

    The calibration is for `irfuse fuse --calibration`. The exit status is 2 if the result cannot be trusted.
    """
    from irfuse.io.files import check_folder
    from irfuse.registration import registering
    from irfuse.registration.calibration import read_calibration
    from irfuse.registration.points import calibrate
    from irfuse.registration.points import read as read_points

    if out.suffix.lower() != ".json":
        raise OutputError(f"{out}: the name of a calibration must end in .json")
    for path in filter(None, (out, preview)):
        check_folder(path.parent)
    given = [name for name, value in (("--points", points), ("--start", start), ("--fields", fields)) if value]
    if len(given) > 1:
        raise ParameterError(f"{given[0]} cannot be combined with {given[1]}")
    pairs = _pairs(ir, vis)
    if images is not None and images.exists() and any(images.iterdir()):
        raise OutputError(f"{images}: the folder is not empty; give a new one")
    chosen = pairs[:: -(-len(pairs) // _MOST_PAIRS)] if points is None else pairs[:1]
    loaded = [registering.read_pair(pair.ir, pair.vis) for pair in chosen]
    registering.check_one_rig(
        [
            (pair.name, one.values.shape[2:], other.values.shape[2:])
            for pair, (one, other) in zip(chosen, loaded, strict=True)
        ]
    )
    if points is not None:
        sizes = [planes.values.shape[2:] for planes in loaded[0]]
        found = calibrate(*read_points(points), (sizes[0][0], sizes[0][1]), (sizes[1][0], sizes[1][1]), model)
    else:
        with progress("registering", "pairs", at_once=len(loaded) > 1) as on_step:
            found = registering.register_planes(
                loaded,
                model=model,
                start=None if start is None else read_calibration(start),
                field=None if fields is None else registering.field_of(*fields),
                force=force,
                on_step=on_step,
            )
    found.write(out)
    if preview is not None:
        _draw(loaded[0], found, preview)
    if images is not None:
        _write_registered(pairs, found, images, onto, crop)
    _print(found, out, len(loaded))


def _pairs(ir: Path, vis: Path | None) -> "Sequence[Pair]":
    from irfuse.io import pairs
    from irfuse.io.formats import is_image
    from irfuse.io.pair import Pair

    if vis is None:
        if ir.is_file() and is_image(ir):
            return [Pair(ir.stem, ir, own_photograph(ir, False, "irfuse register IR VIS -o rig.json"))]
        pairing = pairs.find(ir)
    elif ir.is_dir() or vis.is_dir():
        pairing = pairs.match(ir, vis)
    else:
        return [Pair(vis.stem, ir, vis)]
    print_unpaired(pairing.unpaired)
    return pairing.pairs


def _draw(pair: "tuple[Planes[Array], Planes[Array]]", found: "Calibration", path: Path) -> None:
    from irfuse.io import images
    from irfuse.registration.preview import preview
    from irfuse.registration.registering import views

    images.write(path, preview(*views(*pair)[0], found))
    output.print(str(path), markup=False)


def _write_registered(
    pairs: "Sequence[Pair]", found: "Calibration", folder: Path, onto: OntoOption, crop: bool
) -> None:
    from irfuse.io import images
    from irfuse.io.files import make_folder
    from irfuse.registration.alignment import Alignment, filled
    from irfuse.registration.registering import read_pair

    align = Alignment(found, onto, crop)
    for name in ("ir", "vis"):
        make_folder(folder / name)
    with progress("writing", "pairs") as on_step:
        for done, pair in enumerate(pairs, 1):
            for name, aligned in zip(("ir", "vis"), align(*read_pair(pair.ir, pair.vis)), strict=True):
                image = filled(aligned)
                extension = ".tiff" if image.dtype == "float32" else ".png"
                images.write(folder / name / f"{pair.name}{extension}", image)
            on_step(done, len(pairs), pair.name)


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
