"""Planes: the native values of images, their preparation for a method, and the way back.

    native values -> [0, 1] -> luma -> (a method fuses) -> color and alpha of the visible image -> native values

This is the only preparation of pixels. It takes NumPy arrays and PyTorch tensors, so that machines without PyTorch and
engines that work on arrays compute exactly what PyTorch computes. Shapes are (B, C, H, W) throughout.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal

import numpy as np
from numpy.typing import NDArray

from irfuse.errors import ImageError
from irfuse.imaging import inspection
from irfuse.imaging.arrays import Array as Array
from irfuse.imaging.arrays import T, dtype_name, join, not_finite, to_array, to_float32, where
from irfuse.imaging.color import Color, gray, recolor
from irfuse.imaging.levels import (
    THERMAL_ONLY,
    Levels,
    Percentiles,
    check_celsius,
    check_range,
    full_scale,
    is_unit,
    to_native,
)

if TYPE_CHECKING:
    from torch import Tensor

Role = Literal["infrared", "visible", "fused"]
"""What an image is of a pair, and what messages call it."""


@dataclass(frozen=True)
class Planes(Generic[T]):
    """An image, or a batch of images of one size, in its native values.

    Attributes:
        values: (B, C, H, W), ``uint8``, ``uint16`` or floating point, for an infrared image also ``int16`` or
            ``int32``. C is 1 for gray, 2 for gray with alpha, 3 for RGB and 4 for RGB with alpha.
        role: what messages call it.
        dimensions: how many the image had as it was given: 2, 3 or 4.
        invalid: (B, 1, H, W), true where an infrared image holds no measurement; None if it is valid everywhere.
            Levels leave these pixels out, and the fused image shows only the visible image there.
        weight: (1, 1, H, W) in [0, 1], how much an image counts that was warped to the view of another camera, and ends
            where its own field of view does; None if it counts fully. Where it is 0, the fused image shows only the
            other image of the pair. At most one image of a pair has a weight.
    """

    values: T
    role: Role
    dimensions: int
    invalid: T | None = None
    weight: T | None = None

    @property
    def dtype(self) -> str:
        """The name of the native dtype, such as ``uint8``."""
        return dtype_name(self.values)

    @property
    def size(self) -> tuple[int, int]:
        """The height and width."""
        height, width = self.values.shape[2:]
        return height, width

    def unit(self) -> T:
        """Scale the values to [0, 1] by the full range of their dtype, (B, C, H, W) in float32.

        Raises:
            ImageError: floating-point values lie outside [0, 1].
        """
        return _unit(to_float32(self.values), self.dtype, self.role)

    def luma(self) -> T:
        """Scale the values to [0, 1] as :meth:`unit` does, and compute their luma, (B, 1, H, W) in float32."""
        return gray(self.unit())

    def measured_range(self) -> tuple[float, float]:
        """Return the smallest and the largest valid value of the first channel."""
        # PyTorch lacks the minimum of some dtypes.
        first = to_array(self.values[:, :1])
        valid = first if self.invalid is None else first[~to_array(self.invalid)]
        return float(valid.min()), float(valid.max())

    def thermal_luma(self, thermal: Levels | Percentiles) -> T:
        """Scale infrared values to [0, 1] and compute their luma, (B, 1, H, W) in float32.

        Args:
            thermal: `Levels` apply to every dtype. `Percentiles` apply separately to each image of a batch, but not to
                ``uint8`` and to floating-point values in [0, 1], which are scaled by their full range.

        Returns:
            The luma. It means nothing at invalid pixels, but is finite.

        Raises:
            ImageError: `Levels` are in °C, and the image is not.

        Warns:
            SuspiciousPairWarning: no value lies within the levels, or outliers hold them.
        """
        if isinstance(thermal, Levels) and thermal.celsius:
            check_celsius("the thermal range", self.dtype, *self.measured_range())
        if isinstance(thermal, Percentiles) and self.dtype == "uint8":
            return gray(self.unit())
        return join([self._thermal_luma(thermal, slice(i, i + 1)) for i in range(len(self.values))])

    def _thermal_luma(self, thermal: Levels | Percentiles, i: slice) -> T:
        """Compute the thermal luma of one image of the batch."""
        values = to_float32(self.values[i])
        invalid = None if self.invalid is None else self.invalid[i]
        if invalid is not None:
            values = where(invalid, values[:, :, ~invalid[0, 0]].min(), values)
        if isinstance(thermal, Levels):
            return thermal.apply(gray(values))
        if self.dtype.startswith("float") and is_unit(float(values.min()), float(values.max())):
            return gray(_unit(values, self.dtype, self.role))
        counts = gray(values)
        return thermal.levels(to_array(counts if invalid is None else counts[~invalid])).apply(counts)

    def arrays(self) -> "Planes[Array]":
        """The same image in NumPy arrays, in the same memory where that is the CPU's."""
        invalid, weight = (None if part is None else to_array(part) for part in (self.invalid, self.weight))
        return Planes(to_array(self.values), self.role, self.dimensions, invalid, weight)

    def restore(self, fused: Array) -> Array:
        """Give fused arrays the form of this image as it was given.

        Args:
            fused: (B, C, H, W), where C is that of this image, or 1.

        Returns:
            (H, W), (H, W, C) or (B, H, W, C); (H, W) also where C is 1 and this image has more channels.
        """
        if self.dimensions == 4:
            return np.ascontiguousarray(np.moveaxis(fused, 1, 3))
        if self.dimensions == 2 or fused.shape[1] < self.values.shape[1]:
            plane: Array = fused[0, 0]
            return plane
        return np.ascontiguousarray(np.moveaxis(fused[0], 0, 2))

    def restore_tensor(self, fused: "Tensor") -> "Tensor":
        """Give fused tensors the form of this image as it was given: (H, W), (C, H, W) or (B, C, H, W)."""
        return fused if self.dimensions == 4 else fused[0] if self.dimensions == 3 else fused[0, 0]


