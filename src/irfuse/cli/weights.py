"""`irfuse weights`."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from irfuse import weights as weight_files
from irfuse.cli.console import errors, output, progress
from irfuse.errors import ParameterError, WeightsError
from irfuse.weights import fetch as backbones

weights = typer.Typer(
    help="List, find, fetch and verify weights: those that ship with irfuse, and those of backbones.",
    no_args_is_help=True,
)


@weights.command("list")
def list_() -> None:
    """List the weights that ship, with method, name, size, licence and origin; and backbones, with where they are."""
    shipped = _table("for", "weights", "size", "licence", "SHA-256", "made by")
    for entry in weight_files.manifest():
        size = f"{entry.path.stat().st_size / 1e6:.2f} MB" if entry.path.is_file() else "missing"
        row = (entry.method, entry.versioned_name, size, entry.licence, entry.sha256[:16], entry.source)
        shipped.add_row(*row)
    output.print(shipped, soft_wrap=False)
    others = _table("backbone", "file", "licence", "where")
    for file in backbones.backbone_files():
        others.add_row(file.name, file.file, file.licence, _where(file))
    output.print()
    output.print(others, soft_wrap=False)


@weights.command()
def path(
    method: Annotated[str, typer.Argument(help="As `irfuse weights list` names what the weights are for.")],
    name: Annotated[
        str | None,
        typer.Argument(help="As `irfuse weights list` names it, with its version or without; a backbone needs none."),
    ] = None,
) -> None:
    """Print where a weights file lies."""
    known = list(dict.fromkeys(entry.name for entry in weight_files.manifest() if entry.method == method))
    if name is None and known:
        raise ParameterError(f"{method}: the weights' name is needed as well; known names: {', '.join(known)}")
    found = backbones.find(method).path if name is None else weight_files.find(method, name)
    output.print(str(found), markup=False)


@weights.command()
def verify() -> None:
    """Check every weights file on this machine against the manifest. The exit status is 2 if one is not right."""
    good = [_is_right(entry.file, partial(weight_files.verify, entry)) for entry in weight_files.manifest()]
    for name in dict.fromkeys(file.name for file in backbones.backbone_files()):
        good += [_is_right(str(found.path), partial(backbones.verify, found)) for found in backbones.places(name)]
    if not all(good):
        raise typer.Exit(2)


@weights.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A backbone: resnet50, resnet101 or resnet152.")],
    mirror: Annotated[
        str | None, typer.Option(help="The URL of a folder to fetch the file from, instead of its own.")
    ] = None,
) -> None:
    """Fetch a backbone's weights, unless they are here, and print where they lie.

    Methods do so by themselves when they first need them. On a machine without network, let IRFUSE_WEIGHTS name a
    folder with the file in it.
    """
    with progress("fetching", "MB") as on_step:
        found = backbones.fetch(name, base=mirror, on_step=on_step)
    output.print(str(found.path), markup=False)


def _is_right(name: str, verify: Callable[[], None]) -> bool:
    """Whether a file passes; what is wrong with it is printed."""
    try:
        verify()
    except WeightsError as error:
        errors.print(str(error), style="red", markup=False)
        return False
    output.print(f"{name}: as it should be", markup=False)
    return True


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _where(file: backbones.BackboneFile) -> str:
    paths = [str(found.path) for found in backbones.places(file.name) if found.file == file]
    if paths:
        return "\n".join(paths)
    return f"not here: irfuse weights fetch {file.name}" if file.url else f"not in the folder of {backbones.SUPPLIED}"
