"""Which pairs of files the arguments of a command name."""

from pathlib import Path
from typing import TYPE_CHECKING

from irfuse.errors import PairError

if TYPE_CHECKING:
    from irfuse.io.pairs import Pairing


def are_files(ir: Path, vis: Path | None) -> bool:
    """Tell whether the arguments name a single pair."""
    return vis is not None and not ir.is_dir() and not vis.is_dir()


def many(ir: Path, vis: Path | None) -> "Pairing":
    """Find the pairs of two folders, or of a data set or a list.

    Raises:
        PairError: there are none, or only one argument is a folder.
    """
    from irfuse.io import pairs

    if vis is None:
        return pairs.find(ir)
    for path in (ir, vis):
        if not path.is_dir():
            found = "is a file; give two image files or two folders" if path.exists() else "no such file or folder"
            raise PairError(f"{path}: {found}")
    return pairs.match(ir, vis)