@dataclass(frozen=True)
class Prepared(Generic[T]):
    """A pair as methods take it, and what its fused image needs on the way back.

    Attributes:
        ir: (B, 1, H, W) in [0, 1], float32.
        vis: (B, C, H, W) likewise: the luma, or RGB for a method that fuses in color.
        unit: the whole visible image in [0, 1], with its color and alpha.
        luma: its luma, (B, 1, H, W).
        other: like `vis`: what shows where the weight is 0.
        dtype: the name of the visible image's native dtype.
        invalid: as :class:`Planes` has it, of the infrared image.
        weight: as :class:`Planes` has it, of the image that was warped.
    """

    ir: T
    vis: T
    unit: T
    luma: T
    other: T
    dtype: str
    invalid: T | None
    weight: T | None = None

    def finish(self, fused: T, color: Color, *, stretch: bool) -> T:
        """Turn what a method made into native values.

        Args:
            fused: (B, C, H, W) in [0, 1], C as in `vis`.
            color: ``auto`` for the visible image's channels, ``gray`` for only the luma.
            stretch: whether to stretch each fused luma to the whole of [0, 1].

        Returns:
            (B, C, H, W), where C is that of the visible image, or 1, in its dtype.
        """
        channels = self.unit.shape[1]
        if self.invalid is not None:
            fused = where(self.invalid, self.vis, fused)
        if self.weight is not None:
            fused = self.other + self.weight * (fused - self.other)
        # The image whose chroma the result keeps: the visible one, or what a method fused in color.
        rgb = self.unit[:, : 3 if channels >= 3 else 1] if self.vis.shape[1] == 1 else fused
        luma = self.luma if self.vis.shape[1] == 1 else gray(fused)
        fused = luma if self.vis.shape[1] == 3 else fused
        if stretch:
            fused = join([_stretched(fused[i : i + 1]) for i in range(len(fused))])
        if color == "auto" and channels >= 3:
            fused = recolor(rgb, luma, fused)
        if color == "auto" and channels in (2, 4):
            fused = join([fused, self.unit[:, -1:]], axis=1)
        return to_native(fused, self.dtype)


def read(image: "Array | Tensor", role: Role) -> Planes[Any]:
    """Read an array, see :func:`from_array`, or a tensor, see :func:`from_tensor`."""
    torch = sys.modules.get("torch")
    return from_tensor(image, role) if torch and isinstance(image, torch.Tensor) else from_array(image, role)  # type: ignore[arg-type]


