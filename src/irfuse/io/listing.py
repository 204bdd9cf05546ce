"""Listing: what folders contain, with links and folders that cannot be read."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from irfuse import notices
from irfuse.errors import DatasetWarning, PairError
from irfuse.io.formats import is_image, is_other_image


def entries(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted, without what is hidden.

    Raises:
        PairError: the folder cannot be read.
    """
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        for path in found[:1]:
            # A folder may be listed and yet closed.
            path.lstat()
    except OSError as error:
        raise PairError(f"{folder}: the folder cannot be read: {error.strerror or error}") from error
    return found


def kind(path: Path) -> Literal["folder", "file", "none"]:
    """Tell what a path is, or what a link leads to: nothing, if it is broken or leads into a closed folder."""
    try:
        return "folder" if stat.S_ISDIR(path.stat().st_mode) else "file"
    except OSError:
        return "none"


def subfolders(folder: Path) -> list[Path]:
    """Return the subfolders, without links to this folder and to those above it."""
    real = Path(os.path.realpath(folder))
    return [
        path
        for path in entries(folder)
        if kind(path) == "folder" and Path(os.path.realpath(path)) not in (real, *real.parents)
    ]


def images_below(folder: Path) -> Iterator[Path]:
    """Yield the names of the images in a folder and below it."""
    for _, _, names in os.walk(folder):
        yield from (path for path in map(Path, names) if is_image(path))


def images_by_stem(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by their names. A broken link is one of them, so that its pair is reported.

    Raises:
        PairError: two images have the same name, or the folder cannot be read.

    Warns:
        DatasetWarning: the folder holds images in other formats, or videos.
    """
    files: dict[str, Path] = {}
    found = entries(folder)
    others = [path for path in found if is_other_image(path) and kind(path) == "file"]
    if others:
        formats = " ".join(sorted({path.suffix.lower() for path in others}))
        notices.warn(
            DatasetWarning(
                f"{folder}: its files in {formats} are not read, such as {others[0].name}: convert images to PNG or "
                "TIFF, and write the frames of videos into folders"
            )
        )
    for path in found:
        if not is_image(path) or kind(path) == "folder":
            continue
        if path.stem in files:
            raise PairError(f"{folder}: {files[path.stem].name} and {path.name} have the same name; keep one of them")
        files[path.stem] = path
    return files
