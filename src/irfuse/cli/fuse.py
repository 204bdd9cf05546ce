"""`irfuse fuse`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from irfuse import __version__
from irfuse.cli.console import errors, output, print_engine, print_report, printed_warnings, progress
from irfuse.cli.options import (
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
from irfuse.errors import ImageError, OutputError, PairError, ParameterError
from irfuse.io import images, pairs
from irfuse.io.files import make_folder
from irfuse.pipelines import folder
from irfuse.pipelines.folder import FusePair
from irfuse.progress import Progress, silent

Make = Callable[[Progress, Progress], tuple[FusePair, str]]
"""Makes what fuses a pair, when it is told whom to tell of fetched weights and of the steps of an optimisation.

With it comes what computes it, to be printed and stored.
"""

_OF_A_METHOD = ("method", "device", "engine", "precision")
"""What an exported file settles."""


def fuse(
    context: typer.Context,
    ir: Annotated[Path, typer.Argument(help="An infrared image, a folder of them, a data set or a CSV manifest.")],
    vis: Annotated[Path | None, typer.Argument(help="The visible image or folder.", show_default=False)] = None,
    *,
    out: Annotated[Path, typer.Option("--output", "-o", help="The fused image, or the folder of fused images.")],
    method: MethodOption = "res2netfuse",
    model: Annotated[
        Path | None,
        typer.Option(help="Instead of a method, a file that irfuse export made; it needs ONNX Runtime alone."),
    ] = None,
    color: ColorOption = "auto",
    stretch: StretchOption = False,
    thermal_range: RangeOption = None,
    thermal_percentiles: PercentilesOption = (0.1, 99.9),
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
    precision: PrecisionOption = "auto",
    extension: Annotated[
        str, typer.Option("--format", help="The ending of a folder's results: png, tiff, jpg, ...")
    ] = "png",
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip pairs whose result is there and can be read, whatever made it.")
    ] = False,
) -> None:
    """Fuse a pair of images, or all pairs of two folders, of a data set with ir/ and vis/, or of a CSV manifest.

    Results of a folder are named like the visible images. The exit status is 0 when all pairs were fused, 1
    when some failed, and 2 when nothing could be done.
    """
    ending = f".{extension.lower().removeprefix('.')}"
    if ending not in images.EXTENSIONS:
        raise ImageError(f"format cannot be {extension!r}; choose one of {' '.join(images.EXTENSIONS)}")
    pairing = None
    if vis is not None and not ir.is_dir() and not vis.is_dir():
        _check_files(ir, vis, out)
    else:
        pairing = _pairing(ir, vis)

    if model is not None:
        _check_alone(context)
    scale = thermal(thermal_range, thermal_percentiles)
    # To be stored in the results; of a file the engine's description says what it holds.
    origin = f"irfuse {__version__}" if model is not None else f"irfuse {__version__}, method: {method}"

    def make(on_fetch: Progress, on_iteration: Progress) -> tuple[FusePair, str]:
        if model is not None:
            from irfuse.deploy.runtime import Model

            running = Model(model, color=color, stretch=stretch, thermal=scale)
            said = running.metadata
            return running, f"onnx, {said['precision']}: {said['spec']} in {model.name}"
        from irfuse.fuser import Fuser

        fuser = Fuser(
            method,
            device=device,
            engine=engine,
            precision=precision,
            color=color,
            stretch=stretch,
            thermal=scale,
            on_fetch=on_fetch,
            on_iteration=on_iteration,
        )
        return fuser, str(fuser.choice)

    if pairing is not None:
        with progress("fetching", "MB", at_once=False) as on_fetch:
            fuse_pair, engine_used = make(on_fetch, silent)
        for path in pairing.alone:
            errors.print(f"no partner: {path}", style="yellow", markup=False)
        with progress("fusing", "pairs") as on_step:

            def tell(done: int, total: int, note: str) -> None:
                if done == 0:
                    print_engine(engine_used)
                on_step(done, total, note)

            report = folder.run(
                pairing.pairs,
                out,
                fuse_pair,
                extension=ending,
                description=f"{origin}, engine: {engine_used}",
                resume=resume,
                on_step=tell,
            )
        print_report(report, out)
    elif vis is not None:
        _fuse_pair(ir, vis, out, make, origin, resume)


def _check_alone(context: typer.Context) -> None:
    """Refuse options that an exported file settles."""
    # By its name: Typer brings along the class that tells where a value came from, or takes it from Click.
    sources = {name: context.get_parameter_source(name) for name in _OF_A_METHOD}
    given = [name for name, source in sources.items() if source is not None and source.name != "DEFAULT"]
    if given:
        raise ParameterError(f"--model says it all: leave out {', '.join(f'--{name}' for name in given)}")


def _pairing(ir: Path, vis: Path | None) -> pairs.Pairing:
    if vis is None:
        if ir.is_file() and images.is_image(ir):
            raise PairError(f"{ir}: the visible image is missing: irfuse fuse IR VIS -o OUT")
        return pairs.find(ir)
    for path in (ir, vis):
        if not path.is_dir():
            found = "is a file; give two image files or two folders" if path.exists() else "no such file or folder"
            raise PairError(f"{path}: {found}")
    return pairs.match(ir, vis)


def _check_files(ir: Path, vis: Path, out: Path) -> None:
    """What can be known of a single pair before it is decoded and a method loaded."""
    for path in (ir, vis):
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder")
    if out.exists() and any(out.samefile(path) for path in (ir, vis)):
        raise OutputError(f"{out} would replace an input; choose another name")
    if not images.is_image(out):
        raise OutputError(f"{out}: the name of the fused image must end in one of {' '.join(images.EXTENSIONS)}")


def _fuse_pair(ir: Path, vis: Path, out: Path, make: Make, origin: str, resume: bool) -> None:
    if resume and folder.is_whole(out):
        output.print(f"was there already: {out}", markup=False)
        return
    with printed_warnings(), progress("optimising", "steps", at_once=False) as on_iteration:
        with progress("fetching", "MB", at_once=False) as on_fetch:
            fuse_pair, engine_used = make(on_fetch, on_iteration)
        fused = folder.fuse_files(ir, vis, fuse_pair)
    make_folder(out.parent)
    images.write(out, fused, f"{origin}, engine: {engine_used}")
    print_engine(engine_used)
    output.print(str(out), markup=False)
