"""`irfuse methods`."""

import inspect
from typing import Any, Literal, get_args, get_origin

from rich.table import Table

from irfuse.cli.console import output


def methods() -> None:
    """List the fusion methods, with their papers and parameters."""
    from irfuse.methods import METHODS, parameters

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("method", "paper", "parameters (default first)"):
        table.add_column(column, overflow="fold")
    for method in METHODS:
        info = method.info
        source = f"doi:{info.doi}" if info.doi else f"arXiv:{info.arxiv}" if info.arxiv else ""
        byline = ", ".join(filter(None, [info.authors, str(info.year or ""), source]))
        defaults = inspect.signature(method.__init__).parameters
        choices = [f"{name}={_choices(kind, defaults[name].default)}" for name, kind in parameters(method).items()]
        table.add_row(info.name, "\n".join(filter(None, [info.title, byline])), "\n".join(choices))
    output.print(table, soft_wrap=False)


def _choices(kind: Any, default: object) -> str:
    others = [choice for choice in get_args(kind) if choice != default] if get_origin(kind) is Literal else []
    return "|".join(map(str, [default, *others]))
