"""Misregistration: signs that the two images of a pair do not show the same point at the same pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from irfuse import notices
from irfuse.errors import ImageError
from irfuse.imaging import borders, planes
from irfuse.imaging.levels import DEFAULT_THERMAL
from irfuse.imaging.planes import Array, Prepared

Gray = NDArray[np.float32]

_SIDE = 192
"""The longer side of the reduced images whose edges are compared, in pixels. Smaller images have too few edges."""
_REACH = 24
"""The largest shift that is tried, in pixels of the reduced images, and at most a quarter of a side."""
_IN_PLACE = 3
"""Shifts up to so many pixels of the reduced images count as none: registered data sets are off by a few pixels."""
_LEAST_AGREEMENT = 0.15
"""Below this, the two images share too few edges to tell. At night that is common."""
_LEAST_GAIN = 0.01
_MOST_BORDER = 0.02
WATCHED, _FEWEST_WATCHED = 40, 3
"""How many pairs of a folder are looked at, and of how many at least something can be said."""
_BLUR = 1.5
"""The edges are blurred so that they need not coincide exactly."""
_NAMED = 20


@dataclass(frozen=True)
class Signs:
    """What a pair of images says of its own registration.

    Attributes:
        border: the share of the infrared image that is a black border where the visible image is not black. A warp
            leaves such a border.
        shift: the shift of one image at which the edges agree best, as a share of the longer side.
        in_place: the agreement of the edges, from -1 to 1, at shifts of at most 1.6 % of the longer side.
        elsewhere: the best agreement at the larger shifts, up to 12.5 % of the longer side. It is 0, as are `in_place`
            and `shift`, for images whose longer side is less than 192 pixels.
    """

    border: float
    shift: float
    in_place: float
    elsewhere: float

    @property
    def warped(self) -> bool:
        """Whether the black border of the infrared image is as large as that of a warped one, over 2 %."""
        return self.border > _MOST_BORDER

    @property
    def shifted(self) -> bool:
        """Whether the edges agree better when one image is shifted."""
        return self.elsewhere > max(self.in_place + _LEAST_GAIN, _LEAST_AGREEMENT)


def measure(ir: Gray, vis: Gray) -> Signs:
    """Measure the signs of a missing registration.

    Args:
        ir, vis: (H, W) in [0, 1], of the same size.

    >>> rng = np.random.default_rng(0)
    >>> scene = cv2.GaussianBlur(rng.random((200, 260), np.float32), (0, 0), 4)
    >>> measure(scene, scene).shifted, measure(scene[:, 20:], 1 - scene[:, :-20]).shifted
    (False, True)
    """
    border = borders.connected(ir == 0) & (vis > 0)
    if max(ir.shape) < _SIDE:
        return Signs(float(border.mean()), 0.0, 0.0, 0.0)
    agreement = _agreement(ir, vis, border)
    rows, columns = (np.arange(side) - side // 2 for side in agreement.shape)
    distance = np.hypot(rows[:, None], columns)
    best = np.unravel_index(int(agreement.argmax()), agreement.shape)
    return Signs(
        float(border.mean()),
        float(distance[best]) / _SIDE,
        float(agreement[distance <= _IN_PLACE].max()),
        float(agreement[distance > _IN_PLACE].max()),
    )


def measure_images(ir: Array, vis: Array) -> Signs | None:
    """Measure images as they were read; None if their values have no known range, which other code reports.

    Args:
        ir, vis: (H, W) or (H, W, C), of the same size.
    """
    try:
        with notices.collected():
            infrared, visible = planes.from_array(ir, "infrared"), planes.from_array(vis, "visible")
            prepared = planes.prepare(infrared, visible, DEFAULT_THERMAL, 1)
    except ImageError:
        return None
    return measure_prepared(prepared)


def measure_prepared(pair: Prepared[Array]) -> Signs:
    """Measure a pair as it was prepared for a method that fuses the luma."""
    ir: Gray = pair.ir[0, 0]
    # What a warp leaves holds no measurement, so that the prepared image shows the visible one there.
    return measure(ir if pair.invalid is None else np.where(pair.invalid[0, 0], np.float32(0), ir), pair.vis[0, 0])


def remarks(measured: Sequence[tuple[str, Signs]]) -> list[str]:
    """Say which pairs of a data set look unregistered, and why, the worst first.

    Args:
        measured: the name of each pair, and what :func:`measure` returned.

    Returns:
        At most one line for each of the two signs.

    >>> remarks([("a", Signs(0.0, 0.0, 0.5, 0.2)), ("b", Signs(0.09, 0.0, 0.5, 0.2))])
    ['1 of 2 infrared images has a black border, as a warp leaves it; check the registration of b (9% of the image)']
    """
    warped = [(one.border, name) for name, one in measured if one.warped]
    shifted = [(one.shift, name) for name, one in measured if one.shifted]
    found = []
    if warped:
        have = (
            "has a black border, as a warp leaves it" if len(warped) == 1 else "have black borders, as warps leave them"
        )
        found.append(
            f"{len(warped)} of {len(measured)} infrared images {have}; "
            f"check the registration of {_named(warped, 'of the image')}"
        )
    if shifted:
        look = "looks unregistered: its edges agree" if len(shifted) == 1 else "look unregistered: their edges agree"
        found.append(
            f"{len(shifted)} of {len(measured)} pairs {look} better when one image is shifted; "
            f"check the registration of {_named(shifted, 'of its longer side')}"
        )
    return found


def doubt(measured: Sequence[Signs]) -> str | None:
    """Say that most of the first pairs of a folder look unregistered; None if they do not. A few registered ones do.

    >>> doubt([Signs(0.0, 0.1, 0.2, 0.3)] * 3)[:46]
    '3 of the first 3 pairs look unregistered: thei'
    """
    shifted = sum(one.shifted for one in measured)
    if len(measured) < _FEWEST_WATCHED or shifted <= len(measured) / 2:
        return None
    return (
        f"{shifted} of the first {len(measured)} pairs look unregistered: their edges agree better when one image is "
        "shifted; register the images first, or the results show the scene twice"
    )


def _named(pairs: Sequence[tuple[float, str]], whole: str) -> str:
    """Name pairs with their shares, the largest first, and count those beyond the first twenty."""
    some = ", ".join(f"{name} ({share:.0%} {whole})" for share, name in sorted(pairs, reverse=True)[:_NAMED])
    return f"{some} and {len(pairs) - _NAMED} more" if len(pairs) > _NAMED else some


def _agreement(ir: Gray, vis: Gray, border: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Compare the edges of two images at all shifts, as the correlation of their directions.

    Infrared and visible images share the directions of edges more than their strengths or signs.

    Args:
        ir, vis: (H, W).
        border: (H, W), where the edges of `ir` do not count.

    Returns:
        (2 * rows + 1, 2 * columns + 1), from -1 to 1, for the shifts that are tried. The middle is no shift.
    """
    height, width = (max(1, round(side * _SIDE / max(ir.shape))) for side in ir.shape)
    rows, columns = (min(_REACH, side // 4) for side in (height, width))
    ignored = cv2.resize(border.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0
    counts = cv2.erode((~ignored).astype(np.float32), np.ones((5, 5), np.uint8))
    moved = [_blurred(part * counts) for part in _directions(ir, width, height)]
    fixed = [
        _blurred(part)[rows : height - rows, columns : width - columns] for part in _directions(vis, width, height)
    ]
    product = sum(cv2.matchTemplate(one, other, cv2.TM_CCORR) for one, other in zip(moved, fixed, strict=True))
    energy = np.asarray(sum(part**2 for part in moved), np.float32)
    # The energy of the part of the infrared image that the window of the visible one covers.
    covered = cv2.matchTemplate(energy, np.ones_like(fixed[0]), cv2.TM_CCORR).clip(0)
    scale = np.sqrt(covered * sum(float((part**2).sum()) for part in fixed))
    return np.asarray(np.divide(product, scale, out=np.zeros_like(scale), where=scale > 1e-6), np.float32)


def _directions(image: Gray, width: int, height: int) -> tuple[Gray, Gray]:
    """The edges of an image as vectors of twice their angle, so that opposite gradients are equal."""
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    rows, columns = cv2.Sobel(small, cv2.CV_32F, 0, 1), cv2.Sobel(small, cv2.CV_32F, 1, 0)
    # The square root keeps a few strong edges from deciding.
    strength, angle = np.sqrt(np.hypot(rows, columns)), 2 * np.arctan2(rows, columns)
    return strength * np.cos(angle), strength * np.sin(angle)


def _blurred(image: Gray) -> Gray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), _BLUR), np.float32)
