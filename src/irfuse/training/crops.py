"""Random crops of natural images, and of pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np
import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from irfuse.imaging.color import gray
from irfuse.io.pairs import Pair
from irfuse.methods.base import Channels
from irfuse.training.reading import Gray, read_gray, read_pair

PairTensors = tuple[Tensor, Tensor]
"""Infrared and visible, (1, H, W) and (C, H, W)."""
Decoded = TypeVar("Decoded", bound=tuple[Gray, ...])
Draw = Callable[[int], int]
"""Draws a whole number from 0 to below the given one."""

_REMEMBERED_BYTES = 1 << 30
_LEAST_BLUR = 0.2


def tensors(ir: Gray, vis: Gray) -> PairTensors:
    """Turn (H, W) and (H, W, C) into tensors of (1, H, W) and (C, H, W)."""
    return torch.from_numpy(ir.copy())[None], torch.from_numpy(np.moveaxis(vis, 2, 0).copy())


def square(image: Gray, size: int) -> Gray:
    """Scale an image until its shorter side is `size`, and cut out its center, (size, size)."""
    image = scale(image, size / min(image.shape))
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top : top + size, left : left + size]


def stretch(image: Gray) -> Gray:
    """Make the darkest percent of an image black and the brightest percent white."""
    low, high = np.percentile(image, [1, 99])
    stretched: Gray = ((image - low) / max(float(high - low), 1 / 255)).clip(0, 1).astype(np.float32)
    return stretched


class SingleImage:
    """One image, the same in every step. If there are several sizes, each step draws one of them.

    The image is stretched to the whole range from black to white: a network never learns levels that it does not see.

    Args:
        path: the image file.
        sizes: the sides of the squares that the image is scaled to.
    """

    def __init__(self, path: Path, sizes: Sequence[int]) -> None:
        image = stretch(read_gray(path))
        self._squares = [torch.from_numpy(square(image, size).copy())[None, None] for size in sizes]

    def batch(self, generator: Generator) -> Tensor:
        """Draw a batch of one, (1, 1, size, size) in [0, 1]."""
        return self._squares[_drawn_from(generator)(len(self._squares))]


@dataclass(frozen=True)
class Augmentation:
    """What happens to crops at random, besides the mirroring of half of them.

    Attributes:
        share: the share of the images that are blurred, and of those that get noise.
        blur: the largest standard deviation of the Gaussian blur, in pixels.
        noise: the largest standard deviation of the noise; 1 is the image's full range.
        alike: the share of the crops that have one image, infrared or visible, as both sources, so that a network
            learns to keep what both agree on.
    """

    share: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    alike: float = 0.0


class ImageCache(Generic[Decoded]):
    """Decoded images. It remembers up to a gibibyte of them, and reads the others again each time.

    Args:
        read: reads the images of a number.
    """

    def __init__(self, read: Callable[[int], Decoded]) -> None:
        self._read = read
        self._remembered: dict[int, Decoded] = {}
        self._bytes = 0

    def __getitem__(self, number: int) -> Decoded:
        if number in self._remembered:
            return self._remembered[number]
        decoded = self._read(number)
        self._bytes += sum(image.nbytes for image in decoded)
        if self._bytes < _REMEMBERED_BYTES:
            self._remembered[number] = decoded
        return decoded


class ImageCrops(Dataset[tuple[Tensor, ...]]):
    """Random crops of the luma of images. An image smaller than the crop is enlarged.

    There are two ways to draw them. By number (``crops[k]``), crop k depends on the seed and k only, so that worker
    processes and resumption change nothing; half of these crops are mirrored. In sequence (:meth:`batch`), each crop
    depends on the state of a generator, and none is mirrored.

    Args:
        paths: the image files.
        size: the side of a crop.
        seed: the seed of the numbered crops.
    """

    def __init__(self, paths: Sequence[Path], size: int, seed: int = 0) -> None:
        self._images = ImageCache(partial(_read_image, paths))
        self._count, self._size, self._seed = len(paths), size, seed

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        random = np.random.default_rng((self._seed, index))
        crop = self._crop(drawn_by(random))
        return (torch.from_numpy((crop[:, ::-1] if random.random() < 0.5 else crop).copy())[None],)

    def batch(self, count: int, generator: Generator) -> Tensor:
        """Draw the next `count` crops, (count, 1, size, size) in [0, 1]."""
        crops = (self._crop(_drawn_from(generator)) for _ in range(count))
        return torch.stack([torch.from_numpy(crop.copy())[None] for crop in crops])

    def _crop(self, draw: Draw) -> Gray:
        (crop,) = window(self._images[draw(self._count)], self._size, draw)
        return crop


class PairCrops(Dataset[tuple[Tensor, ...]]):
    """Random crops of pairs. A pair smaller than the crop is enlarged.

    Crop number k depends on the seed and k only, so that worker processes and resumption change nothing.

    Args:
        pairs: the files.
        size: the side of a crop.
        channels: the channels of the visible image.
        augmentation: what happens to the crops.
        seed: the seed of everything that is random.
    """

    def __init__(
        self, pairs: Sequence[Pair], size: int, channels: Channels, augmentation: Augmentation, seed: int
    ) -> None:
        self._pairs = ImageCache(partial(read, pairs, channels))
        self._count, self._size = len(pairs), size
        self._augmentation, self._seed = augmentation, seed

    def __getitem__(self, index: int) -> PairTensors:
        random = np.random.default_rng((self._seed, index))
        draw = drawn_by(random)
        crops = window(self._pairs[draw(self._count)], self._size, draw)
        ir, vis = (self._augment(crop, random) for crop in crops)
        if random.random() < 0.5:
            ir, vis = ir[:, ::-1], vis[:, ::-1]
        if random.random() < self._augmentation.alike:
            ir, vis = _alike(ir, vis, random)
        return tensors(ir, vis)

    def _augment(self, image: Gray, random: np.random.Generator) -> Gray:
        if random.random() < self._augmentation.share:
            # A narrower Gaussian changes nothing.
            sigma = random.uniform(_LEAST_BLUR, max(_LEAST_BLUR, self._augmentation.blur))
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32).reshape(image.shape)
        if random.random() < self._augmentation.share:
            noise = random.standard_normal(image.shape, np.float32) * random.uniform(0, self._augmentation.noise)
            image = (image + noise).clip(0, 1).astype(np.float32)
        return image


def _read_image(paths: Sequence[Path], number: int) -> tuple[Gray]:
    return (read_gray(paths[number]),)


def read(pairs: Sequence[Pair], channels: Channels, number: int) -> tuple[Gray, Gray]:
    """Read a pair by its number, see :func:`irfuse.training.reading.read_pair`."""
    return read_pair(pairs[number], channels)


def drawn_by(random: np.random.Generator) -> Draw:
    """Draw from a generator of NumPy."""
    return lambda end: int(random.integers(end))


def _drawn_from(generator: Generator) -> Draw:
    return lambda end: int(torch.randint(end, (), generator=generator))


def window(images: Sequence[Gray], size: int, draw: Draw) -> list[Gray]:
    """Cut the same random window, (size, size), out of images of one size; enlarge them first if they are too small."""
    factor = max(1.0, size / min(images[0].shape[:2]))
    images = [scale(image, factor) for image in images]
    top, left = (draw(side - size + 1) for side in images[0].shape[:2])
    return [image[top : top + size, left : left + size] for image in images]


def _alike(ir: Gray, vis: Gray, random: np.random.Generator) -> tuple[Gray, Gray]:
    """One image as both: the infrared in as many channels as the visible has, or the luma of the visible."""
    if random.random() < 0.5:
        return ir, np.repeat(ir[..., None], vis.shape[2], axis=2)
    return gray(np.moveaxis(vis, 2, 0)[None])[0, 0], vis


def scale(image: Gray, factor: float) -> Gray:
    """Scale an image, by area to a smaller one."""
    if factor == 1:
        return image
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    kernel = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    # OpenCV drops the axis of a single channel.
    return cv2.resize(image, (width, height), interpolation=kernel).clip(0, 1).reshape(height, width, *image.shape[2:])
