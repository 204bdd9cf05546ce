"""`irfuse fuse`."""

from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irfuse import notices
from irfuse.cli.console import errors, output, print_engine, print_report, print_unpaired, progress
from irfuse.cli.options import (
    AsPictureOption,
    ColorOption,
    DeviceOption,
    EngineOption,
    MethodOption,
    PercentilesOption,
    PrecisionOption,
    RangeOption,
    StretchOption,
    thermal,
)
from irfuse.errors import ImageError, OutputError, PairError, ParameterError, SuspiciousPairWarning
from irfuse.io.formats import EXTENSIONS, check_not_video, is_image
from irfuse.progress import Progress, silent

if TYPE_CHECKING:
    from irfuse.imaging.registration import Registration
    from irfuse.io.images import Array
    from irfuse.io.pairs import Pair, Pairing
    from irfuse.pipelines.folder import FusePair

Make = Callable[[Progress, Progress, int | None], "tuple[FusePair, str]"]
"""Makes the function that fuses a pair, and the description of its engine, which is printed and stored.

Its arguments are the callbacks for the fetching of weights and for the steps of an optimization, and the number of
pixels to fuse if it is known.
"""

_FEW_PAIRS = 2
_FIXED_BY_MODEL = ("method", "device", "engine", "precision")
"""The options that an exported model leaves no choice in."""


def fuse(
    context: typer.Context,
    ir: Annotated[Path, typer.Argument(help="An infrared image, a folder of them, a data set or a CSV manifest.")],
    vis: Annotated[Path | None, typer.Argument(help="The visible image or folder.", show_default=False)] = None,
    *,
    out: Annotated[Path, typer.Option("--output", "-o", help="The fused image, or the folder of fused images.")],
    method: MethodOption = "ember",
    model: Annotated[
        Path | None,
        typer.Option(help="A file that `irfuse export` wrote, instead of a method. It needs only ONNX Runtime."),
    ] = None,
    color: ColorOption = "auto",
    stretch: StretchOption = False,
    thermal_range: RangeOption = None,
    thermal_percentiles: PercentilesOption = (0.1, 99.9),
    as_picture: AsPictureOption = False,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
    precision: PrecisionOption = "auto",
    extension: Annotated[
        str, typer.Option("--format", help="The format of a folder's results: png, tiff, jpg, ...")
    ] = "png",
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip pairs whose result exists, unless another method or setting made it.")
    ] = False,
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
    pairing = None
    if vis is not None and not ir.is_dir() and not vis.is_dir():
        _check_files(ir, vis, out)
    else:
        pairing = _pairing(ir, vis)

    if model is not None:
        _check_model_options(context)
    scale = thermal(thermal_range, thermal_percentiles)
    maker = f"model: {model.name}" if model is not None else f"method: {method}"
    maker = ", ".join([maker, *_settings(color, stretch, context, thermal_range, thermal_percentiles, as_picture)])

    def make(on_fetch: Progress, on_iteration: Progress, pixels: int | None) -> "tuple[FusePair, str]":
        if model is not None:
            from irfuse.deploy.runtime import Model

            running = Model(model, color=color, stretch=stretch, thermal=scale)
            facts = running.metadata
            return running, f"onnx, {facts['precision']}: {facts['spec']} in {model.name}"
        from irfuse.fuser import Fuser

        fuser = Fuser(
            method,
            device=device,
            engine=engine,
            precision=precision,
            color=color,
            stretch=stretch,
            thermal=scale,
            pixels=pixels,
            on_fetch=on_fetch,
            on_iteration=on_iteration,
        )
        return fuser, str(fuser.choice)

    if pairing is not None:
        with progress("fetching", "MB", at_once=False) as on_fetch:
            fuse_pair, engine_used = make(on_fetch, silent, _pixels(pairing.pairs, as_picture))
        print_unpaired(pairing.unpaired)
        with progress("fusing", "pairs") as on_step:

            def tell(done: int, total: int | None, note: str) -> None:
                if done == 0:
                    print_engine(engine_used)
                on_step(done, total, note)

            watch = _Watch(fuse_pair)
            report = folder.run(
                pairing.pairs,
                out,
                watch,
                extension=ending,
                description=origin.describe(__version__, maker, engine_used),
                resume=resume,
                as_picture=as_picture,
                on_step=tell,
            )
        watch.warn()
        print_report(report, out)
    elif vis is not None:
        _fuse_pair(ir, vis, out, make, maker, resume, as_picture)


