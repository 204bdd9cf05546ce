"""Palettes: the colors that thermal cameras give to cold and hot."""

from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from irfuse.choices import check_choice

Palette = Literal["iron", "inferno", "white-hot", "black-hot", "rainbow", "arctic"]
"""The names of the palettes."""

_OF_OPENCV = {"inferno": cv2.COLORMAP_INFERNO, "rainbow": cv2.COLORMAP_TURBO}
_POINTS: dict[str, list[tuple[float, tuple[int, int, int]]]] = {
    "white-hot": [(0, (0, 0, 0)), (1, (255, 255, 255))],
    "black-hot": [(0, (255, 255, 255)), (1, (0, 0, 0))],
    "iron": [
        (0, (0, 0, 16)),
        (0.14, (36, 0, 120)),
        (0.34, (136, 0, 156)),
        (0.52, (208, 44, 92)),
        (0.68, (238, 104, 16)),
        (0.84, (252, 180, 8)),
        (0.95, (255, 236, 110)),
        (1, (255, 255, 246)),
    ],
    "arctic": [
        (0, (4, 8, 52)),
        (0.25, (20, 60, 190)),
        (0.5, (80, 180, 235)),
        (0.62, (165, 180, 170)),
        (0.75, (220, 150, 40)),
        (0.9, (250, 205, 60)),
        (1, (255, 248, 205)),
    ],
}
"""Colors at some places from cold, 0, to hot, 1. Those between are interpolated."""


@cache
def table(name: Palette) -> NDArray[np.uint8]:
    """Return the colors of a palette from cold to hot, (256, 3), RGB.

    Raises:
        ParameterError: there is no such palette.

    >>> table("white-hot")[[0, 128, 255]].tolist()
    [[0, 0, 0], [128, 128, 128], [255, 255, 255]]
    """
    check_choice("palette", name, Palette)
    if name in _OF_OPENCV:
        gray = np.arange(256, dtype=np.uint8)[None]
        colors = cv2.applyColorMap(gray, _OF_OPENCV[name])[0, :, ::-1].astype(np.uint8)
    else:
        places, points = zip(*_POINTS[name], strict=True)
        at = np.linspace(0, 1, 256)
        channels = [np.interp(at, places, channel) for channel in zip(*points, strict=True)]
        colors = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    colors.setflags(write=False)
    return colors


def colored(unit: NDArray[np.floating], name: Palette) -> NDArray[np.uint8]:
    """Color values from cold, 0, to hot, 1.

    Args:
        unit: (H, W); what lies outside [0, 1] is clipped.
        name: the palette.

    Returns:
        (H, W, 3), RGB.

    >>> colored(np.array([[0.0, 2.0]]), "black-hot").tolist()
    [[[255, 255, 255], [0, 0, 0]]]
    """
    colors: NDArray[np.uint8] = table(name)[np.rint(unit.clip(0, 1) * 255).astype(np.uint8)]
    return colors
