"""`irfuse datasets`."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from irfuse.cli.console import errors, output, table
from irfuse.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from irfuse.datasets import ImageSet


def datasets(
    names: Annotated[list[str] | None, typer.Argument(help="The sets.", show_default="all sets")] = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Compare the SHA-256 of each file with the list, which reads all files.")
    ] = False,
) -> None:
    """List the named sets of images and pairs, where to get them, and what of them is in the folder IRFUSE_DATA.

    The exit status is 2 if --check finds a file that is missing or differs.
    """
    from irfuse.datasets import folder, select

    sets = select(names or [])
    if check:
        folder("irfuse datasets --check")
        right = [_is_right(image_set) for image_set in sets]
        if not all(right):
            raise typer.Exit(2)
    else:
        _print(sets)


def _print(sets: "Sequence[ImageSet]") -> None:
    listed = table("set", "contents", "license", "files found")
    sources: dict[str, str] = {}
    for image_set in sets:
        listed.add_row(image_set.name, image_set.title, image_set.license, _found(image_set))
        sources |= image_set.sources()
    places = table("folder in IRFUSE_DATA", "source")
    for folder, source in sorted(sources.items()):
        places.add_row(folder, source)
    output.print(listed, soft_wrap=False, markup=False)
    output.print()
    output.print(places, soft_wrap=False, markup=False)
    output.print()
    if "IRFUSE_DATA" in os.environ:
        output.print(f"IRFUSE_DATA is {os.environ['IRFUSE_DATA']}", markup=False)
    else:
        output.print("IRFUSE_DATA is not set: put these folders into one folder, and set IRFUSE_DATA to it.")


def _found(image_set: "ImageSet") -> str:
    """Say how many of the files are there."""
    total = len(image_set.listed())
    return f"{image_set.found() if 'IRFUSE_DATA' in os.environ else 0} of {total}"


def _is_right(image_set: "ImageSet") -> bool:
    """Tell whether all files of a set are those of its list, and print the result."""
    try:
        files = image_set.files()
    except DatasetError as error:
        errors.print(str(error), style="red", markup=False)
        return False
    output.print(f"{image_set.name}: {len(files)} files: OK", markup=False)
    return True
