"""Training data: crops of natural images, and of pairs."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset

from irfuse.device import cores
from irfuse.errors import ImageError, PairError
from irfuse.imaging import color, levels
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.methods.base import Channels

Grey = NDArray[np.float32]
Sources = tuple[Tensor, Tensor]
"""Infrared and visible, (1, H, W) and (C, H, W), or batches of them."""
Decoded = TypeVar("Decoded", bound=tuple[Grey, ...])

_REMEMBERED_BYTES = 1 << 30
_LEAST_BLUR = 0.2


def read_grey(path: Path) -> Grey:
    """The luma of an image file, (H, W) in [0, 1].

    Raises:
        ImageError: the file cannot be read, or holds values that have no known range.
    """
    return _luma(_read_unit(path))


def read_pair(pair: Pair, channels: Channels) -> tuple[Grey, Grey]:
    """The images of a pair, (H, W) and (H, W, channels), in [0, 1].

    Infrared images of 16 bits are stretched, each by its own percentiles, as they are when they are fused.

    Raises:
        ImageError: a file cannot be read, or holds values that have no known range.
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


def tensors(ir: Grey, vis: Grey) -> Sources:
    """The images of a pair as :func:`read_pair` returns them, (1, H, W) and (C, H, W)."""
    return torch.from_numpy(ir.copy())[None], torch.from_numpy(np.moveaxis(vis, 2, 0).copy())


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


@dataclass(frozen=True)
class Augmentation:
    """What is done to crops at random, beside mirroring half of them.

    Attributes:
        share: of the images that are blurred, and of those that noise is added to.
        blur: the largest standard deviation of the Gaussian, in pixels.
        noise: the largest standard deviation of the noise; 1 is the image's full range.
        alike: share of the crops with one image as both sources, infrared or visible, so that a network learns to keep
            what both agree on.
    """

    share: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    alike: float = 0.0


class Memory(Generic[Decoded]):
    """Decoded images, remembered up to a gibibyte; what is beyond is read again each time.

    Args:
        read: gives the images of a number.
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
    """Random crops of the luma of images, half of them mirrored; an image smaller than the crop is enlarged.

    Crop number k is the same in every order and in every process, so that training can go on exactly.

    Args:
        paths: the image files.
        size: the side of a crop.
        seed: of all that is random.
    """

    def __init__(self, paths: Sequence[Path], size: int, seed: int) -> None:
        self._images = Memory(partial(_read_image, paths))
        self._count, self._size, self._seed = len(paths), size, seed

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        random = np.random.default_rng((self._seed, index))
        (image,) = _crops(self._images[int(random.integers(self._count))], self._size, random)
        return (torch.from_numpy((image[:, ::-1] if random.random() < 0.5 else image).copy())[None],)


class PairCrops(Dataset[tuple[Tensor, ...]]):
    """Random crops of pairs; a pair smaller than the crop is enlarged.

    Crop number k is the same in every order and in every process, so that training can go on exactly.

    Args:
        pairs: the files.
        size: the side of a crop.
        channels: of the visible image.
        augmentation: what is done to the crops.
        seed: of all that is random.
    """

    def __init__(
        self, pairs: Sequence[Pair], size: int, channels: Channels, augmentation: Augmentation, seed: int
    ) -> None:
        self._pairs = Memory(partial(_read_pair, pairs, channels))
        self._count, self._size = len(pairs), size
        self._augmentation, self._seed = augmentation, seed

    def __getitem__(self, index: int) -> Sources:
        random = np.random.default_rng((self._seed, index))
        crops = _crops(self._pairs[int(random.integers(self._count))], self._size, random)
        ir, vis = (self._augment(crop, random) for crop in crops)
        if random.random() < 0.5:
            ir, vis = ir[:, ::-1], vis[:, ::-1]
        if random.random() < self._augmentation.alike:
            ir, vis = _alike(ir, vis, random)
        return tensors(ir, vis)

    def _augment(self, image: Grey, random: np.random.Generator) -> Grey:
        if random.random() < self._augmentation.share:
            # A narrower one is none.
            sigma = random.uniform(_LEAST_BLUR, max(_LEAST_BLUR, self._augmentation.blur))
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32).reshape(image.shape)
        if random.random() < self._augmentation.share:
            noise = random.standard_normal(image.shape, np.float32) * random.uniform(0, self._augmentation.noise)
            image = (image + noise).clip(0, 1).astype(np.float32)
        return image


class Feed:
    """Batches of crops in their order, read ahead in other processes where a GPU waits for them.

    Args:
        crops: where they come from.
        steps: how many batches there are.
        count: of crops in a batch.
        device: where they are needed.

    Attributes:
        waited: seconds in which batches were waited for.
    """

    def __init__(self, crops: Dataset[tuple[Tensor, ...]], steps: int, count: int, device: torch.device) -> None:
        self._crops, self._steps, self._count, self._device = crops, steps, count, device
        self.waited = 0.0
        self._step = 0
        self._batches: Iterator[Sequence[Tensor]] | None = None

    def batch(self) -> tuple[Tensor, ...]:
        """The next, each (B, C, size, size) on the device."""
        start = time.perf_counter()
        if self._batches is None:
            self._batches = self._read_ahead()
        batch = next(self._batches)
        self._step += 1
        self.waited += time.perf_counter() - start
        return tuple(part.to(self._device, memory_format=torch.channels_last, non_blocking=True) for part in batch)

    def state_dict(self) -> dict[str, Any]:
        return {"step": self._step, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._step, self.waited = state["step"], state["waited"]
        self._batches = None

    def _read_ahead(self) -> Iterator[Sequence[Tensor]]:
        on_gpu = self._device.type == "cuda"
        loader = DataLoader(
            self._crops,
            sampler=range(self._step * self._count, self._steps * self._count),
            batch_size=self._count,
            num_workers=min(cores(), 8) if on_gpu else 0,
            pin_memory=on_gpu,
            worker_init_fn=_leave_signals,
        )
        return iter(loader)


def _read_image(paths: Sequence[Path], number: int) -> tuple[Grey]:
    return (read_grey(paths[number]),)


def _read_pair(pairs: Sequence[Pair], channels: Channels, number: int) -> tuple[Grey, Grey]:
    return read_pair(pairs[number], channels)


def _crops(images: Sequence[Grey], size: int, random: np.random.Generator) -> list[Grey]:
    """The same window of images of one size, (size, size), enlarged where they are too small."""
    factor = max(1.0, size / min(images[0].shape[:2]))
    images = [_scale(image, factor) for image in images]
    top, left = (int(random.integers(side - size + 1)) for side in images[0].shape[:2])
    return [image[top : top + size, left : left + size] for image in images]


def _alike(ir: Grey, vis: Grey, random: np.random.Generator) -> tuple[Grey, Grey]:
    """One of two images as both: the infrared, in as many channels as the visible has, or the visible, in grey."""
    if random.random() < 0.5:
        return ir, np.repeat(ir[..., None], vis.shape[2], axis=2)
    return _luma(vis), vis


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


def _leave_signals(worker: int) -> None:
    """Ctrl-C and SIGTERM go to all processes of a group: the loop's own stops between two steps."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _randint(end: int, generator: Generator) -> int:
    return int(torch.randint(end, (), generator=generator))


def _scale(image: Grey, factor: float) -> Grey:
    if factor == 1:
        return image
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    kernel = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    # OpenCV drops the axis of a single channel.
    return cv2.resize(image, (width, height), interpolation=kernel).clip(0, 1).reshape(height, width, *image.shape[2:])
