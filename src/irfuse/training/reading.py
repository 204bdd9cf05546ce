"""Images of files as training sees them: luma or color in [0, 1]."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irfuse.errors import ImageError, PairError
from irfuse.imaging import color, levels
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.methods.base import Channels

Grey = NDArray[np.float32]


def read_grey(path: Path) -> Grey:
    """Read the luma of an image file, (H, W) in [0, 1].

    Raises:
        ImageError: the file cannot be read, or its values have no known range.
    """
    return _luma(_read_unit(path))


def read_pair(pair: Pair, channels: Channels) -> tuple[Grey, Grey]:
    """Read the images of a pair, (H, W) and (H, W, channels), in [0, 1].

    Infrared images of 16 bits are stretched, each by its own percentiles, as they are when they are fused.

    Raises:
        ImageError: a file cannot be read, or its values have no known range.
        PairError: the sizes differ.
    """
    grey, vis = _read_infrared(pair.ir), _read_unit(pair.vis)
    if channels == 1 or vis.ndim == 2 or vis.shape[2] < 3:
        vis = np.repeat(_luma(vis)[..., None], channels, axis=2)
    vis = vis[..., :channels]
    if grey.shape != vis.shape[:2]:
        (ir_height, ir_width), (height, width) = grey.shape, vis.shape[:2]
        raise PairError(
            f"{pair.name}: the sizes differ: infrared {ir_width}x{ir_height}, visible {width}x{height}; register the "
            "pairs first, so that both show the same scene pixel by pixel"
        )
    return grey, vis


def _read_infrared(path: Path) -> Grey:
    image = images.read(path)
    if image.dtype != np.uint16:
        return _luma(_to_unit(image, path))
    counts = _luma(image.astype(np.float32))
    return levels.DEFAULT_THERMAL.levels(counts).apply(counts)


def _read_unit(path: Path) -> Grey:
    return _to_unit(images.read(path), path)


def _to_unit(image: images.Array, path: Path) -> Grey:
    if image.dtype == np.float32 and not (image.min() >= 0 and image.max() <= 1):
        raise ImageError(f"{path}: floating-point values must lie in [0, 1]")
    return image.astype(np.float32) / np.float32(levels.full_scale(image.dtype.name, str(path)))


def _luma(image: Grey) -> Grey:
    if image.ndim == 2:
        return image
    return color.luma(*np.moveaxis(image[..., :3], 2, 0)) if image.shape[2] >= 3 else image[..., 0]
