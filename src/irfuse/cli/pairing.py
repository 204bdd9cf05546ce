"""Which pairs of files the arguments of a command name."""

from pathlib import Path
from typing import TYPE_CHECKING

from irfuse.errors import PairError

if TYPE_CHECKING:
    from irfuse.io.pairs import Pairing


def are_files(ir: Path, vis: Path | None) -> bool:
    """Tell whether the arguments name a single pair."""
    return vis is not None and not ir.is_dir() and not vis.is_dir()


def many(ir: Path, vis: Path | None, *, as_picture: bool = False) -> "Pairing":
    """Find the pairs of two folders, or of a data set, a list, or a folder of radiometric files with photographs.

    Args:
        ir, vis: as the command takes them.
        as_picture: whether the pictures of radiometric files are wanted, so that their photographs are not.

    Raises:
        PairError: there are none, or only one argument is a folder.
    """
    from irfuse.io import pairs

    if vis is None:
        try:
            return pairs.find(ir)
        except PairError:
            own = _own(ir, as_picture)
            if own is None:
                raise
            return own
    for path in (ir, vis):
        if not path.is_dir():
            found = "is a file; give two image files or two folders" if path.exists() else "no such file or folder"
            raise PairError(f"{path}: {found}")
    return pairs.match(ir, vis)


def are_own(ir: Path, found: "Pairing | None") -> bool:
    """Tell whether a radiometric file, or each one of a folder, is both images of its pair.

    Args:
        ir: the only argument of the command.
        found: the pairs of a folder; None for a single file.
    """
    return found is None or (ir.is_dir() and all(pair.ir == pair.vis for pair in found.pairs))


def _own(folder: Path, as_picture: bool) -> "Pairing | None":
    """Find the radiometric files of a folder, each of which is a pair; None if there are none."""
    from irfuse.io.thermal import reading

    found = None if as_picture or not folder.is_dir() else reading.own_pairs(folder)
    return found if found is not None and found.pairs else None