def _settings(
    color: str,
    stretch: bool,
    context: typer.Context,
    thermal_range: tuple[float, float] | None,
    thermal_percentiles: tuple[float, float],
    as_picture: bool,
) -> list[str]:
    """List the settings that change results and differ from their defaults."""
    found = [f"color: {color}"] * (color != "auto") + ["stretched"] * stretch + ["as picture"] * as_picture
    if thermal_range is not None:
        found.append(f"thermal range: {thermal_range[0]:g} {thermal_range[1]:g}")
    elif _is_given(context, "thermal_percentiles"):
        found.append(f"thermal percentiles: {thermal_percentiles[0]:g} {thermal_percentiles[1]:g}")
    return found


def _is_given(context: typer.Context, name: str) -> bool:
    """Tell whether the user gave an option."""
    # Compared by name: the class of a source is Typer's own or Click's, depending on Typer's version.
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


class _Watch:
    """A function that fuses a pair, and looks at the registration of the first pairs of a folder."""

    def __init__(self, fuse: "FusePair") -> None:
        self._fuse = fuse
        self._measured: list[Registration] = []

    def __call__(self, ir: "Array", vis: "Array") -> "Array":
        from irfuse.imaging import registration

        fused = self._fuse(ir, vis)
        if len(self._measured) < registration.WATCHED:
            found = registration.measure_images(ir, vis)
            self._measured += [] if found is None else [found]
        return fused

    def warn(self) -> None:
        """Warn if most of the pairs look unregistered."""
        from irfuse.imaging import registration

        doubt = registration.doubt(self._measured)
        if doubt:
            notices.warn(SuspiciousPairWarning(doubt))


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
    given = [name for name in _FIXED_BY_MODEL if _is_given(context, name)]
    if given:
        raise ParameterError(f"--model cannot be combined with {', '.join(f'--{name}' for name in given)}")


def _pairing(ir: Path, vis: Path | None) -> "Pairing":
    from irfuse.io import pairs

    if vis is None:
        if ir.is_file() and is_image(ir):
            raise PairError(f"{ir}: the visible image is missing: irfuse fuse IR VIS -o OUT")
        return pairs.find(ir)
    for path in (ir, vis):
        if not path.is_dir():
            found = "is a file; give two image files or two folders" if path.exists() else "no such file or folder"
            raise PairError(f"{path}: {found}")
    return pairs.match(ir, vis)


def _check_files(ir: Path, vis: Path, out: Path) -> None:
    """Check a single pair before its images are decoded and a method is loaded."""

    for path in (ir, vis):
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder")
    if out.exists() and any(out.samefile(path) for path in (ir, vis)):
        raise OutputError(f"{out} would replace an input; choose another name")
    if not is_image(out):
        raise OutputError(f"{out}: the name of the fused image must end in one of {' '.join(EXTENSIONS)}")


def _fuse_pair(ir: Path, vis: Path, out: Path, make: Make, maker: str, resume: bool, as_picture: bool) -> None:
    from irfuse import __version__
    from irfuse.io import images, origin
    from irfuse.io.files import make_folder
    from irfuse.pipelines import folder

    if resume:
        existing = folder.Existing.at(out, origin.describe(__version__, maker, ""))
        if existing.remark:
            errors.print(f"warning: {out}: {existing.remark}", style="yellow", markup=False)
        if existing.kept:
            output.print(f"skipped, since it exists: {out}", markup=False)
            return
    engine_used = ""

    def fuse_images(ir_image: "Array", vis_image: "Array") -> "Array":
        nonlocal engine_used
        with progress("fetching", "MB", at_once=False) as on_fetch:
            fuse_pair, engine_used = make(on_fetch, on_iteration, vis_image.shape[0] * vis_image.shape[1])
        return fuse_pair(ir_image, vis_image)

    with progress("optimizing", "steps", at_once=False) as on_iteration:
        fused, metadata = folder.fuse_files(ir, vis, fuse_images, as_picture=as_picture)
    make_folder(out.parent)
    images.write(out, fused, origin.describe(__version__, maker, engine_used), metadata)
    print_engine(engine_used)
    output.print(str(out), markup=False)
