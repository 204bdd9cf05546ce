"""Files: atomic writes and content hashes."""

import hashlib
import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from irfuse.errors import OutputError

_UNFINISHED = ".part"


@contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that becomes `path` when the block ends without an error; else nothing is left of it.

    A reader, or a crash, sees the old file or the new one and nothing between.

    Raises:
        OutputError: the folder does not exist or cannot be written. So does any `OSError` of the block itself.
    """
    if path.is_symlink():
        path = path.resolve()
    if path.exists() and not path.is_file():
        raise OutputError(f"cannot write {path}: it is there and is no ordinary file")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_UNFINISHED}")
    try:
        # Not by `tempfile`, whose files are private: this one gets the permissions of an ordinary file.
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all, as :func:`open_atomic` does.

    Raises:
        OutputError: the folder does not exist or cannot be written.
    """
    with open_atomic(path) as file:
        file.write(data)


def remove_unfinished(folder: Path, names: Collection[str]) -> None:
    """Remove what killed processes left behind of their attempts to write files of these names."""
    for path in folder.glob(f".*{_UNFINISHED}"):
        if path.name.removeprefix(".").removesuffix(_UNFINISHED).rpartition(".")[0] in names:
            path.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Create the folder `path`, with its parents, unless it exists.

    Raises:
        OutputError: something else has that name, or its parent cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {path}: {error.strerror or error}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write into the folder {path}: permission denied")


def check_folder(path: Path) -> None:
    """Find out, before long work, whether :func:`make_folder` could make a folder, and make nothing yet.

    Raises:
        OutputError: it could not.
    """
    there = path.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise OutputError(f"cannot make the folder {path}: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"cannot make the folder {path}: permission denied for {there}")


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
