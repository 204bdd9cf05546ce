"""`irfuse methods`."""

from typing import TYPE_CHECKING

from irfuse.cli.console import print_json, print_table, table
from irfuse.cli.options import JsonOption

if TYPE_CHECKING:
    from irfuse.methods import Parameter
    from irfuse.methods.base import Method


def methods(as_json: JsonOption = False) -> None:
    """List the fusion methods with their papers and parameters."""
    from irfuse.methods import available, parameters

    if as_json:
        print_json([_as_json(method) for method in available()])
        return
    listed = table("method", "paper", "parameters (default first)")
    for method in available():
        info = method.info
        source = f"doi:{info.doi}" if info.doi else f"arXiv:{info.arxiv}" if info.arxiv else ""
        byline = ", ".join(filter(None, [info.authors, str(info.year or ""), source]))
        paper = "\n".join(filter(None, [info.title, byline]))
        listed.add_row(info.name, paper, "\n".join(map(_described, parameters(method).values())))
    print_table(listed)


def _as_json(method: "type[Method]") -> dict[str, object]:
    from irfuse.methods import parameters

    info = method.info
    known = {
        name: {"default": parameter.default, "choices": list(parameter.choices)}
        for name, parameter in parameters(method).items()
    }
    paper = {key: getattr(info, key) for key in ("title", "authors", "year", "doi", "arxiv")}
    return {"name": info.name, **paper, "parameters": known}


def _described(parameter: "Parameter") -> str:
    others = [choice for choice in parameter.choices if choice != parameter.default]
    return f"{parameter.name}={'|'.join(map(str, [parameter.default, *others]))}"
