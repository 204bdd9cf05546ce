"""The data of a protocol, which is one toolbox's exact way to compute metrics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import Tensor

from irfuse.ops.filters import scaled
from irfuse.ops.sharing import shared

Metric = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Reading:
    """One metric as one toolbox computes it.

    Attributes:
        function: the computation. It takes fused, ir and vis, (B, 1, H, W) each, and returns (B,). The images are 8-bit
            levels divided by 255, in float64.
        note: the difference from other toolboxes.
        tolerance: the allowed relative error against the toolbox's values.
        minimum: the smallest height and width in pixels; None means the metric's.
        planes: how the score of a color image is computed: ``apart`` averages the scores of R, G and B, and
            ``together`` passes all three to the function at once, (B, 3, H, W).
    """

    function: Metric
    note: str = ""
    tolerance: float = 1e-4
    minimum: int | None = None
    planes: Literal["apart", "together"] = "apart"


@dataclass(frozen=True)
class Protocol:
    """A table of readings.

    Attributes:
        name, title: the name in commands, and the name in words.
        source: the code or the paper that the protocol follows.
        color: whether color images are scored by their luma or by the mean of the scores of R, G and B.
        readings: the readings by the name of the metric.
    """

    name: str
    title: str
    source: str
    color: Literal["luma", "rgb"]
    readings: Mapping[str, Reading]


@shared
def stretched(images: Tensor) -> Tensor:
    """Stretch each image to [0, 1] and round it to 8 bits, with halves rounded up as in MATLAB.

    A constant image becomes NaN, and so do most metrics of it. A histogram counts it as a single level.
    """
    levels = (images * 255).round()
    low, high = levels.amin(dim=(1, 2, 3), keepdim=True), levels.amax(dim=(1, 2, 3), keepdim=True)
    return ((levels - low) / (high - low) * 255 + 0.5).floor() / 255


def on_stretched(metric: Metric) -> Metric:
    """Return a metric that first stretches each image separately."""
    return partial(_on_stretched, metric)


def on_scaled(metric: Metric, scale: float) -> Metric:
    """Return a metric that first scales the images to [0, scale]."""
    return partial(_on_scaled, metric, scale)


# Module-level functions, because closures cannot be sent to worker processes.
def _on_stretched(metric: Metric, fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    return metric(*(stretched(image) for image in (fused, ir, vis)))


def _on_scaled(metric: Metric, scale: float, fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    return metric(*(scaled(image, scale) for image in (fused, ir, vis)))
