"""`irfuse weights`."""

from typing import Annotated

import typer
from rich.table import Table

from irfuse import weights as weight_files
from irfuse.cli.console import output

weights = typer.Typer(help="List, find and verify the weights that ship with irfuse.", no_args_is_help=True)


@weights.command("list")
def list_() -> None:
    """List the weights: method, name, size, licence, origin."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("method", "weights", "size", "licence", "SHA-256", "made by"):
        table.add_column(column, overflow="fold")
    for entry in weight_files.manifest():
        size = f"{entry.path.stat().st_size / 1e6:.2f} MB" if entry.path.is_file() else "missing"
        row = (entry.method, entry.versioned_name, size, entry.licence, entry.sha256[:16], entry.source)
        table.add_row(*row)
    output.print(table, soft_wrap=False)


@weights.command()
def path(
    method: Annotated[str, typer.Argument(help="As `irfuse methods` names it.")],
    name: Annotated[str, typer.Argument(help="As `irfuse weights list` names it, with its version or without.")],
) -> None:
    """Print where a weights file lies."""
    output.print(str(weight_files.find(method, name)), markup=False)


@weights.command()
def verify() -> None:
    """Check every weights file against the manifest."""
    for entry in weight_files.manifest():
        weight_files.verify(entry)
        output.print(f"{entry.file}: as it should be", markup=False)
