"""Large images in tiles: pad to a size rule, compute tile by tile, and put the parts together.

All functions take NumPy arrays and tensors of (B, C, H, W).
"""

import sys
from collections.abc import Callable, Sequence

import numpy as np

from irfuse.imaging.arrays import T
from irfuse.imaging.sizes import Tile


def pad(image: T, below: int, right: int) -> T:
    """Continue an image below and to the right by its last row and column.

    >>> pad(np.zeros((1, 1, 3, 5)), 1, 3).shape
    (1, 1, 4, 8)
    """
    if not (below or right):
        return image
    if isinstance(image, np.ndarray):
        return np.pad(image, ((0, 0), (0, 0), (0, below), (0, right)), mode="edge")
    padded: T = sys.modules["torch"].nn.functional.pad(image, (0, right, 0, below), mode="replicate")
    return padded


def cut(tile: Tile, image: T) -> T:
    """Take the part of an image that a tile must see: its own and the halo."""
    return image[..., tile.outer_rows, tile.outer_columns]


def assemble(tiles: Sequence[Tile], ir: T, vis: T, compute: Callable[[T, T], T]) -> T:
    """Compute each tile from what it must see, and put the tiles' own parts together.

    Args:
        tiles: they cover the images once.
        ir, vis: (B, 1, H, W) and (B, C, H, W).
        compute: fuses such images of the size of a tile with its halo.

    Returns:
        (B, C, H, W).
    """
    fused = np.empty_like(vis) if isinstance(vis, np.ndarray) else vis.new_empty(vis.shape)
    for tile in tiles:
        part = compute(cut(tile, ir), cut(tile, vis))
        rows, columns = tile.core
        fused[..., tile.rows, tile.columns] = part[..., rows, columns]
    return fused