def from_array(image: Array, role: Role) -> Planes[Array]:
    """Read an array: (H, W), (H, W, C) or (B, H, W, C).

    Raises:
        ImageError: it is no array or no image, it is empty, its dtype is not supported, or it holds NaN or infinity; an
            infrared image may hold these, but not only these.

    >>> from_array(np.zeros((48, 64, 3), np.uint8), "visible").values.shape
    (1, 3, 48, 64)
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(f"{role}: an array or a tensor is needed, not {type(image).__name__}")
    _check(image, role, -1, "(H, W), (H, W, C) or (B, H, W, C)")
    # PyTorch takes neither foreign byte orders nor, without a warning, read-only memory.
    values = np.require(image, image.dtype.newbyteorder("="), ["C", "W"])
    values = values[None] if values.ndim < 4 else values
    values = values[None] if image.ndim == 2 else np.moveaxis(values, 3, 1)
    return Planes(values, role, image.ndim, _invalid(values, role))


def from_tensor(image: "Tensor", role: Role) -> Planes["Tensor"]:
    """Read a tensor: (H, W), (C, H, W) or (B, C, H, W).

    Invalid pixels are looked for on the CPU. Infrared images on a GPU are copied there for it.

    Raises:
        ImageError: as :func:`from_array` raises it.
    """
    _check(image, role, -3, "(H, W), (C, H, W) or (B, C, H, W)")
    values = image[None] if image.ndim < 4 else image
    values = values[None] if image.ndim == 2 else values
    invalid = _invalid(to_array(values), role)
    on_device = None if invalid is None else sys.modules["torch"].from_numpy(invalid).to(values.device)
    return Planes(values, role, image.ndim, on_device)


def prepare(ir: Planes[T], vis: Planes[T], thermal: Levels | Percentiles, channels: Literal[1, 3] = 1) -> Prepared[T]:
    """Prepare a pair for a method.

    Args:
        ir, vis: the images, which :func:`irfuse.imaging.checks.check_pair` accepts.
        thermal: as :meth:`Planes.thermal_luma` takes it.
        channels: of the visible image as the method takes it: 1 is the luma, 3 is RGB.

    Raises:
        ImageError: as :meth:`Planes.unit` raises it.
    """
    unit = vis.unit()
    luma = gray(unit)
    rgb = unit[:, :3] if unit.shape[1] >= 3 else join([unit[:, :1]] * 3, axis=1)
    infrared = ir.thermal_luma(thermal)
    # Most methods leave two equal images as they are, so that the result has no seam. Beyond its camera's field of
    # view, an image is continued instead: methods would show the change to the other image as an edge.
    hidden = ir.invalid if ir.invalid is None or ir.weight is None else ir.invalid & (ir.weight > 0)
    if hidden is not None:
        infrared = where(hidden, luma, infrared)
    given = luma if channels == 1 else rgb
    other, weight = given, ir.weight
    if vis.weight is not None:
        other, weight = join([infrared] * channels, axis=1), vis.weight
        unit = _completed(unit, infrared, vis.weight)
        luma = gray(unit)
    return Prepared(infrared, given, unit, luma, other, vis.dtype, ir.invalid, weight)


def eight_bits(planes: Planes[Array], thermal: Levels | Percentiles | None = None) -> NDArray[np.float64]:
    """Round an image to 8 bits, as scores are computed: levels of 255, divided by 255.

    Args:
        planes: one image.
        thermal: how infrared values become [0, 1], as :meth:`Planes.thermal_luma` takes it; None is the full range of
            the dtype.

    Returns:
        (C, H, W) in float64, C is 1 or 3: without alpha.

    Raises:
        ImageError: as :meth:`Planes.unit` raises it, levels are in °C and the image is not, or values are NaN or
            infinite, which no metric takes.
    """
    _check_finite(planes.values, planes.role)
    if isinstance(thermal, Levels) and thermal.celsius:
        check_celsius("the thermal range", planes.dtype, *planes.measured_range())
    values = planes.values[0, : 3 if planes.values.shape[1] >= 3 else 1].astype(np.float64)
    if isinstance(thermal, Percentiles):
        measured = values if planes.invalid is None else values[:, ~planes.invalid[0, 0]]
        is_scaled = planes.dtype == "uint8" or (
            planes.dtype.startswith("float") and is_unit(float(measured.min()), float(measured.max()))
        )
        thermal = None if is_scaled else thermal.levels(measured)
    unit = _unit(values, planes.dtype, planes.role) if thermal is None else thermal.apply(values)
    rounded: NDArray[np.float64] = np.rint(unit * 255) / 255
    return rounded


def _check(image: T, role: Role, channel_axis: int, forms: str) -> None:
    """Refuse what is no image."""
    if not (role == "infrared" and dtype_name(image) in THERMAL_ONLY):
        full_scale(dtype_name(image), role)
    shape = tuple(image.shape)
    if len(shape) not in (2, 3, 4) or (len(shape) > 2 and shape[channel_axis] not in (1, 2, 3, 4)):
        raise ImageError(f"{role}: the shape {shape} is not {forms} with C from 1 to 4")
    if 0 in shape:
        raise ImageError(f"{role}: the image is empty, its shape is {shape}")
    if role != "infrared":
        _check_finite(image, role)


def _check_finite(image: T, role: Role) -> None:
    bad = not_finite(image)
    if bad:
        raise ImageError(f"{role}: {bad} values are NaN or infinite; replace them")


def _invalid(values: Array, role: Role) -> Array | None:
    """Find the pixels of infrared images, (B, C, H, W), that hold no measurement, and refuse images of only these."""
    if role != "infrared":
        return None
    invalid = inspection.invalid_pixels(values)
    if invalid is not None and invalid.all(axis=(1, 2, 3)).any():
        _check_finite(values, role)
        raise ImageError("infrared: no pixel holds a measurement; check how the image was exported")
    return invalid


def _unit(values: T, dtype: str, role: Role) -> T:
    """Scale floats that hold native values of a dtype to [0, 1]; those of an integer dtype are changed in place."""
    scale = full_scale(dtype, role)
    if not dtype.startswith("float"):
        values /= scale
        return values
    check_range(float(values.min()), float(values.max()), role)
    return values.clip(0, 1)


def _completed(unit: T, infrared: T, weight: T) -> T:
    """Let the infrared luma take the place of a visible image's gray or color where that one does not count."""
    colors = 3 if unit.shape[1] >= 3 else 1
    completed = infrared + weight * (unit[:, :colors] - infrared)
    return completed if unit.shape[1] == colors else join([completed, unit[:, colors:]], axis=1)


def _stretched(image: T) -> T:
    low, high = float(image.min()), float(image.max())
    stretched: T = (image - low) / (high - low if high > low else 1)
    return stretched
