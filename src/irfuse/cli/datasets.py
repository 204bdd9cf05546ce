"""`irfuse datasets`."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from irfuse.cli.console import errors, output, print_json, print_table, table
from irfuse.cli.options import JsonOption
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
    as_json: JsonOption = False,
) -> None:
    """List the named sets of images and pairs, where to get them, and what of them is in the folder IRFUSE_DATA.

    The exit status is 2 if --check finds a file that is missing or differs.
    """
    from irfuse.datasets import folder, select

    sets = select(names or [])
    if check:
        folder("irfuse datasets --check")
    if as_json:
        listed = [_as_json(image_set, check=check) for image_set in sets]
        print_json(listed)
        right = not any(entry.get("problem") for entry in listed)
    elif check:
        checks = [_print_check(image_set) for image_set in sets]
        right = all(checks)
    else:
        _print(sets)
        right = True
    if not right:
        raise typer.Exit(2)


def _as_json(image_set: "ImageSet", *, check: bool) -> dict[str, object]:
    """Describe a set. Only a check knows a problem, or that there is none."""
    facts = {key: getattr(image_set, key) for key in ("name", "title", "citation", "license")}
    counts = {"files": len(image_set.listed()), "found": _found(image_set)}
    checked = {"problem": _problem(image_set)} if check else {}
    return {**facts, **counts, "sources": image_set.sources(), **checked}


def _print(sets: "Sequence[ImageSet]") -> None:
    listed = table("set", "contents", "license", "files found")
    sources: dict[str, str] = {}
    for image_set in sets:
        found = f"{_found(image_set)} of {len(image_set.listed())}"
        listed.add_row(image_set.name, image_set.title, image_set.license, found)
        sources |= image_set.sources()
    places = table("folder in IRFUSE_DATA", "source")
    for folder, source in sorted(sources.items()):
        places.add_row(folder, source)
    print_table(listed)
    output.print()
    print_table(places)
    output.print()
    if "IRFUSE_DATA" in os.environ:
        output.print(f"IRFUSE_DATA is {os.environ['IRFUSE_DATA']}", markup=False)
    else:
        output.print("IRFUSE_DATA is not set: put these folders into one folder, and set IRFUSE_DATA to it.")


def _print_check(image_set: "ImageSet") -> bool:
    """Check a set, print the result, and tell whether all files are those of the list."""
    problem = _problem(image_set)
    if problem is None:
        output.print(f"{image_set.name}: {len(image_set.listed())} files: OK", markup=False)
    else:
        errors.print(problem, style="red", markup=False)
    return problem is None


def _found(image_set: "ImageSet") -> int:
    """Count the files that are there."""
    return image_set.found() if "IRFUSE_DATA" in os.environ else 0


def _problem(image_set: "ImageSet") -> str | None:
    """Name the first file that is missing or differs from the list; None if there is none."""
    try:
        image_set.files()
    except DatasetError as error:
        return str(error)
    return None
