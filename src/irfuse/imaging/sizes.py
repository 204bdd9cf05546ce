"""Sizes as integers: how far to pad an image, and how to cut it into tiles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from irfuse.errors import PairError, ParameterError


def padded(side: int, multiple: int, minimum: int) -> int:
    """Return the smallest size that is at least `side` and `minimum` and a multiple of `multiple`.

    >>> padded(33, 16, 1), padded(1, 1, 2), padded(32, 16, 1)
    (48, 2, 32)
    """
    return -(-max(side, minimum) // multiple) * multiple


def check_equal(
    first: Sequence[int], second: Sequence[int], roles: tuple[str, str] = ("infrared", "visible"), name: str = ""
) -> None:
    """Refuse two images of a pair that differ in height or width.

    Args:
        first, second: (height, width) of each.
        roles: what the error calls them.
        name: of the pair, for the error.

    Raises:
        PairError: the error gives both sizes and the way out.

    >>> check_equal((480, 640), (480, 640))
    """
    if tuple(first) != tuple(second):
        both = ", ".join(f"{role} {w}x{h}" for role, (h, w) in zip(roles, (first, second), strict=True))
        registered = "register the pair first (irfuse register), so that both show the same scene pixel by pixel"
        way_out = "score it beside the sources that it was made of" if "fused" in roles else registered
        raise PairError(f"{name + ': ' if name else ''}the sizes differ: {both}; {way_out}")


def check_tile(side: object) -> None:
    """Refuse a tile size that is not a number of pixels.

    Raises:
        ParameterError: it is not a whole number above 0.

    >>> check_tile(1024)
    """
    if not (isinstance(side, int) and side > 0):
        raise ParameterError(f"tile cannot be {side!r}; a number of pixels is needed")


@dataclass(frozen=True)
class Tile:
    """A part of an image, and the surroundings that its result depends on.

    Attributes:
        rows, columns: the rows and columns of the image that the tile gives the result for.
        outer_rows, outer_columns: those that it takes as input: its own and the halo's, within the image.
    """

    rows: slice
    columns: slice
    outer_rows: slice
    outer_columns: slice

    @property
    def core(self) -> tuple[slice, slice]:
        """The tile's own rows and columns, counted from the start of its outer ones."""
        return _shift(self.rows, self.outer_rows), _shift(self.columns, self.outer_columns)


def tiles(height: int, width: int, side: int, halo: int, multiple: int) -> Iterator[Tile]:
    """Cut an image into tiles of about equal size that cover it once.

    All edges lie on multiples of `multiple`, so that a method that works on a grid of that pitch sees the same grid in
    each tile. All outer parts have one size, since engines prepare themselves for a size.

    Args:
        height, width: of the image, multiples of `multiple`.
        side: the largest height and width of a tile without its halo.
        halo: its width in pixels, which is rounded up to a multiple.
        multiple: what tile edges must be a multiple of.
    """
    halo = padded(halo, multiple, 0)
    down, across = (_widened(_cut(length, side, multiple), halo, length) for length in (height, width))
    for (rows, outer_rows), (columns, outer_columns) in product(down, across):
        yield Tile(rows, columns, outer_rows, outer_columns)


def _cut(length: int, side: int, multiple: int) -> list[slice]:
    """Cut a length into the fewest equal parts of at most `side`, or of one multiple if that is larger."""
    units, units_per_part = length // multiple, max(1, side // multiple)
    parts = -(-units // units_per_part)
    edges = [units * i // parts * multiple for i in range(parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _widened(parts: Sequence[slice], halo: int, length: int) -> list[tuple[slice, slice]]:
    """Pair each part with its outer part: with the halo, within the image, and as long as the longest of them."""
    needed = [(max(0, part.start - halo), min(length, part.stop + halo)) for part in parts]
    longest = max(stop - start for start, stop in needed)
    starts = [min(start, length - longest) for start, _ in needed]
    return [(part, slice(start, start + longest)) for part, start in zip(parts, starts, strict=True)]


def _shift(part: slice, origin: slice) -> slice:
    return slice(part.start - origin.start, part.stop - origin.start)
