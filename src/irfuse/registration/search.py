"""Search: where an infrared image may lie in a visible one, over many scales and rotations and all shifts."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.fft import irfft2, rfft2
from numpy.typing import NDArray

from irfuse.registration.channels import Channels, View, channels
from irfuse.registration.geometry import Matrix, Size, distinct, inverse

_SIDE = 128
"""The longer side of the reduced image that shows less of the scene, in pixels."""
_SCALE_STEP = 0.06
"""The ratio of neighboring scales, less 1."""
_NARROW = 0.8
"""The scale up to which the visible image is twice as large, since the infrared one would be too small."""
_ROTATIONS = (-6.0, -3.0, 0.0, 3.0, 6.0)
"""In degrees."""
_LEAST_OVERLAP = 0.35
"""Of the smaller image."""
_DIFFERENT = 0.04
"""How far two places are apart at least, relative to the longer side of the visible image."""
_BLUR, _POOL = 1.0, 1.2
"""As :func:`irfuse.registration.channels.channels` takes them."""
_SAMPLED = 3
"""The step of the shifts whose correlations give the usual one."""


@dataclass(frozen=True)
class Field:
    """The range of how wide the infrared image's field of view may be, relative to that of the visible image.

    Attributes:
        least, most: the limits.
    """

    least: float = 0.4
    most: float = 2.0

    def scales(self) -> list[float]:
        """List the widths that are tried."""
        count = 1 + math.ceil(math.log(self.most / self.least) / _SCALE_STEP)
        return [float(scale) for scale in np.geomspace(self.least, self.most, count)]


@dataclass(frozen=True)
class Place:
    """Where the infrared image may lie.

    Attributes:
        matrix: of the infrared image to the visible one.
        score: the correlation above that of an average shift, times the square root of the overlap.
    """

    matrix: Matrix
    score: float


def places(ir: View, vis: View, field: Field, count: int) -> list[Place]:
    """Find the best places, the best first.

    Args:
        ir, vis: the images.
        field: how wide the infrared image may be.
        count: how many.
    """
    ranked = sorted(_tried(ir, vis, field), key=lambda place: -place.score)
    return distinct(ranked, ir.size, _DIFFERENT * max(vis.size), count)


def _tried(ir: View, vis: View, field: Field) -> Iterator[Place]:
    """Find the best shift for each scale and rotation."""
    by_side: dict[int, tuple[_Spectra, Matrix]] = {}
    for scale in field.scales():
        # Two sizes of the visible image are enough.
        side = _SIDE if scale > _NARROW else 2 * _SIDE
        if side not in by_side:
            small, to_small = vis.resized(side / max(vis.size))
            by_side[side] = _Spectra(channels(small, blur=_BLUR, pool=_POOL)), to_small
        fixed, to_small = by_side[side]
        resized, to_resized = ir.resized(scale * to_small[0, 0] * vis.size[1] / ir.size[1])
        for angle in _ROTATIONS:
            turned, to_turned = _turned(resized, angle)
            shift, score = fixed.best_shift(channels(turned, blur=_BLUR, pool=_POOL))
            yield Place(inverse(to_small) @ shift @ to_turned @ to_resized, score)


def _turned(view: View, angle: float) -> tuple[View, Matrix]:
    """Turn a view about its middle, and enlarge it to hold all of itself."""
    if not angle:
        return view, np.eye(3)
    height, width = view.size
    rows = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    cos, sin = abs(rows[0, 0]), abs(rows[0, 1])
    size = (int(np.ceil(width * sin + height * cos)), int(np.ceil(width * cos + height * sin)))
    matrix = np.vstack([rows, [0.0, 0.0, 1.0]])
    matrix[:2, 2] += np.array([size[1] - width, size[0] - height]) / 2
    return view.warped(matrix, size), matrix


class _Spectra:
    """The Fourier transforms of a visible image's channels, padded for infrared images of several sizes."""

    def __init__(self, fixed: Channels) -> None:
        self._fixed = fixed
        self._by_size: dict[Size, tuple[NDArray[Any], ...]] = {}

    def best_shift(self, moving: Channels) -> tuple[Matrix, float]:
        """Find the shift at which the normalized correlation is best, as a matrix, and its score."""
        height, width = self._fixed.valid.shape
        rows, columns = moving.valid.shape
        padded = _padded(height, rows), _padded(width, columns)
        values, energy, valid = self._transformed(padded)
        other_values, other_energy, other_valid = (np.conj(part) for part in _transform(moving, padded))
        product = irfft2((values * other_values).sum(axis=0), padded)
        energies = irfft2(energy * other_valid, padded) * irfft2(valid * other_energy, padded)
        overlap = irfft2(valid * other_valid, padded)
        counted, other_counted = (float(one.valid.sum()) for one in (self._fixed, moving))
        enough = overlap > max(1.0, _LEAST_OVERLAP * min(counted, other_counted))
        if not enough.any():
            return np.eye(3), 0.0
        correlation = np.where(enough, product / np.sqrt(np.maximum(energies, 1e-6)), 0)
        some = slice(None, None, _SAMPLED)
        usual = float(np.median(correlation[some, some][enough[some, some]])) if enough[some, some].any() else 0.0
        score = np.where(enough, (correlation - usual) * np.sqrt(np.maximum(overlap, 0)) / _SIDE, -1)
        best = np.unravel_index(int(score.argmax()), score.shape)
        # Shifts to the left and upward are at the ends of the padded rows and columns.
        y = int(best[0]) if best[0] < padded[0] - rows else int(best[0]) - padded[0]
        x = int(best[1]) if best[1] < padded[1] - columns else int(best[1]) - padded[1]
        return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]]), float(score[best])

    def _transformed(self, padded: Size) -> tuple[NDArray[Any], ...]:
        if padded not in self._by_size:
            self._by_size[padded] = _transform(self._fixed, padded)
        return self._by_size[padded]


def _padded(side: int, other: int) -> int:
    """Choose the length of a transform. Only shifts whose overlap is too small share a place with other shifts."""
    return cv2.getOptimalDFTSize(side + other - max(0, int(_LEAST_OVERLAP * min(side, other)) - 1))


def _transform(edges: Channels, padded: Size) -> tuple[NDArray[Any], ...]:
    """Transform the channels, (3, H, W'), their energy and the mask, (H, W')."""
    return (
        rfft2(np.moveaxis(edges.values, 2, 0), padded),
        rfft2(edges.energy, padded),
        rfft2(edges.valid.astype(np.float32), padded),
    )
