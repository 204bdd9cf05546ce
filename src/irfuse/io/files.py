"""Files: atomic writes and content hashes."""

import hashlib
import os
import secrets
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from irfuse.errors import OutputError

_UNFINISHED = ".part"
_LONGEST = 200
"""The most bytes of a name to which something is added; most file systems allow 255 in all."""


@contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that becomes `path` when the block ends without an error, and is removed otherwise.

    A reader sees the old file or the new one, never a part, even after a crash.

    Raises:
        OutputError: the folder does not exist or cannot be written, or the block raises an `OSError`.
    """
    try:
        if path.is_symlink():
            # Not Path.resolve, which raises a RuntimeError for a link to itself.
            path = Path(os.path.realpath(path))
        if path.exists() and not path.is_file():
            raise OutputError(f"cannot write {path}: it exists and is not a regular file")
        with _temporary(path) as temporary:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Create an empty file beside `path`, and hold it until the block ends, so that no other process removes it."""
    while True:
        # Files of `tempfile` are private; this one gets the usual permissions.
        temporary = path.with_name(f".{_short(path.name)}.{secrets.token_hex(4)}{_UNFINISHED}")
        with temporary.open("xb") as file:
            try:
                _hold(file)
                # Another process may have removed the file before it was held.
                if temporary.exists():
                    yield temporary
                    return
            finally:
                temporary.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path`, completely or not at all; see :func:`open_atomic`.

    Raises:
        OutputError: the folder does not exist or cannot be written.
    """
    with open_atomic(path) as file:
        file.write(data)


def remove_unfinished(folder: Path, names: Collection[str]) -> None:
    """Remove the temporary files that killed processes left when they wrote files of these names.

    Those of running processes stay.
    """
    left = {_short(name) for name in names}
    for path in folder.glob(f".*{_UNFINISHED}"):
        if path.name.removeprefix(".").removesuffix(_UNFINISHED).rpartition(".")[0] in left:
            # A file that is gone, in use or somebody else's stays as it is.
            with suppress(OSError):
                _remove_unless_held(path)


def _short(name: str) -> str:
    """Return a name, or its hash if it is long, to which something can be added."""
    data = os.fsencode(name)
    return name if len(data) <= _LONGEST else hashlib.sha256(data).hexdigest()


if sys.platform == "win32":
    # Windows removes no open file, but renames none either.

    def _hold(file: BinaryIO) -> None:
        file.close()

    def _remove_unless_held(path: Path) -> None:
        path.unlink()

else:
    import fcntl

    def _hold(file: BinaryIO) -> None:
        # Some network file systems have no locks. Nothing is removed there either.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)

    def _remove_unless_held(path: Path) -> None:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def make_folder(path: Path) -> None:
    """Create the folder `path` and its parents unless it exists.

    Raises:
        OutputError: something else has that name, or the folder cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create the folder {path}: {error.strerror or error}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write into the folder {path}: permission denied")


def check_folder(path: Path) -> None:
    """Check, before long work, that :func:`make_folder` could create a folder, without creating it.

    Raises:
        OutputError: it could not.
    """
    there = path.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise OutputError(f"cannot create the folder {path}: {there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"cannot create the folder {path}: permission denied for {there}")


def user_cache(name: str) -> Path:
    """Name a folder of irfuse in the user's cache, or in the folder for temporary files if the user has no home."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    except RuntimeError:
        cache = Path(tempfile.gettempdir())
    return cache / "irfuse" / name


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
