"""What a protocol is: one toolbox's exact way to compute metrics, as data."""

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
        function: takes (fused, ir, vis), (B, 1, H, W) of 8-bit levels over 255 in float64, and gives (B,).
        note: what is peculiar to it.
        tolerance: the relative error against the toolbox's own values that is reached or must be allowed.
        minimum: the smallest height and width, where it is not the metric's.
        planes: in colour, whether the score is the mean over those of R, G and B, each in its turn (``apart``), or the
            function takes them all at once, (B, 3, H, W) (``together``).
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


@shared
def stretched(images: Tensor) -> Tensor:
    """Each image stretched to [0, 1] and rounded to 8 bits, half away from zero as MATLAB does.

    A constant image becomes NaN, and so does what is computed of it; a histogram takes it for one level.
    """
    levels = (images * 255).round()
    low, high = levels.amin(dim=(1, 2, 3), keepdim=True), levels.amax(dim=(1, 2, 3), keepdim=True)
    return ((levels - low) / (high - low) * 255 + 0.5).floor() / 255


def on_stretched(metric: Metric) -> Metric:
    """A metric of images that are stretched first, each by itself."""
    return partial(_on_stretched, metric)


def on_scaled(metric: Metric, scale: float) -> Metric:
    """A metric that takes images in [0, scale]."""
    return partial(_on_scaled, metric, scale)


# Not closures, which could not be sent to another process.
def _on_stretched(metric: Metric, fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    return metric(*(stretched(image) for image in (fused, ir, vis)))


def _on_scaled(metric: Metric, scale: float, fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    return metric(*(scaled(image, scale) for image in (fused, ir, vis)))
