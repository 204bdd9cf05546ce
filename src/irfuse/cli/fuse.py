"""`irfuse fuse`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irfuse import notices
from irfuse.cli import aligning, pairing
from irfuse.cli.console import errors, output, print_engine, print_report, print_unpaired, progress
from irfuse.cli.options import (
    AsPictureOption,
    BlendOption,
    CalibrationOption,
    ColorOption,
    CropOption,
    DeviceOption,
    EngineOption,
    ForceOption,
    FormatOption,
    HighlightOption,
    LegendOption,
    MethodOption,
    ModelOption,
    OntoOption,
    PaletteOption,
    PercentilesOption,
    PrecisionOption,
    RangeOption,
    RegisterOption,
    ResumeOption,
    StretchOption,
    TemperatureOption,
    is_given,
    thermal,
)
from irfuse.cli.overlay import UNUSED_BY_BLEND, Overlay, unused
from irfuse.errors import ImageError, OutputError, ParameterError
from irfuse.io.formats import EXTENSIONS, check_not_video, is_image
from irfuse.progress import Progress, silent

if TYPE_CHECKING:
    from irfuse.imaging.levels import Levels, Percentiles
    from irfuse.io.images import Array
    from irfuse.io.pairs import Pair
    from irfuse.pipelines.folder import AlignInfrared, FusePair

Make = Callable[[Progress, Progress, int | None], "tuple[FusePair, str]"]
"""Makes the function that fuses a pair, and the description of its engine, which is printed and stored.

