"""From images and a protocol to scores: check, make grey or split the colours, round to 8 bits, compute in float64."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from irfuse.color import luma
from irfuse.errors import ImageError, PairError, ParameterError, UndefinedScoreWarning
from irfuse.levels import full_scale
from irfuse.metrics import METRICS
from irfuse.metrics.protocols import find
from irfuse.metrics.protocols.base import Protocol

_INFO = {info.name: info for info in METRICS}


def evaluate(
    fused: NDArray[Any],
    ir: NDArray[Any],
    vis: NDArray[Any],
    metrics: Sequence[str] | None = None,
    protocol: str = "canonical",
) -> dict[str, float]:
    """Score one fused image.

    Args:
        fused, ir, vis: (H, W) or (H, W, C), C from 1 to 4, ``uint8``, ``uint16`` or floats in [0, 1]; without alpha.
        metrics: their names; None means all of the protocol.
        protocol: its name.

    Returns:
        The scores by the metrics' names, in the order asked for. NaN where a score is undefined.

    Raises:
        ParameterError: there is no such protocol, or it does not define the metric.
        ImageError: an image cannot be scored: empty, NaN, a wrong shape, or smaller than a metric's window.
        PairError: the sizes differ.

    >>> image = np.arange(4096, dtype=np.uint16).reshape(64, 64) // 16
    >>> evaluate(image.astype(np.uint8), image.astype(np.uint8), image.astype(np.uint8), ["en", "mi"], "li")
    {'en': 8.0, 'mi': 16.0}
    """
    chosen = find(protocol)
    names = list(chosen.readings) if metrics is None else list(metrics)
    for name in names:
        if name not in chosen.readings:
            known = "is no metric" if name not in _INFO else f"is not defined by the protocol {protocol}"
            raise ParameterError(f"{name!r} {known}; choose among {', '.join(chosen.readings)}")
    planes = _planes(fused, ir, vis, chosen)
    smallest = min(planes[0].shape[2:])
    for name in names:
        if smallest < _INFO[name].minimum:
            side = _INFO[name].minimum
            raise ImageError(
                f"{name} needs images of at least {side}x{side}, the smaller side here has {smallest} pixels"
            )
    scores = {name: float(chosen.readings[name].function(*planes).mean()) for name in names}
    undefined = [name for name, score in scores.items() if score != score]
    if undefined:
        warnings.warn(
            f"{', '.join(undefined)}: undefined for these images (a constant image, or one that equals a source)",
            UndefinedScoreWarning,
            stacklevel=2,
        )
    return scores


def _planes(
    fused: NDArray[Any], ir: NDArray[Any], vis: NDArray[Any], protocol: Protocol
) -> tuple[Tensor, Tensor, Tensor]:
    """The images as batches of grey levels over 255: one each, or one for each of R, G and B."""
    names = ("fused", "infrared", "visible")
    images = [_unit(image, name) for image, name in zip((fused, ir, vis), names, strict=True)]
    sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in images]
    if len(set(sizes)) > 1:
        raise PairError("the sizes differ: " + ", ".join(map(" ".join, zip(names, sizes, strict=True))))
    if protocol.color == "luma" or all(image.shape[2] == 1 for image in images):
        images = [_luma(image) for image in images]
    else:
        images = [np.broadcast_to(image, (*image.shape[:2], 3)) for image in images]
    f, i, v = (torch.from_numpy(np.rint(np.moveaxis(image, 2, 0) * 255)[:, None] / 255) for image in images)
    return f, i, v


def _unit(image: NDArray[Any], name: str) -> NDArray[np.float64]:
    """An image without alpha, (H, W, 1) or (H, W, 3) in [0, 1]."""
    scale = full_scale(image.dtype.name, name)
    if image.ndim not in (2, 3) or 0 in image.shape or (image.ndim == 3 and image.shape[2] > 4):
        raise ImageError(f"{name}: an array of shape {image.shape} is not an image")
    unit = image.astype(np.float64) / scale
    unit = unit[..., None] if unit.ndim == 2 else unit
    if not np.isfinite(unit).all():
        raise ImageError(f"{name}: {int((~np.isfinite(unit)).sum())} values are NaN or infinite")
    if unit.min() < 0 or unit.max() > 1:
        raise ImageError(f"{name}: floating-point values must lie in [0, 1]")
    return unit[..., : 3 if unit.shape[2] >= 3 else 1]


def _luma(image: NDArray[np.float64]) -> NDArray[np.float64]:
    return luma(*np.moveaxis(image, 2, 0))[..., None] if image.shape[2] == 3 else image
