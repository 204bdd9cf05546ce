"""The command `irfuse`: parse, call, print. One file a command."""

import io
import os
import sys
from typing import Annotated

import typer

from irfuse import __version__
from irfuse.cli.benchmark import benchmark
from irfuse.cli.console import errors
from irfuse.cli.demo import demo
from irfuse.cli.evaluate import evaluate
from irfuse.cli.export import export
from irfuse.cli.fuse import fuse
from irfuse.cli.info import info
from irfuse.cli.methods import methods
from irfuse.cli.metrics import metrics, protocols
from irfuse.cli.reproduce import reproduce
from irfuse.cli.train import train
from irfuse.cli.weights import weights
from irfuse.errors import IrfuseError, StoppedError

app = typer.Typer(
    name="irfuse",
    help="Fuse an infrared and a visible image of one scene into one image.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(fuse)
app.command()(evaluate)
app.command()(benchmark)
app.command()(reproduce)
app.command()(export)
app.command()(info)
app.command()(demo)
app.command()(methods)
app.command()(metrics)
app.command()(protocols)
app.add_typer(train, name="train")
app.add_typer(weights, name="weights")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Fuse an infrared and a visible image of one scene into one image."""


def main() -> None:
    """Run the command: exit status 0 when all went well, 1 when some pairs failed, 2 for bad input, 130 on Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Arrows, say, where the terminal knows only ASCII.
            stream.reconfigure(errors="replace")
    try:
        app()
    except IrfuseError as error:
        errors.print(
            f"irfuse: {' '.join(str(error).split())}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(130 if isinstance(error, StoppedError) else 2)
    except ModuleNotFoundError as error:
        extras = {"torch": "torch", "matplotlib": "train", "pandas": "bench", "scipy": "bench", "jinja2": "bench"}
        if error.name not in extras:
            raise
        extra = extras[error.name]
        runs_without = extra == "torch" and sys.argv[1:2] == ["fuse"]
        without = "; a file of irfuse export runs without: irfuse fuse --model FILE" if runs_without else ""
        errors.print(
            f'irfuse: {error.name} is not installed: pip install "irfuse\\[{extra}]"{without}',
            style="red",
            soft_wrap=True,
        )
        sys.exit(2)
    except BrokenPipeError:
        # The reader of our output has left; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        errors.print(f"irfuse: cannot write the output: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)
