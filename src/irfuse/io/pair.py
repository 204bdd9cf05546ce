"""A pair of files, and the pairs of a data set."""

from dataclasses import dataclass
from pathlib import Path

from irfuse.errors import PairError


@dataclass(frozen=True)
class Pair:
    """The two files of one scene.

    Attributes:
        name: the name of the results: a file name without its ending.
        ir, vis: the infrared and the visible image.

    Raises:
        PairError: the name is not a plain file name.
    """

    name: str
    ir: Path
    vis: Path

    def __post_init__(self) -> None:
        if self.name in ("", ".", "..") or Path(self.name).name != self.name:
            raise PairError(f"{self.name!r} is not a plain file name; the name of a pair must be one")


@dataclass(frozen=True)
class Pairing:
    """The pairs of a data set.

    Attributes:
        pairs: the pairs, in their order.
        unpaired: the image files without a partner, and the subfolders without one.
    """

    pairs: tuple[Pair, ...]
    unpaired: tuple[Path, ...] = ()
