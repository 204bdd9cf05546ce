"""Alignment: bring the images of a pair to one field of view and one size, by a calibration."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from irfuse import notices
from irfuse.choices import check_choice
from irfuse.imaging import planes
from irfuse.imaging.arrays import Array
from irfuse.imaging.planes import Planes
from irfuse.io.thermal.export import exact
from irfuse.registration import geometry
from irfuse.registration.calibration import Calibration
from irfuse.registration.geometry import Matrix, Size

Onto = Literal["vis", "ir"]
"""The image whose pixels both images get."""

_SEAM = 0.03
"""The width of the soft seam, as a share of the image's diagonal."""


class Aligner(Protocol):
    """Brings the images of a pair to one field of view and one size.

    The image that is warped has no pixels outside of its own field of view. There, its planes are invalid and have a
    weight of 0, which rises to 1 along a soft seam.
    """

    def __call__(self, ir: Planes[Any], vis: Planes[Any]) -> tuple[Planes[Array], Planes[Array]]: ...


def aligned_infrared(align: Aligner, ir: Array, vis: Array) -> Array:
    """Bring the infrared image of a pair to the field of view of the fused image, for a file of its temperatures.

    Args:
        align: brings both images to one size.
        ir, vis: (H, W) or (H, W, C).

    Returns:
        The infrared image, as :func:`filled` returns it.
    """
    # What is wrong with the pair is said when it is fused.
    with notices.collected():
        infrared, _ = align(planes.from_array(ir, "infrared"), planes.from_array(vis, "visible"))
    return filled(infrared)


def filled(image: Planes[Array]) -> Array:
    """Return an aligned image for a file, with 0 or NaN where its camera sees nothing.

    Args:
        image: one image.

    Returns:
        (H, W) or (H, W, C), ``uint8``, ``uint16`` or ``float32``. NaN is only in infrared images of ``float32``.

    Raises:
        ImageError: no file can hold the values, see :func:`irfuse.io.thermal.export.exact`.

    Warns:
        ImageFileWarning: counts become ``float32``.
    """
    values = exact(image.values)
    if values.dtype.kind == "f":
        values = values.astype(np.float32)
    if image.invalid is not None:
        hole = np.nan if image.role == "infrared" and values.dtype.kind == "f" else 0
        values = np.where(image.invalid, np.asarray(hole, values.dtype), values)
    return image.restore(values)


@dataclass(frozen=True)
class Alignment:
    """The way of both images of a rig to one field of view and one size.

    Args:
        calibration: of the rig.
        onto: the image that stays as it is: ``vis`` or ``ir``.
        crop: cut both images to what both show.

    Raises:
        ParameterError: `onto` is unknown.
    """

    calibration: Calibration
    onto: Onto = "vis"
    crop: bool = False

    def __post_init__(self) -> None:
        check_choice("onto", self.onto, Onto)

    def __call__(self, ir: Planes[Any], vis: Planes[Any]) -> tuple[Planes[Array], Planes[Array]]:
        """Align a pair, or a batch of pairs.

        Raises:
            PairError: the sizes are not those of the calibration.
        """
        self.calibration.check(ir.size, vis.size)
        infrared, visible = ir.arrays(), vis.arrays()
        if self.onto == "vis":
            infrared = self._warped(infrared)
        else:
            visible = self._warped(visible)
        if not self.crop:
            return infrared, visible
        return _cut(infrared, self.window), _cut(visible, self.window)

    @cached_property
    def window(self) -> tuple[slice, slice]:
        """The largest part, found by cutting the worst sides off, that both images show, as rows and columns."""
        seen = self._weight > 0
        top, left = 0, 0
        bottom, right = seen.shape
        while bottom - top > 1 and right - left > 1:
            part = seen[top:bottom, left:right]
            if part.all():
                break
            shares = [part[0].mean(), part[-1].mean(), part[:, 0].mean(), part[:, -1].mean()]
            worst = int(np.argmin(shares))
            top, bottom = top + (worst == 0), bottom - (worst == 1)
            left, right = left + (worst == 2), right - (worst == 3)
        return slice(top, bottom), slice(left, right)

    @cached_property
    def _matrix(self) -> Matrix:
        """The matrix of the image that is warped to the one that stays."""
        matrix = self.calibration.array
        return matrix if self.onto == "vis" else geometry.inverse(matrix)

    @property
    def _size(self) -> Size:
        """The size of the image that stays."""
        return self.calibration.vis_size if self.onto == "vis" else self.calibration.ir_size

    @cached_property
    def _weight(self) -> NDArray[np.float32]:
        """How much the warped image counts, (H, W): 0 outside of its field of view, and rising to 1 inside of it."""
        source = self.calibration.ir_size if self.onto == "vis" else self.calibration.vis_size
        inside = cv2.warpPerspective(
            np.full(source, 255, np.uint8), self._matrix, self._size[::-1], flags=cv2.INTER_NEAREST
        )
        if inside.all():
            return np.ones(self._size, np.float32)
        distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
        share = np.minimum(distance / max(1.0, _SEAM * float(np.hypot(*self._size))), 1)
        return np.asarray(share * share * (3 - 2 * share), np.float32)

    def _warped(self, image: Planes[Array]) -> Planes[Array]:
        dtype = image.values.dtype
        exact = np.float64 if dtype in (np.int32, np.float64) else np.float32
        values = image.values.astype(exact)
        hidden = np.zeros(values.shape[:1] + values.shape[2:], bool) if image.invalid is None else image.invalid[:, 0]
        outside = np.broadcast_to(self._weight == 0, (len(values), *self._size))
        warped, invalid = [], []
        for one, mask in zip(values, hidden, strict=True):
            if mask.any():
                # NaN would spread, and fill values would show beside the holes.
                one = np.where(mask, np.median(one[:, ~mask]), one)
            result = _warp(one, self._matrix, self._size, cv2.INTER_CUBIC)
            warped.append(result.clip(one.min(), one.max()))
            invalid.append(_warp(mask[None].astype(np.float32), self._matrix, self._size, cv2.INTER_LINEAR)[0] > 0.01)
        found = np.stack(warped)
        unseen = (np.stack(invalid) | outside)[:, None]
        return replace(
            image,
            values=(np.rint(found) if dtype.kind in "iu" else found).astype(dtype),
            invalid=unseen if unseen.any() else None,
            weight=None if (self._weight == 1).all() else self._weight[None, None],
        )


def _warp(channels: Array, matrix: Matrix, size: Size, kernel: int) -> Array:
    """Warp channels, (C, H, W), each to a size; beyond their edges, the edges go on."""
    shape: Size = channels.shape[1:]
    scale = geometry.mean_scale(matrix, shape)
    if scale < 1:
        # By area, since a warp skips pixels.
        height, width = (max(1, round(side * scale)) for side in shape)
        channels = np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in channels])
        matrix = matrix @ geometry.inverse(geometry.resizing(shape, (height, width)))
    return np.stack(
        [
            cv2.warpPerspective(one, matrix, size[::-1], flags=kernel, borderMode=cv2.BORDER_REPLICATE)
            for one in channels
        ]
    )


def _cut(image: Planes[Array], window: tuple[slice, slice]) -> Planes[Array]:
    """Cut the same part out of all that belongs to an image; inside, it counts fully."""
    part = (..., *window)
    invalid = None if image.invalid is None else image.invalid[part]
    return replace(
        image,
        values=np.ascontiguousarray(image.values[part]),
        invalid=None if invalid is None or not invalid.any() else np.ascontiguousarray(invalid),
        weight=None,
    )
