"""Inspection: which infrared pixels hold no measurement, and what looks wrong in a pair.

Everything works on NumPy arrays. A pixel holds no measurement if its value is NaN or infinite, or if it cannot be a
temperature of the scene:

- fill values, such as the zeros that registration leaves: a single extreme value far from all others;
- telemetry: the first or last rows, whose values jump and lie far outside the scene;
- dead pixels: single values far outside the scene between ordinary neighbors;
- borders of one extreme value, such as what a warp leaves; see :mod:`irfuse.imaging.borders`.

A hot or cold object is none of these. Optics blur its edge, so its neighbors lie between it and the scene.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from irfuse.imaging import borders

_Array: TypeAlias = NDArray[Any]
_Mask: TypeAlias = NDArray[np.bool_]

_FILLS = (0, -1, -999, -9999, -273.15, -32768, -(2**31), 255, 1023, 4095, 9999, 16383, 32767, 65535, 2**31 - 1)
"""What software writes where nothing was measured, and what a sensor's dead pixels read."""

_SMALLEST = 16
"""The smaller side, in pixels, from which an image can be judged."""
_FEW = 2e-4
"""The share of pixels below which outliers cannot hold the default levels."""
_BAND, _TELEMETRY = 8, 4
"""How many rows at an edge are compared with the scene, and how many of them telemetry takes at most."""
_SATURATION = 0.15
"""The mean saturation from which an image counts as colored, well above the noise of JPEG."""
_SAMPLE = 20_000
"""How many pixels suffice for percentiles of a scene."""


def invalid_pixels(values: _Array) -> _Mask | None:
    """Find the pixels of infrared images that hold no measurement.

    Images of 8 bits and floating-point values in [0, 1] have lost their scale, so that no value stands apart in them.
    Only borders are found there, and NaN and infinite values. In images in color, only the latter are.

    Args:
        values: (B, C, H, W) in their own dtype.

    Returns:
        (B, 1, H, W), true where nothing was measured, or None if all pixels are valid.

    >>> counts = np.random.default_rng(0).integers(7000, 7500, (1, 1, 48, 64)).astype(np.uint16)
    >>> invalid_pixels(counts) is None
    True
    >>> counts[..., :8] = 0
    >>> int(invalid_pixels(counts).sum()) == 48 * 8
    True
    """
    found = [_unmeasured(image) for image in values]
    if not any(mask is not None for mask in found):
        return None
    nothing = np.zeros(values.shape[2:], bool)
    return np.stack([nothing if mask is None else mask for mask in found])[:, None]


def doubts(ir: _Array, invalid: _Mask | None, vis: _Array) -> Iterator[str]:
    """Say what looks wrong in pairs, each in one line.

    Args:
        ir, vis: (B, C, H, W) in their own dtypes.
        invalid: what :func:`invalid_pixels` returns for `ir`.
    """
    is_colored = _in_color(ir)
    if is_colored and not _in_color(vis):
        yield "the infrared image is in color and the visible one is not: are they swapped?"
    elif is_colored and _saturation(ir) > _SATURATION:
        yield (
            "the infrared image is in false colors, and only its luma is used, which is not temperature in most "
            'palettes: save it in gray ("white hot")'
        )
    if min(ir.shape[2:]) < _SMALLEST:
        return
    if invalid is not None:
        yield (
            f"{100 * float(invalid.mean()):.2g} % of the infrared pixels hold no measurement (NaN, fill values, a "
            "border, telemetry or dead pixels): fusion can show only the visible image there"
        )
    is_judged = invalid is None and ir.dtype.kind != "f" and not is_colored
    yield from (
        f"the infrared image has a border of one value ({share:.0%} of it), which shows as a frame in fused images, "
        "since lossy compression has frayed it: save the infrared image as PNG or TIFF, or crop both images"
        for share in map(borders.frayed, ir[:, 0] if is_judged else ())
        if share is not None
    )
    constants = [_constant(image, None if invalid is None else invalid[i]) for i, image in enumerate(ir)]
    yield from (
        f"the infrared image is constant ({value:g}): was the lens covered, or the export wrong?"
        for value in constants
        if value is not None
    )
    for role, values in (("infrared", ir), ("visible", vis)):
        if _has_swapped_bytes(values):
            yield (
                f"the {role} image is noise, and is smooth with the two bytes of each value swapped: read it with the "
                "other byte order"
            )
    brightest = int(vis[:, : 3 if vis.shape[1] >= 3 else 1].max()) if vis.dtype == np.uint16 else 0
    if 0 < brightest < 2**14:
        bits = next(bits for bits in (8, 10, 12, 14) if brightest < 2**bits)
        yield (
            f"the visible image has 16 bits and no value above {brightest}, so it is almost black: if it holds {bits} "
            f"bits, multiply its values by {2 ** (16 - bits)} before fusing"
        )


