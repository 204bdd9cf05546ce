"""Crops of pairs: what the network sees, and what the loss compares with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import Dataset

from irfuse.io.pairs import Pair
from irfuse.training.crops import ImageCache, drawn_by, read, scale, window
from irfuse.training.reading import Gray
from irfuse.training.recipes.ember import damage

_SCALES = (1.0, 0.7, 0.5, 0.35)


@dataclass(frozen=True)
class Damage:
    """The shares of the crops that are changed.

    Attributes:
        tone: images with another gamma, contrast and brightness, infrared and visible each.
        faint: infrared images with little contrast.
        plain: pairs of which only the shading is left, both with noise.
        noise: other images with noise, infrared and visible each.
        stripes: infrared images with a fixed pattern.
        veil: visible images with smoke, fog or glare.
        shift: infrared images that are moved by a few pixels.
        outside: infrared images that are black in a part or everywhere.
    """

    tone: float
    faint: float
    plain: float
    noise: float
    stripes: float
    veil: float
    shift: float
    outside: float


class DamagedCrops(Dataset[tuple[Tensor, ...]]):
    """Random crops of pairs at several scales, as four images of (1, size, size).

    The first two are the infrared and the visible image that the network sees. The other two are the same images
    without damage, which the loss knows. Where the infrared image sees nothing, the visible image takes its place in
    the loss, so that the network learns to show the visible image there.

    Crop number k depends on the seed and k only, so that worker processes and resumption change nothing.

    Args:
        pairs: the files.
        size: the side of a crop.
        shares: how many crops are changed.
        noise: the largest standard deviation of noise and of patterns.
        shift: the largest shift in pixels.
        seed: the seed of everything that is random.
    """

    def __init__(
        self, pairs: Sequence[Pair], size: int, shares: Damage, noise: float, shift: float, seed: tuple[int, ...]
    ) -> None:
        self._pairs = ImageCache(partial(read, pairs, 1))
        self._count, self._size, self._shares, self._seed = len(pairs), size, shares, seed
        self._noise, self._shift = noise, shift

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        random = np.random.default_rng((*self._seed, index))
        ir, vis = self._crop(random)
        shares = self._shares
        if random.random() < shares.tone:
            ir = damage.tone(ir, random)
        elif random.random() < shares.faint:
            ir = damage.faint(ir, random)
        if random.random() < shares.tone:
            vis = damage.tone(vis, random)
        if random.random() < shares.plain:
            ir, vis = damage.smooth(ir), damage.smooth(vis)
            seen_ir, seen_vis = (damage.noisy(image, random, self._noise) for image in (ir, vis))
        else:
            seen_ir, seen_vis, ir = self._damaged(ir, vis, random)
        return tuple(torch.from_numpy(image.copy())[None] for image in (seen_ir, seen_vis, ir, vis))

    def _crop(self, random: Generator) -> tuple[Gray, Gray]:
        """Cut a window out of a pair, and mirror it at random."""
        draw = drawn_by(random)
        ir, vis = self._pairs[draw(self._count)]
        factors = [factor for factor in _SCALES if factor * min(ir.shape) >= self._size] or [1.0]
        factor = factors[draw(len(factors))]
        crops = window((ir, vis[..., 0]), round(self._size / factor), draw)
        ir, vis = (scale(crop, self._size / len(crop)) for crop in crops)
        if random.random() < 0.5:
            ir, vis = ir[:, ::-1], vis[:, ::-1]
        if random.random() < 0.15:
            ir, vis = ir[::-1], vis[::-1]
        return np.ascontiguousarray(ir), np.ascontiguousarray(vis)

    def _damaged(self, ir: Gray, vis: Gray, random: Generator) -> tuple[Gray, Gray, Gray]:
        """Damage both images; the third result is the infrared image for the loss."""
        shares, seen_ir, seen_vis = self._shares, ir, vis
        if random.random() < shares.shift:
            seen_ir = damage.shifted(seen_ir, random, self._shift)
        if random.random() < shares.stripes:
            seen_ir = damage.striped(seen_ir, random, self._noise)
        if random.random() < shares.noise:
            seen_ir = damage.noisy(seen_ir, random, self._noise)
        if random.random() < shares.veil:
            seen_vis = damage.veiled(seen_vis, random)
        if random.random() < shares.noise:
            seen_vis = damage.noisy(seen_vis, random, self._noise)
        if random.random() < shares.outside:
            unseen = damage.outside(ir.shape, random)
            seen_ir, ir = np.where(unseen, np.float32(0), seen_ir), np.where(unseen, vis, ir)
        return seen_ir, seen_vis, ir
