"""Alignment: bring the images of a pair to one field of view and one size, by a calibration."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from irfuse.choices import check_choice
from irfuse.imaging.arrays import Array
from irfuse.imaging.planes import Planes
from irfuse.registration import geometry
from irfuse.registration.calibration import Calibration
from irfuse.registration.geometry import Matrix, Size

Onto = Literal["vis", "ir"]
"""The image whose pixels both images get."""

_SEAM = 0.03
"""The width of the soft seam, as a share of the image's diagonal."""
_LARGE = 1.0
"""The scale below which an image is reduced by area, since a warp skips pixels."""


class Aligner(Protocol):
    """Brings the images of a pair to one field of view and one size. Its results count by their weights."""

    def __call__(self, ir: Planes[Any], vis: Planes[Any]) -> tuple[Planes[Array], Planes[Array]]: ...


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

        The image that is warped has no pixels outside of its own field of view. There, its planes are invalid and have
        a weight of 0, which rises to 1 along a soft seam.

        Raises:
            PairError: the sizes are not those of the calibration.
        """
        height, width = ir.values.shape[2:]
        self.calibration.check((height, width), tuple(vis.values.shape[2:]))
        infrared, visible = ir.arrays(), vis.arrays()
        if self.onto == "vis":
            infrared = self._warped(infrared)
        else:
            visible = self._warped(visible)
        if not self.crop:
            return infrared, visible
        return _cut(infrared, self.window), _cut(visible, self.window)

    def array(self, image: Array) -> Array:
        """Warp an image that is fused with nothing, such as temperatures: (H, W) or (H, W, C), NaN where it is unseen.

        Only the infrared image onto the visible one; with `onto` ``ir``, it stays as it is.
        """
        values = image.astype(np.float32)
        if self.onto == "vis":
            planes = np.moveaxis(values[..., None] if values.ndim == 2 else values, 2, 0)
            values = np.moveaxis(_warp(planes, self._matrix, self._size, cv2.INTER_LINEAR), 0, 2).reshape(
                *self._size, *image.shape[2:]
            )
            values[self._weight == 0] = np.nan
        return values[self.window] if self.crop else values

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
        return matrix if self.onto == "vis" else np.asarray(np.linalg.inv(matrix))

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

    def _warped(self, planes: Planes[Array]) -> Planes[Array]:
        dtype = planes.values.dtype
        exact = np.float64 if dtype in (np.int32, np.float64) else np.float32
        values = planes.values.astype(exact)
        hidden = np.zeros(values.shape[:1] + values.shape[2:], bool) if planes.invalid is None else planes.invalid[:, 0]
        outside = np.broadcast_to(self._weight == 0, (len(values), *self._size))
        warped, invalid = [], []
        for image, mask in zip(values, hidden, strict=True):
            if mask.any():
                # NaN would spread, and fill values would show beside the holes.
                image = np.where(mask, np.median(image[:, ~mask]), image)
            result = _warp(image, self._matrix, self._size, cv2.INTER_CUBIC)
            warped.append(result.clip(image.min(), image.max()))
            invalid.append(_warp(mask[None].astype(np.float32), self._matrix, self._size, cv2.INTER_LINEAR)[0] > 0.01)
        found = np.stack(warped)
        unseen = (np.stack(invalid) | outside)[:, None]
        return replace(
            planes,
            values=(np.rint(found) if dtype.kind in "iu" else found).astype(dtype),
            invalid=unseen if unseen.any() else None,
            weight=None if (self._weight == 1).all() else self._weight[None, None],
        )


def _warp(planes: Array, matrix: Matrix, size: Size, kernel: int) -> Array:
    """Warp planes, (C, H, W), each to a size; beyond their edges, the edges go on."""
    shape: Size = planes.shape[1:]  # type: ignore[assignment]
    scale = geometry.mean_scale(matrix, shape)
    if scale < _LARGE:
        height, width = (max(1, round(side * scale)) for side in shape)
        planes = np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in planes])
        matrix = matrix @ np.linalg.inv(geometry.resizing(shape, (height, width)))
    return np.stack(
        [
            cv2.warpPerspective(plane, matrix, size[::-1], flags=kernel, borderMode=cv2.BORDER_REPLICATE)
            for plane in planes
        ]
    )


def _cut(planes: Planes[Array], window: tuple[slice, slice]) -> Planes[Array]:
    """Cut the same part out of all that belongs to an image; inside, it counts fully."""
    part = (..., *window)
    invalid = None if planes.invalid is None else planes.invalid[part]
    return replace(
        planes,
        values=np.ascontiguousarray(planes.values[part]),
        invalid=None if invalid is None or not invalid.any() else np.ascontiguousarray(invalid),
        weight=None,
    )