@dataclass(frozen=True)
class _Scene:
    """The values between which nearly all pixels of a scene lie.

    Attributes:
        low, high: in the image's own units.
    """

    low: float
    high: float

    @classmethod
    def of(cls, values: _Array) -> "_Scene":
        """Measure a scene from its 0.5 and 99.5 percentiles."""
        low, high = np.percentile(_sample(values).astype(np.float64), [0.5, 99.5])
        return cls(float(low), float(high))

    @property
    def range(self) -> float:
        """The difference of the values; above 0 for a constant scene too."""
        return max(self.high - self.low, 1e-3 * max(abs(self.low), abs(self.high)), 1e-6)

    def without(self, values: _Array, margin: float) -> _Mask:
        """Mark the values outside the scene, by more than `margin` of its range."""
        low, high = self.low - margin * self.range, self.high + margin * self.range
        outside: _Mask = (values < low) | (values > high)
        return outside


def _sample(values: _Array) -> _Array:
    """Take enough values for percentiles of a scene."""
    # An odd step does not repeat the same columns of usual sizes.
    return values.reshape(-1)[:: max(1, values.size // _SAMPLE) | 1]


def _unmeasured(image: _Array) -> _Mask | None:
    """Find what holds no measurement in one image, (C, H, W) to (H, W)."""
    missing = None
    if image.dtype.kind == "f":
        finite = np.asarray(np.isfinite(image).all(axis=0))
        missing = None if finite.all() else ~finite
    if missing is not None and missing.all():
        return missing
    plane: _Array = image[0] if missing is None else _without(image[0], missing)
    if min(plane.shape) < _SMALLEST or _in_color(image[None]):
        return missing
    found: _Mask | None = missing
    of_counts = () if _has_lost_its_scale(plane) else (_telemetry, _fill, _fill, _fill, _dead)
    for find in (*of_counts, borders.exact):
        mask = find(plane)
        if mask is None:
            continue
        found = mask if found is None else np.logical_or(found, mask)
        if found.all():
            # An image without a scene cannot be judged.
            return missing
        plane = _without(plane, found)
    return found


def _without(plane: _Array, mask: _Mask) -> _Array:
    """Replace pixels by the median of the others, so that they do not count as a part of the scene."""
    return np.where(mask, np.median(_sample(plane[~mask])).astype(plane.dtype), plane)


def _has_lost_its_scale(plane: _Array) -> bool:
    return plane.dtype == np.uint8 or (plane.dtype.kind == "f" and bool(plane.min() >= 0 and plane.max() <= 1))


def _telemetry(plane: _Array) -> _Mask | None:
    """Find the first or last rows whose values jump and lie outside the scene."""
    if plane.shape[0] < 4 * _BAND:
        return None
    scene = _Scene.of(plane[_BAND:-_BAND])
    found = np.zeros(plane.shape, bool)
    for rows, marked in ((plane[:_BAND], found[:_BAND]), (plane[::-1][:_BAND], found[::-1][:_BAND])):
        jumps = np.abs(np.diff(rows.astype(np.float64), axis=1)).mean(axis=1)
        alien = (scene.without(rows, 1).mean(axis=1) > 0.2) & (jumps > scene.range / 2)
        count = _BAND if alien.all() else int(np.argmin(alien))
        if count <= _TELEMETRY:
            marked[:count] = True
    return found if found.any() else None


def _fill(plane: _Array) -> _Mask | None:
    """Find the pixels of a fill value: the smallest or the largest value, far from all others."""
    extremes = {value: plane == value for value in (plane.min(), plane.max())}
    candidates = {value: mask for value, mask in extremes.items() if _may_be_fill(value, mask)}
    if not candidates:
        return None
    if _union(candidates.values()).all():
        # The scene itself is constant, and the fill is what there is less of.
        candidates = dict([min(candidates.items(), key=lambda candidate: np.count_nonzero(candidate[1]))])
    filled = _union(candidates.values())
    if filled.all():
        return None
    rest = plane[~_grown(filled, 5)]
    rest = rest if rest.size >= plane.size / 200 else plane[~filled]
    scene = _Scene.of(rest)
    found = [
        mask | _mixed(plane, mask, scene)
        for value, mask in candidates.items()
        if _stands_apart(plane, float(value), mask, rest, scene)
    ]
    return _union(found) if found else None


def _may_be_fill(value: Any, mask: _Mask) -> bool:
    """Say whether a value is usual as a fill value, or fills a part of the border."""
    if any(np.isclose(float(value), fill, rtol=1e-6, atol=0) for fill in _FILLS):
        return True
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return bool(border.mean() >= 0.01 and mask.mean() >= 1e-3)


def _stands_apart(plane: _Array, value: float, mask: _Mask, rest: _Array, scene: _Scene) -> bool:
    """Say whether a value is too far from all others to be measured.

    Nothing blurs the edge of a fill, and a clipped scene has values near the one at which it is clipped.
    """
    gap = scene.low - value if value < scene.low else value - scene.high
    if gap < scene.range / 4:
        return False
    between = np.count_nonzero(np.abs(rest - np.float64(value)) < gap / 2)
    if between > np.count_nonzero(mask) / 10:
        return False
    if value < scene.low and gap >= scene.range and any(np.isclose(value, fill, rtol=1e-6, atol=0) for fill in _FILLS):
        return True
    beside = plane[_grown(mask, 3) & ~mask]
    is_abrupt = not beside.size or bool(scene.without(beside, 0.1).mean() <= 0.1)
    return is_abrupt and bool(value < scene.low or gap >= scene.range)


def _dead(plane: _Array) -> _Mask | None:
    """Find single pixels far outside the scene between ordinary neighbors, if there are enough to hold the levels."""
    # The median leaves single pixels out, however many there are.
    scene = _Scene.of(cv2.medianBlur(plane if plane.dtype == np.uint16 else plane.astype(np.float32), 3))
    if scene.low - plane.min() <= scene.range and plane.max() - scene.high <= scene.range:
        return None
    # Two dead pixels may touch; the pixels of a thin hot line have two neighbors each.
    alone = _count(scene.without(plane, 0.1)) <= 2
    found: _Mask = scene.without(plane, 1) & alone
    return found if np.count_nonzero(found) >= _FEW * plane.size else None


def _grown(mask: _Mask, side: int) -> _Mask:
    """Grow a mask by a square of `side` x `side` pixels."""
    return cv2.dilate(mask.view(np.uint8), np.ones((side, side), np.uint8)).view(np.bool_)


def _mixed(plane: _Array, mask: _Mask, scene: _Scene) -> _Mask:
    """Find the pixels beside filled areas that interpolation mixed with the fill value."""
    # Single pixels are dead, and were not interpolated.
    areas = mask & (_count(mask) >= 3)
    around = _grown(areas, 5)
    beside = around & ~mask
    if not beside.any() or scene.without(plane[beside], 0.25).mean() <= 0.1:
        return np.zeros_like(mask)
    # A cubic interpolation overshoots, so that some of the pixels beside lie within the scene by chance. Where the side
    # of an area meets the edge of the image at a small angle, mixed pixels go on along the edge.
    edge = np.ones_like(mask)
    edge[2:-2, 2:-2] = False
    count, parts = cv2.connectedComponents((around | (edge & scene.without(plane, 0.25))).view(np.uint8))
    belongs = np.zeros(count, bool)
    belongs[parts[areas]] = True
    mixed: _Mask = belongs[parts] & ~mask
    return mixed


def _count(mask: _Mask) -> NDArray[np.uint8]:
    """Count the marked pixels among each pixel and its eight neighbors."""
    counts = cv2.boxFilter(mask.view(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(counts, np.uint8)


def _union(masks: Iterable[_Mask]) -> _Mask:
    union: _Mask = np.logical_or.reduce(list(masks))
    return union


def _constant(image: _Array, invalid: _Mask | None) -> float | None:
    """Return the only measured value of an image, (C, H, W), or None if there are several."""
    # JPEG turns one value into neighboring ones.
    most = 2 if image.dtype == np.uint8 else 0
    if invalid is not None:
        image = image[:, ~invalid[0]]
    elif np.ptp(image[0, ::8, ::8]) > most:
        return None
    return float(image.min()) if image.max() - image.min() <= most else None


def _in_color(values: _Array) -> bool:
    if values.shape[1] < 3:
        return False
    return not bool((values[:, 0] == values[:, 1]).all() and (values[:, 0] == values[:, 2]).all())


def _saturation(values: _Array) -> float:
    """Compute the mean saturation, from 0 to 1, of images in color, (B, C, H, W)."""
    sample = values[:, :3, ::4, ::4].astype(np.float64)
    brightest, darkest = sample.max(axis=1), sample.min(axis=1)
    return float(((brightest - darkest) / np.where(brightest > 0, brightest, 1)).mean())


def _has_swapped_bytes(values: _Array) -> bool:
    """Say whether images of 16 bits are much smoother with the bytes of each value swapped."""
    if values.dtype not in (np.uint16, np.int16) or min(values.shape[2:]) < _SMALLEST:
        return False
    rows = values[:, 0, ::8]
    found = _roughness(rows)
    return found > 0.01 and _roughness(rows.byteswap()) < found / 2


def _roughness(rows: _Array) -> float:
    """Compute the mean square of the steps between neighbors over twice the variance: about 1 for noise."""
    rows = rows.astype(np.float64)
    variance = float(rows.var())
    return float(np.square(np.diff(rows, axis=-1)).mean()) / (2 * variance) if variance > 0 else 0.0