Its arguments are the callbacks for the fetching of weights and for the steps of an optimization, and the number of
pixels to fuse if it is known.
"""

_FEW_PAIRS = 2
_TIFF = (".tif", ".tiff")
_FIXED_BY_MODEL = ("method", "device", "engine", "precision")
"""The options that an exported model leaves no choice in."""


def fuse(
    context: typer.Context,
    ir: Annotated[Path, typer.Argument(help="An infrared image, a folder of them, a data set or a CSV manifest.")],
    vis: Annotated[Path | None, typer.Argument(help="The visible image or folder.", show_default=False)] = None,
    *,
    out: Annotated[Path, typer.Option("--output", "-o", help="The fused image, or the folder of fused images.")],
    method: MethodOption = "ember",
    model: ModelOption = None,
    color: ColorOption = "auto",
    stretch: StretchOption = False,
    thermal_range: RangeOption = None,
    thermal_percentiles: PercentilesOption = (0.1, 99.9),
    highlight: HighlightOption = None,
    blend: BlendOption = False,
    palette: PaletteOption = None,
    legend: LegendOption = False,
    temperature: TemperatureOption = None,
    as_picture: AsPictureOption = False,
    calibration: CalibrationOption = None,
    register: RegisterOption = None,
    onto: OntoOption = "vis",
    crop: CropOption = False,
    force: ForceOption = False,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
    precision: PrecisionOption = "auto",
    extension: FormatOption = "png",
    resume: ResumeOption = False,
) -> None:
    """Fuse a pair of images, or all pairs of two folders, of a data set, or of a CSV manifest.

    A data set has two folders such as ir/ and vis/, or images such as x_ir.png and x_vis.png.

    The results of a folder have the names of the visible images. The exit status is 0 if all pairs were fused, 1 if
    some failed, and 2 if nothing could be done.
    """
    from irfuse import __version__
    from irfuse.io import origin
    from irfuse.pipelines import folder

    for path in filter(None, (ir, vis)):
        check_not_video(path)
    ending = f".{extension.lower().removeprefix('.')}"
    if ending not in EXTENSIONS:
        raise ImageError(f"format cannot be {extension!r}; choose one of {' '.join(EXTENSIONS)}")
    scale = thermal(thermal_range, thermal_percentiles)
    has_one = vis is None
    if vis is None and ir.is_file() and is_image(ir):
        vis = aligning.own_photograph(ir, as_picture, "irfuse fuse IR VIS -o OUT")
    many = None if pairing.are_files(ir, vis) else pairing.many(ir, vis, as_picture=as_picture)
    if has_one and calibration is None and pairing.are_own(ir, many):
        # The two cameras in one housing see a scene differently.
        register = "auto"
    align = aligning.aligner(calibration, register, onto, crop, force)
    overlay = Overlay.of(highlight, blend, palette, legend, scale, aligning.pairs(align))
    if many is None and vis is not None:
        _check_files(ir, vis, out, temperature)
    else:
        _check_folder_of_temperatures(temperature)

    given = [name for name in UNUSED_BY_BLEND if is_given(context, name)]
    if blend and given:
        _warn(unused(given))
    if model is not None:
        _check_model_options(context)
    maker = "blend" if blend else f"model: {model.name}" if model is not None else f"method: {method}"
    of_method = [] if blend else [f"color: {color}"] * (color != "auto") + ["stretched"] * stretch
    maker = ", ".join([maker, *of_method, *_settings(context, scale, as_picture), *overlay.settings()])
    maker = ", ".join([maker, *aligning.settings(calibration, register, onto, crop)])

    def make(on_fetch: Progress, on_iteration: Progress, pixels: int | None) -> "tuple[FusePair, str]":
        if blend:
            return overlay.blended, "none, since a blend needs no method"
        if model is not None:
            from irfuse.deploy.runtime import Model

            running = Model(model, color=color, stretch=stretch, thermal=scale, registration=align)
            facts = running.metadata
            return overlay.laid_over(running), f"onnx, {facts['precision']}: {facts['spec']} in {model.name}"
        from irfuse.fuser import Fuser

        fuser = Fuser(
            method,
            device=device,
            engine=engine,
            precision=precision,
            color=color,
            stretch=stretch,
            thermal=scale,
            registration=align,
            pixels=pixels,
            on_fetch=on_fetch,
            on_iteration=on_iteration,
        )
        return overlay.laid_over(fuser), str(fuser.choice)

    if many is not None:
        with progress("fetching", "MB", at_once=False) as on_fetch:
            fuse_pair, engine_used = make(on_fetch, silent, _pixels(many.pairs, as_picture))
        print_unpaired(many.unpaired)
        with progress("fusing", "pairs") as on_step:

            def tell(done: int, total: int | None, note: str) -> None:
                if done == 0:
                    print_engine(engine_used)
                on_step(done, total, note)

            watch = aligning.Watch(fuse_pair, is_looking=align is None)
            report = folder.run(
                many.pairs,
                out,
                watch,
                extension=ending,
                description=origin.describe(__version__, maker, engine_used),
                resume=resume,
                as_picture=as_picture,
                temperatures=temperature,
                align_ir=aligning.infrared(align),
                on_step=tell,
            )
        watch.warn()
        print_report(report, out)
    elif vis is not None:
        measured = None if temperature is None else Measured(temperature, aligning.infrared(align))
        _fuse_pair(ir, vis, out, measured, make, maker, resume=resume, as_picture=as_picture)


@dataclass(frozen=True)
class Measured:
    """The file of temperatures or counts beside a fused image.

    Attributes:
        path: the file.
        align: brings the infrared image of a pair to the field of view of the fused one.
    """

    path: Path
    align: "AlignInfrared"

    def write(self, ir: "Array", vis: "Array") -> None:
        from irfuse.io.files import make_folder
        from irfuse.pipelines import folder

        make_folder(self.path.parent)
        folder.write_temperatures(self.path, self.align(ir, vis))


def _settings(context: typer.Context, scale: "Levels | Percentiles", as_picture: bool) -> list[str]:
    """List the settings of the infrared image that change results and differ from their defaults."""
    from irfuse.imaging.levels import Levels

    found = ["as picture"] * as_picture
    if isinstance(scale, Levels):
        found.append(f"thermal range: {scale}")
    elif is_given(context, "thermal_percentiles"):
        found.append(f"thermal percentiles: {scale.low:g} {scale.high:g}")
    return found


def _pixels(pairs: "Sequence[Pair]", as_picture: bool) -> int | None:
    """Count the pixels of one or two pairs; None for more, or if an image cannot be read."""
    from irfuse.io import images

    if len(pairs) > _FEW_PAIRS:
        return None
    try:
        # The run reports errors and warnings.
        with notices.collected():
            shapes = [images.read(pair.vis, images.contents(as_picture)[1]).shape[:2] for pair in pairs]
    except ImageError:
        return None
    return sum(map(prod, shapes))


def _check_model_options(context: typer.Context) -> None:
    """Refuse options that an exported model leaves no choice in."""
    given = [name for name in _FIXED_BY_MODEL if is_given(context, name)]
    if given:
        raise ParameterError(f"--model cannot be combined with {', '.join(f'--{name}' for name in given)}")


def _check_files(ir: Path, vis: Path, out: Path, temperature: Path | None) -> None:
    """Check a single pair before its images are decoded and a method is loaded."""
    for path in (ir, vis):
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder")
    for target in filter(None, (out, temperature)):
        if target.exists() and any(target.samefile(path) for path in (ir, vis)):
            raise OutputError(f"{target} would replace an input; choose another name")
    if not is_image(out):
        raise OutputError(f"{out}: the name of the fused image must end in one of {' '.join(EXTENSIONS)}")
    if temperature is not None and temperature.suffix.lower() not in _TIFF:
        raise OutputError(f"{temperature}: the name of the file of temperatures must end in {' or '.join(_TIFF)}")
    if temperature is not None and temperature.absolute() == out.absolute():
        raise OutputError(f"{out} would be both the fused image and the temperatures; choose another name")


def _check_folder_of_temperatures(temperature: Path | None) -> None:
    """Refuse the name of a file, if many pairs are fused."""
    if temperature is not None and (is_image(temperature) or temperature.is_file()):
        raise OutputError(f"{temperature}: many pairs are fused, so --temperature needs the name of a folder")


def _fuse_pair(
    ir: Path,
    vis: Path,
    out: Path,
    measured: "Measured | None",
    make: Make,
    maker: str,
    *,
    resume: bool,
    as_picture: bool,
) -> None:
    from irfuse import __version__
    from irfuse.io import images, origin
    from irfuse.io.files import make_folder
    from irfuse.pipelines import folder

    if resume:
        existing = folder.Existing.at(out, origin.describe(__version__, maker, ""))
        if existing.remark:
            _warn(f"{out}: {existing.remark}")
        if existing.kept and (measured is None or measured.path.exists()):
            output.print(f"skipped, since it exists: {out}", markup=False)
            return
    engine_used = ""

    def fuse_images(ir_image: "Array", vis_image: "Array") -> "Array":
        nonlocal engine_used
        with progress("fetching", "MB", at_once=False) as on_fetch:
            fuse_pair, engine_used = make(on_fetch, on_iteration, vis_image.shape[0] * vis_image.shape[1])
        fused = fuse_pair(ir_image, vis_image)
        if measured is not None:
            measured.write(ir_image, vis_image)
        return fused

    with progress("optimizing", "steps", at_once=False) as on_iteration:
        fused, metadata = folder.fuse_files(ir, vis, fuse_images, as_picture=as_picture)
    make_folder(out.parent)
    images.write(out, fused, origin.describe(__version__, maker, engine_used), metadata)
    print_engine(engine_used)
    output.print(str(out), markup=False)


def _warn(line: str) -> None:
    errors.print(f"warning: {line}", style="yellow", markup=False)
