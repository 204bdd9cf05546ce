"""`irfuse weights`."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from irfuse.cli.console import errors, output, print_json, print_table, progress, table
from irfuse.cli.options import JsonOption
from irfuse.errors import ParameterError, WeightsError

if TYPE_CHECKING:
    from irfuse.weights.fetch import BackboneFile

weights = typer.Typer(
    help="List, find, fetch and verify weights: those that ship with irfuse, and those of backbones.",
    short_help="List, find, fetch and verify weights.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@weights.command("list", short_help="List the weights that ship, and those of backbones.")
def list_(as_json: JsonOption = False) -> None:
    """List the weights that ship with irfuse, and the weights of backbones."""
    from irfuse.weights import manifest
    from irfuse.weights.fetch import backbone_files, places

    if as_json:
        print_json(
            {
                "weights": [{**asdict(shipped), "path": str(shipped.path)} for shipped in manifest()],
                "backbones": [
                    {**asdict(file), "paths": [str(found.path) for found in places(file.name) if found.file == file]}
                    for file in backbone_files()
                ],
            }
        )
        return
    listed = table("for", "weights", "size", "license", "SHA-256", "made by")
    for shipped in manifest():
        size = f"{shipped.path.stat().st_size / 1e6:.2f} MB" if shipped.path.is_file() else "missing"
        listed.add_row(
            shipped.method, shipped.versioned_name, size, shipped.license, shipped.sha256[:16], shipped.source
        )
    print_table(listed)
    others = table("backbone", "file", "license", "location")
    for file in backbone_files():
        others.add_row(file.name, file.file, file.license, _location(file))
    output.print()
    print_table(others)


@weights.command()
def path(
    method: Annotated[str, typer.Argument(help="What the weights are for, as `irfuse weights list` names it.")],
    name: Annotated[
        str | None,
        typer.Argument(help="The name of the weights, with or without the version. A backbone needs none."),
    ] = None,
) -> None:
    """Print the path of a weights file."""
    from irfuse.weights import fetch, find, manifest

    known = list(dict.fromkeys(shipped.name for shipped in manifest() if shipped.method == method))
    if name is None and known:
        raise ParameterError(f"{method}: the name of the weights is missing; known names: {', '.join(known)}")
    found = fetch.find(method).path if name is None else find(method, name)
    output.print(str(found), markup=False)


@weights.command(short_help="Check every weights file against the manifest.")
def verify() -> None:
    """Check every weights file on this machine against the manifest. The exit status is 2 if one is wrong."""
    from irfuse import weights as weight_files
    from irfuse.weights import fetch

    good = [_is_right(shipped.file, partial(weight_files.verify, shipped)) for shipped in weight_files.manifest()]
    for name in dict.fromkeys(file.name for file in fetch.backbone_files()):
        good += [_is_right(str(found.path), partial(fetch.verify, found)) for found in fetch.places(name)]
    if not all(good):
        raise typer.Exit(2)


@weights.command(short_help="Fetch the weights of a backbone.")
def fetch(
    name: Annotated[str, typer.Argument(help="A backbone: resnet50, resnet101 or resnet152.")],
    mirror: Annotated[
        str | None, typer.Option(help="The URL of a folder to fetch the file from, instead of the original URL.")
    ] = None,
) -> None:
    """Fetch the weights of a backbone unless they are on this machine, and print their path.

    Methods fetch the weights that they need when they are first used. On a machine without a network, put the file into
    a folder, and set IRFUSE_WEIGHTS to this folder.
    """
    from irfuse.weights import fetch as backbones

    with progress("fetching", "MB") as on_step:
        found = backbones.fetch(name, base=mirror, on_step=on_step)
    output.print(str(found.path), markup=False)


def _is_right(name: str, verify: Callable[[], None]) -> bool:
    """Tell whether a file passes its check, and print the result."""
    try:
        verify()
    except WeightsError as error:
        errors.print(str(error), style="red", markup=False)
        return False
    output.print(f"{name}: OK", markup=False)
    return True


def _location(file: "BackboneFile") -> str:
    from irfuse.weights import fetch

    paths = [str(found.path) for found in fetch.places(file.name) if found.file == file]
    if paths:
        return "\n".join(paths)
    missing = f"irfuse weights fetch {file.name}" if file.url else f"supply it by {fetch.SUPPLIED}"
    return f"not on this machine: {missing}"
