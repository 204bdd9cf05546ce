"""What a protocol is: one toolbox's exact way to compute metrics, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Metric = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Reading:
    """One metric as one toolbox computes it.

    Attributes:
        function: takes (fused, ir, vis), (B, 1, H, W) of 8-bit levels over 255 in float64, and gives (B,).
        note: what is peculiar to it.
        tolerance: the relative error against the toolbox's own values that is reached or must be allowed.
    """

    function: Metric
    note: str = ""
    tolerance: float = 1e-4


@dataclass(frozen=True)
class Protocol:
    """A table of readings.

    Attributes:
        name, title: of the protocol.
        source: the code or the paper that it follows.
        color: whether colour images are scored by their luma, or by the mean over the scores of R, G and B.
        readings: by the metric's name.
    """

    name: str
    title: str
    source: str
    color: Literal["luma", "rgb"]
    readings: Mapping[str, Reading]


def stretched(images: Tensor) -> Tensor:
    """Each image stretched to [0, 1] and rounded to 8 bits, half away from zero as MATLAB does.

    A constant image becomes NaN, of which all that is computed is NaN.
    """
    levels = (images * 255).round()
    low, high = levels.amin(dim=(1, 2, 3), keepdim=True), levels.amax(dim=(1, 2, 3), keepdim=True)
    return ((levels - low) / (high - low) * 255 + 0.5).floor() / 255


def on_stretched(metric: Metric, scale: float = 1.0) -> Metric:
    """A metric of images that are stretched first, each by itself, and then brought to [0, scale]."""

    def measure(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
        return metric(*(stretched(image) * scale for image in (fused, ir, vis)))

    return measure


def on_scaled(metric: Metric, scale: float) -> Metric:
    """A metric that takes images in [0, scale]."""

    def measure(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
        return metric(*((image * scale) for image in (fused, ir, vis)))

    return measure
