"""Checks of the data before a training starts."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from irfuse import notices
from irfuse.errors import SuspiciousPairWarning, TrainingError
from irfuse.io.pairs import Pair
from irfuse.progress import Progress
from irfuse.training.reading import Gray, read_gray, read_pair

_SIDE = 128
_REACH = 16
_ALLOWED = 4
_SUSPICIOUS = 0.75
"""Of all pairs. A few registered pairs look shifted; at night, when the two sensors see different things, half do."""
_NAMED = 3


def check_images(images: Sequence[Path], on_step: Progress) -> None:
    """Read every image once, so that a bad one stops the training before it starts.

    Raises:
        TrainingError: there is no image.
        ImageError: a file cannot be read.
    """
    if not images:
        raise TrainingError("there are no images to train on: give --images")
    for number, path in enumerate(images, 1):
        read_gray(path)
        on_step(number, len(images), f"checking {path.name}")


def check_pairs(pairs: Sequence[Pair], on_step: Progress) -> None:
    """Read every pair once, so that a bad one stops the training before it starts.

    Raises:
        ImageError: a file cannot be read.
        PairError: the sizes of a pair differ.

    Warns:
        SuspiciousPairWarning: three quarters of the pairs look unregistered.
    """
    apart: list[tuple[float, str]] = []
    for number, pair in enumerate(pairs, 1):
        ir, vis = read_pair(pair, 1)
        shift = offset(ir, vis[..., 0])
        if shift > _ALLOWED / _SIDE:
            apart.append((shift, pair.name))
        on_step(number, len(pairs), f"checking {pair.name}")
    if len(apart) > _SUSPICIOUS * len(pairs):
        worst = ", ".join(
            f"{name} ({shift:.0%} of its longer side)" for shift, name in sorted(apart)[: -_NAMED - 1 : -1]
        )
        notices.warn(
            SuspiciousPairWarning(
                f"{len(apart)} of {len(pairs)} pairs look unregistered: their edges agree better when one image is "
                f"shifted, as in {worst}"
            )
        )


def offset(ir: Gray, vis: Gray) -> float:
    """Find the shift of one image at which the edges of both agree best, as a share of its longer side.

    Args:
        ir, vis: (H, W).
    """
    ir_edges, vis_edges = _edges(ir), _edges(vis)
    window = vis_edges[_REACH:-_REACH, _REACH:-_REACH]
    agreement = cv2.matchTemplate(ir_edges, window, cv2.TM_CCOEFF_NORMED)
    row, column = np.unravel_index(int(agreement.argmax()), agreement.shape)
    return float(np.hypot(row - _REACH, column - _REACH)) / _SIDE


def _edges(image: Gray) -> Gray:
    """The strength of the edges, blurred so that they need not coincide exactly."""
    factor = _SIDE / max(image.shape)
    height, width = (max(3 * _REACH, round(side * factor)) for side in image.shape)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    rows, columns = cv2.Sobel(small, cv2.CV_32F, 0, 1), cv2.Sobel(small, cv2.CV_32F, 1, 0)
    return np.asarray(cv2.GaussianBlur(np.sqrt(np.hypot(rows, columns)), (0, 0), 1.5), np.float32)
