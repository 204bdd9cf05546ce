"""`irfuse methods`."""

from typing import TYPE_CHECKING

from irfuse.cli.console import output, table

if TYPE_CHECKING:
    from irfuse.methods import Parameter


def methods() -> None:
    """List the fusion methods with their papers and parameters."""
    from irfuse.methods import available, parameters

    listed = table("method", "paper", "parameters (default first)")
    for method in available():
        info = method.info
        source = f"doi:{info.doi}" if info.doi else f"arXiv:{info.arxiv}" if info.arxiv else ""
        byline = ", ".join(filter(None, [info.authors, str(info.year or ""), source]))
        paper = "\n".join(filter(None, [info.title, byline]))
        listed.add_row(info.name, paper, "\n".join(map(_described, parameters(method).values())))
    output.print(listed, soft_wrap=False, markup=False)


def _described(parameter: "Parameter") -> str:
    others = [choice for choice in parameter.choices if choice != parameter.default]
    return f"{parameter.name}={'|'.join(map(str, [parameter.default, *others]))}"
