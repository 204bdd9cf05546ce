"""The list of commands, and how each ends: its status, and its errors in one line."""

import io
import os
import sys
from typing import Annotated

import typer

from irfuse.cli.benchmark import benchmark
from irfuse.cli.console import errors, printed_warnings
from irfuse.cli.datasets import datasets
from irfuse.cli.demo import demo
from irfuse.cli.evaluate import evaluate
from irfuse.cli.export import export
from irfuse.cli.fuse import fuse
from irfuse.cli.info import info
from irfuse.cli.methods import methods
from irfuse.cli.metrics import metrics, protocols
from irfuse.cli.once import OnceCommand
from irfuse.cli.register import register
from irfuse.cli.reproduce import reproduce
from irfuse.cli.thermal import thermal
from irfuse.cli.train import train
from irfuse.cli.weights import weights
from irfuse.errors import IrfuseError, StoppedError, is_out_of_memory, reason
from irfuse.installation import install

_EXTRAS = {"torch": "torch", "matplotlib": "train", "pandas": "bench", "scipy": "bench", "jinja2": "bench"}
"""The extra that brings a package along."""

app = typer.Typer(
    name="irfuse",
    help="Fuse an infrared and a visible image of one scene into one image.",
    no_args_is_help=True,
    # Rich's tables cut the names of options and long words of their help at 80 columns.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command(cls=OnceCommand, short_help="Fuse a pair of images, or all pairs of folders.")(fuse)
app.command(cls=OnceCommand, short_help="Find how two cameras see one scene.")(register)
app.command(cls=OnceCommand, short_help="Score fused images against their sources.")(evaluate)
app.command(cls=OnceCommand, short_help="Compare methods on many pairs, and write a report.")(benchmark)
app.command(cls=OnceCommand, short_help="Run the tables of a method's paper again.")(reproduce)
app.command(cls=OnceCommand, short_help="Write a method as an ONNX file.")(export)
app.command(cls=OnceCommand, short_help="Show the device, the engines, and which computes a method.")(info)
app.command(cls=OnceCommand, short_help="Fuse the sample pairs, and show them as one picture.")(demo)
app.command(cls=OnceCommand, short_help="List the fusion methods with their parameters.")(methods)
app.command(cls=OnceCommand, short_help="List the metrics and the protocols that define them.")(metrics)
app.command(cls=OnceCommand, short_help="List the protocols, or show one.")(protocols)
app.command(cls=OnceCommand, short_help="List the named sets, and what of them is here.")(datasets)
app.add_typer(thermal, name="thermal")
app.add_typer(train, name="train")
app.add_typer(weights, name="weights")


def _print_version(wanted: bool) -> None:
    if wanted:
        from irfuse import __version__

        typer.echo(__version__)
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Fuse an infrared and a visible image of one scene into one image."""


def run() -> int:
    """Run the command that the arguments of the process name, and return its exit status.

    The parser itself exits by a SystemExit.
    """
    # The process is the command's own: here float32 must not become TF32 on a GPU.
    os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Some terminals cannot show characters such as arrows.
            stream.reconfigure(errors="replace")
    try:
        with printed_warnings():
            app()
    except IrfuseError as error:
        _print_error(reason(error))
        return 130 if isinstance(error, StoppedError) else 2
    except BrokenPipeError:
        # The reader of the output has left. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        message = _explained(error)
        if message is None:
            raise
        _print_error(message)
        return 2
    return 0


def _explained(error: Exception) -> str | None:
    """Explain an error of the machine in one line; None for an error of irfuse itself."""
    if is_out_of_memory(error):
        return reason(error)
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if package in _EXTRAS:
        extra = _EXTRAS[package]
        runs_without = extra == "torch" and sys.argv[1:2] == ["fuse"]
        without = "; to fuse without it, use an exported model: irfuse fuse --model FILE" if runs_without else ""
        return f"{package} is not installed: {install(extra)}{without}"
    if isinstance(error, OSError):
        return f"cannot write the output: {error}"
    return None


def _print_error(message: str) -> None:
    errors.print(f"irfuse: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
