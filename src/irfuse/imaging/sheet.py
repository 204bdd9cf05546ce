"""Sheets: several images in one picture, with a caption above each column."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from irfuse.imaging.planes import Array

_GAP, _HEADER = 8, 36


def comparison(rows: Sequence[Sequence[Array]], captions: Sequence[str], width: int = 400) -> NDArray[np.uint8]:
    """Lay out images in rows, scaled to columns of equal width, on a white background.

    Args:
        rows: images of 8 or 16 bits, as :func:`irfuse.io.images.read` returns them; each row is as long as `captions`.
        captions: one for each column, in ASCII.
        width: the width of a column in pixels.

    Returns:
        (H, W, 3), RGB.

    >>> comparison([[np.zeros((10, 20), np.uint8)] * 3], ["infrared", "visible", "fused"]).shape
    (244, 1232, 3)
    """
    bands = [_beside([_fit(image, width) for image in row]) for row in rows]
    sheet = np.concatenate([_white(_HEADER, bands[0].shape[1]), *bands])
    for column, caption in enumerate(captions):
        place = (_GAP + column * (width + _GAP), _HEADER - 12)
        cv2.putText(sheet, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 1, cv2.LINE_AA)
    return sheet


def to_rgb8(image: Array) -> NDArray[np.uint8]:
    """Convert an image to 8-bit RGB, to look at it.

    Args:
        image: 8 or 16 bits, or floats in [0, 1], as :func:`irfuse.io.images.read` returns it. Alpha is left out.

    Returns:
        (H, W, 3).

    >>> to_rgb8(np.full((2, 3), 65535, np.uint16)).max()
    np.uint8(255)
    """
    if np.issubdtype(image.dtype, np.floating):
        image = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
    if image.dtype == np.uint16:
        image = np.rint(image / 257).astype(np.uint8)
    image = image[..., None] if image.ndim == 2 else image
    return np.asarray(image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2))


def _fit(image: Array, width: int) -> NDArray[np.uint8]:
    """Convert an image to 8-bit RGB of the given width."""
    image = to_rgb8(image)
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    kernel = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=kernel).astype(np.uint8)


def _beside(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    height = max(image.shape[0] for image in images)
    gap = _white(height, _GAP)
    cells = [np.concatenate([image, _white(height - image.shape[0], image.shape[1])]) for image in images]
    row = np.concatenate([gap, *(part for cell in cells for part in (cell, gap))], axis=1)
    return np.concatenate([row, _white(_GAP, row.shape[1])])


def _white(height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 255, np.uint8)
