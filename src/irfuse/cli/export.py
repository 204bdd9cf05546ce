"""`irfuse export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from irfuse.cli.console import output, progress
from irfuse.cli.options import METHOD_HELP
from irfuse.errors import OutputError


def export(
    method: Annotated[str, typer.Argument(metavar="SPEC", help=METHOD_HELP)],
    *,
    out: Annotated[Path, typer.Option("--output", "-o", help="The file. Its name must end in .onnx.")],
    precision: Annotated[
        Literal["fp32", "fp16"], typer.Option(help="The precision of the computation; fp16 is for GPUs.")
    ] = "fp32",
) -> None:
    """Write a method as an ONNX file for machines without PyTorch.

    The file is first compared with PyTorch on the sample pairs. `irfuse fuse --model FILE IR VIS -o OUT` runs it with
    ONNX Runtime.
    """
    if out.suffix != ".onnx":
        raise OutputError(f"{out}: the name of the file must end in .onnx")
    from irfuse.deploy.export import export as export_method
    from irfuse.io.files import check_folder

    check_folder(out.parent)
    with progress("fetching", "MB", at_once=False) as on_fetch:
        done = export_method(method, out, precision=precision, on_fetch=on_fetch)
    output.print(
        f"{done.path}: differs by at most {done.difference:.2g} from PyTorch in float32 on the sample pairs "
        f"({done.psnr:.1f} dB)",
        markup=False,
    )
