"""Sizes, in integers alone: how far to pad an image, and how to cut it into tiles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from irfuse.errors import PairError, ParameterError


def padded(side: int, multiple: int, minimum: int) -> int:
    """The smallest size from `side` on that is at least `minimum` and a multiple of `multiple`.

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
        registered = "register the pair first, so that both show the same scene pixel by pixel"
        way_out = "score it beside the sources that it was made of" if "fused" in roles else registered
        raise PairError(f"{name + ': ' if name else ''}the sizes differ: {both}; {way_out}")


def check_tile(side: object) -> None:
    """Refuse a side of tiles that is no number of pixels.

    Raises:
        ParameterError: it is not whole, or not above 0.

    >>> check_tile(1024)
    """
    if not (isinstance(side, int) and side > 0):
        raise ParameterError(f"tile cannot be {side!r}; a number of pixels is needed")


@dataclass(frozen=True)
class Tile:
    """A part of an image, and what must be seen around it.

    Attributes:
        rows, columns: of the image, that the tile gives the result for.
        outer_rows, outer_columns: of the image, that it takes: its own and the halo's, as far as the image goes.
    """

    rows: slice
    columns: slice
    outer_rows: slice
    outer_columns: slice

    @property
    def core(self) -> tuple[slice, slice]:
        """The tile's own rows and columns, counted inside its outer ones."""
        return _shift(self.rows, self.outer_rows), _shift(self.columns, self.outer_columns)


def tiles(height: int, width: int, side: int, halo: int, multiple: int) -> Iterator[Tile]:
    """Cut an image into tiles of about equal size that cover it once; their outer parts are all of one size.

    All edges, those of the outer parts included, fall on multiples of `multiple`, which must divide `height` and
    `width`: then a method that works on a grid of that pitch sees the same grid in each tile. Of one size they are
    because engines prepare themselves for a size.

    Args:
        side: the largest height and width of a tile, without its halo.
        halo: in pixels, rounded up to a multiple.
    """
    halo = padded(halo, multiple, 0)
    down, across = (_widened(_cut(length, side, multiple), halo, length) for length in (height, width))
    for (rows, outer_rows), (columns, outer_columns) in product(down, across):
        yield Tile(rows, columns, outer_rows, outer_columns)


def _cut(length: int, side: int, multiple: int) -> list[slice]:
    """The fewest equal parts of at most `side` (one multiple, if that is larger), in whole multiples."""
    units, units_per_part = length // multiple, max(1, side // multiple)
    parts = -(-units // units_per_part)
    edges = [units * i // parts * multiple for i in range(parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _widened(parts: Sequence[slice], halo: int, length: int) -> list[tuple[slice, slice]]:
    """Each part and its outer one: with the halo, as far as the image goes, and as long as the longest of them."""
    needed = [(max(0, part.start - halo), min(length, part.stop + halo)) for part in parts]
    longest = max(stop - start for start, stop in needed)
    starts = [min(start, length - longest) for start, _ in needed]
    return [(part, slice(start, start + longest)) for part, start in zip(parts, starts, strict=True)]


def _shift(part: slice, origin: slice) -> slice:
    return slice(part.start - origin.start, part.stop - origin.start)
