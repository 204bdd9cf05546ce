"""Training data: natural images, as batches of grey crops."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from irfuse import color, images, levels
from irfuse.errors import ImageError

Grey = NDArray[np.float32]


def read_grey(path: Path) -> Grey:
    """The luma of an image file, (H, W) in [0, 1].

    Raises:
        ImageError: the file cannot be read, or holds values that have no known range.
    """
    image = images.read(path)
    if image.dtype == np.float32 and not (image.min() >= 0 and image.max() <= 1):
        raise ImageError(f"{path}: floating-point values must lie in [0, 1]")
    image = image.astype(np.float32) / levels.full_scale(image.dtype.name, str(path))
    if image.ndim == 2:
        return image
    return color.luma(*np.moveaxis(image[..., :3], 2, 0)) if image.shape[2] >= 3 else image[..., 0]


def square(image: Grey, size: int) -> Grey:
    """The centre of an image scaled so that its shorter side is `size`, (size, size)."""
    image = _scale(image, size / min(image.shape))
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top : top + size, left : left + size]


def stretch(image: Grey) -> Grey:
    """An image whose darkest and brightest percent become black and white."""
    low, high = np.percentile(image, [1, 99])
    stretched: Grey = ((image - low) / max(float(high - low), 1 / 255)).clip(0, 1).astype(np.float32)
    return stretched


class SingleImage:
    """One image, the same in every step; with several sizes, one of them at random in each step.

    It is stretched to the whole range from black to white: levels that it lacks the network would never learn.

    Args:
        path: the image file.
        sizes: the sides of the squares that it is scaled to.
    """

    def __init__(self, path: Path, sizes: Sequence[int]) -> None:
        image = stretch(read_grey(path))
        self._squares = [torch.from_numpy(square(image, size).copy())[None, None] for size in sizes]

    def batch(self, generator: Generator) -> Tensor:
        """(1, 1, size, size) in [0, 1]."""
        return self._squares[int(torch.randint(len(self._squares), (), generator=generator))]


class RandomCrops:
    """Random crops of many images, read when they are needed; an image smaller than the crop is enlarged.

    Args:
        paths: the image files.
        size: the side of a crop.
        count: the crops of a batch.

    Raises:
        ImageError: a file cannot be read. All are read once at the start: better then than in the middle.
    """

    def __init__(self, paths: Sequence[Path], size: int, count: int) -> None:
        for path in paths:
            read_grey(path)
        self._paths, self._size, self._count = paths, size, count

    def batch(self, generator: Generator) -> Tensor:
        """(count, 1, size, size) in [0, 1]."""
        return torch.stack([self._crop(generator) for _ in range(self._count)])

    def _crop(self, generator: Generator) -> Tensor:
        image = read_grey(self._paths[_randint(len(self._paths), generator)])
        image = _scale(image, max(1.0, self._size / min(image.shape)))
        top, left = (_randint(side - self._size + 1, generator) for side in image.shape)
        return torch.from_numpy(image[top : top + self._size, left : left + self._size].copy())[None]


def _randint(end: int, generator: Generator) -> int:
    return int(torch.randint(end, (), generator=generator))


def _scale(image: Grey, factor: float) -> Grey:
    if factor == 1:
        return image
    height, width = (max(1, round(side * factor)) for side in image.shape)
    kernel = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=kernel).clip(0, 1)
