"""Optical flow: where the pixels of one frame lie in another one.

A flow is (H, W, 2) in ``float32``: how many pixels to the right and down the content of each pixel has moved.
"""

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Flow: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

SMALLEST = 16
"""The smallest height and width of :func:`dis`. OpenCV reads beyond the memory of smaller images, and may crash."""


def dis(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Flow:
    """Estimate the flow from one frame to another by dense inverse search, OpenCV's preset "medium".

    T. Kroeger, R. Timofte, D. Dai, L. Van Gool: "Fast Optical Flow using Dense Inverse Search", ECCV 2016.

    Args:
        first, second: gray frames, (H, W), at least 16x16 pixels.

    Returns:
        (H, W, 2), on the pixels of `first`. It is the same for any number of threads.

    >>> scene = cv2.GaussianBlur(np.random.default_rng(0).random((64, 80)), (0, 0), 2)
    >>> scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    >>> flow = dis(scene, np.roll(scene, 2, axis=1))
    >>> bool((np.abs(np.median(flow, axis=(0, 1)) - (2, 0)) < 0.1).all())
    True
    """
    # An estimator holds buffers, which threads must not share.
    estimator = cv2.DISOpticalFlow.create(cv2.DISOpticalFlow_PRESET_MEDIUM)
    frames = np.ascontiguousarray(first), np.ascontiguousarray(second)
    return np.asarray(estimator.calc(*frames, None), np.float32)  # type: ignore[call-overload]


def warp(image: NDArray[np.float32], flow: Flow) -> NDArray[np.float32]:
    """Take each pixel from where the flow points to, by bilinear interpolation.

    Args:
        image: (H, W) or (H, W, C): what lies where the flow points to.
        flow: (H, W, 2).

    Returns:
        The shape of `image`. Beyond the image, its edge is repeated.

    >>> image = np.arange(6, dtype=np.float32).reshape(2, 3)
    >>> warp(image, np.full((2, 3, 2), (0.5, 0), np.float32)).tolist()
    [[0.5, 1.5, 2.0], [3.5, 4.5, 5.0]]
    """
    x, y = _targets(flow)
    # OpenCV rounds the places in an image of two channels, such as a flow, to 1/32 pixel, and in single channels not.
    channels = [image] if image.ndim == 2 else [image[..., i] for i in range(image.shape[2])]
    warped = [cv2.remap(channel, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for channel in channels]
    return np.asarray(warped[0] if image.ndim == 2 else np.stack(warped, axis=-1), np.float32)


def is_consistent(flow: Flow, back: Flow, *, relative: float, absolute: float) -> Mask:
    """Mark the pixels that the flow to another frame and the flow back bring to where they were.

    These are the pixels that lie in the other frame and for which ``|f + b|² < relative (|f|² + |b|²) + absolute``,
    where f is the flow of a pixel and b the flow back, taken where f points to.

    Args:
        flow: (H, W, 2).
        back: (H, W, 2), on the pixels of the other frame.
        relative: without a unit.
        absolute: in square pixels.

    Returns:
        (H, W).

    >>> right = np.full((4, 5, 2), (1, 0), np.float32)
    >>> is_consistent(right, -right, relative=0, absolute=1)[0].tolist()
    [True, True, True, True, False]
    """
    height, width = flow.shape[:2]
    x, y = _targets(flow)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    returned = warp(back, flow)
    limit = absolute if relative == 0 else relative * (_square(flow) + _square(returned)) + absolute
    closes: Mask = inside & (_square(flow + returned) < limit)
    return closes


def _targets(flow: Flow) -> tuple[Any, Any]:
    """Return the columns and the rows that a flow points to."""
    rows, columns = np.indices(flow.shape[:2], np.float32)
    return columns + flow[..., 0], rows + flow[..., 1]


def _square(flow: Flow) -> NDArray[np.float32]:
    square: NDArray[np.float32] = np.einsum("hwc,hwc->hw", flow, flow)
    return square
