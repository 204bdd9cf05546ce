"""`irfuse fuse`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irfuse import images, pairs, pipeline
from irfuse.cli.console import errors, output, printed_warnings, progress
from irfuse.cli.options import (
    ColorOption,
    DeviceOption,
    MethodOption,
    PercentilesOption,
    RangeOption,
    StretchOption,
    thermal,
)
from irfuse.errors import ImageError, OutputError, PairError
from irfuse.files import make_folder

if TYPE_CHECKING:
    from irfuse.fuser import Fuser


def fuse(
    ir: Annotated[Path, typer.Argument(help="An infrared image, a folder of them, a data set or a CSV manifest.")],
    vis: Annotated[Path | None, typer.Argument(help="The visible image or folder.", show_default=False)] = None,
    *,
    out: Annotated[Path, typer.Option("--output", "-o", help="The fused image, or the folder of fused images.")],
    method: MethodOption = "res2netfuse",
    color: ColorOption = "auto",
    stretch: StretchOption = False,
    thermal_range: RangeOption = None,
    thermal_percentiles: PercentilesOption = (0.1, 99.9),
    device: DeviceOption = "auto",
    extension: Annotated[
        str, typer.Option("--format", help="The ending of a folder's results: png, tiff, jpg, ...")
    ] = "png",
    resume: Annotated[bool, typer.Option("--resume", help="Skip pairs whose result is there and can be read.")] = False,
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

    from irfuse.fuser import Fuser

    scale = thermal(thermal_range, thermal_percentiles)
    make = partial(Fuser, method, device=device, color=color, stretch=stretch, thermal=scale)
    if pairing is not None:
        with progress("fetching", "MB", at_once=False) as on_fetch:
            fuser = make(on_fetch=on_fetch)
        for path in pairing.alone:
            errors.print(f"no partner: {path}", style="yellow", markup=False)
        with progress("fusing", "pairs") as on_step:
            report = pipeline.run(pairing.pairs, out, fuser, extension=ending, resume=resume, on_step=on_step)
        print_report(report, out)
    elif vis is not None:
        _fuse_pair(ir, vis, out, make, resume)


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


def _fuse_pair(ir: Path, vis: Path, out: Path, make: "Callable[..., Fuser]", resume: bool) -> None:
    """Fuse one pair with the Fuser that `make` makes when it is told whom to report to."""
    from irfuse import api

    if resume and pipeline.is_whole(out):
        output.print(f"was there already: {out}", markup=False)
        return
    with printed_warnings(), progress("optimising", "steps", at_once=False) as on_iteration:
        with progress("fetching", "MB", at_once=False) as on_fetch:
            fuser = make(on_iteration=on_iteration, on_fetch=on_fetch)
        fused = api.fuse_files(ir, vis, fuser)
    make_folder(out.parent)
    images.write(out, fused)
    output.print(str(out), markup=False)


def print_report(report: pipeline.Report, out: Path) -> None:
    """Print what became of the pairs, and leave with status 1 if some failed."""
    for name, message in report.warnings:
        errors.print(f"warning: {name}: {message}", style="yellow", markup=False)
    for name, reason in report.failures:
        errors.print(f"failed: {name}: {reason}", style="red", markup=False)
    counts = [f"{len(report.fused)} fused"]
    counts += [f"{len(report.skipped)} were there already"] * bool(report.skipped)
    counts += [f"{len(report.failures)} failed"] * bool(report.failures)
    output.print(f"{', '.join(counts)}: {out}", markup=False)
    if report.failures:
        raise typer.Exit(1)
