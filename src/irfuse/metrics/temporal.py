"""Metrics of clips: how steady a fused clip is, compared with the motion of its scene.

Each is a pure function of neighboring frames, in gray levels of [0, 255], and of the flows between them, see
:mod:`irfuse.ops.flow`. Papers compute the flows by networks. The metrics whose names end in ``_dis`` are the papers'
formulas on OpenCV's DIS flow, so their values are not those of the papers.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from irfuse.ops.flow import SMALLEST, Flow, Mask, is_consistent, warp

Frame = NDArray[np.float32]
"""A gray frame, (H, W), or one in color, (H, W, C), in gray levels of [0, 255]."""


@dataclass(frozen=True)
class ClipMetricInfo:
    """The description of a metric of clips. For all of them, lower values are better.

    Attributes:
        name: the name in commands.
        title: the name in words.
        symbol: the symbol in LaTeX tables.
        unit: the unit of the values; empty if they have none.
        neighbors: the frames that a frame is compared with: only the previous one, or also the next one.
        minimum: the smallest height and width in pixels.
    """

    name: str
    title: str
    symbol: str
    unit: Literal["gray levels", "pixels", ""]
    neighbors: Literal["previous", "both"]
    minimum: int = SMALLEST


CLIP_METRICS: tuple[ClipMetricInfo, ...] = (
    ClipMetricInfo("warp_error", "warp error", "E_warp", "gray levels", "previous"),
    ClipMetricInfo("warp_ratio", "warp error relative to the sources", "R_warp", "", "previous"),
    ClipMetricInfo("level_jump", "jump of the mean level", "J", "gray levels", "both", minimum=1),
    ClipMetricInfo("biswe_dis", "bidirectional self-warping error", "BiSWE_DIS", "gray levels", "both"),
    ClipMetricInfo("ms2r_dis", "motion smoothness with two references", "MS2R_DIS", "pixels", "both"),
    ClipMetricInfo("flowd_dis", "flow difference", "flowD_DIS", "gray levels", "previous"),
)


def warp_error(frame: Frame, other: Frame, flow: Flow, mask: Mask) -> float:
    """Compute the mean difference between a frame and another one that is warped to it.

    Args:
        frame, other: frames of one shape.
        flow: from `frame` to `other`.
        mask: (H, W), the pixels that count.

    Returns:
        Gray levels, 0 or more; NaN if no pixel counts.

    >>> frame, still = np.full((4, 4), 100, np.float32), np.zeros((4, 4, 2), np.float32)
    >>> warp_error(frame, frame + 3, still, np.ones((4, 4), bool))
    3.0
    """
    return float(np.abs(frame - warp(other, flow))[mask].mean(dtype=np.float64)) if mask.any() else math.nan


def agreement(ir: tuple[Flow, Flow], vis: tuple[Flow, Flow]) -> Mask:
    """Mark the pixels whose motion both sources show alike, so that one warp is right for the fused frames.

    Both flows are consistent with the flows back, by the rule of Sundaram and others, and differ by less than one pixel
    in each direction.

    Args:
        ir, vis: the flow to the other frame, and the flow back from it.

    Returns:
        (H, W).

    >>> still, moved = np.zeros((4, 4, 2), np.float32), np.full((4, 4, 2), (2, 0), np.float32)
    >>> bool(agreement((still, still), (still, still)).all()), bool(agreement((still, still), (moved, -moved)).any())
    (True, False)
    """
    alike: Mask = np.abs(ir[0] - vis[0]).max(axis=-1) < 1
    for flow, back in (ir, vis):
        alike = alike & is_consistent(flow, back, relative=0.01, absolute=0.5)
    return alike


def level_jump(previous: float, level: float, following: float) -> float:
    """Compute how far the mean level of a frame lies from the mean of its neighbors' levels.

    Args:
        previous, level, following: the mean levels of three frames in a row.

    Returns:
        Gray levels, 0 or more. A flash of d gray levels has the jump d, a steady fade has 0, and a step of d that stays
        has d / 2 on both of its sides.

    >>> level_jump(100, 103, 100), level_jump(100, 103, 106)
    (3.0, 0.0)
    """
    return abs(previous - 2 * level + following) / 2


def biswe(frame: Frame, neighbors: tuple[Frame, Frame], flows: tuple[Flow, Flow], masks: tuple[Mask, Mask]) -> float:
    """Compute the bidirectional self-warping error of VF-Bench (arXiv:2505.19858) for one frame.

    It is the sum of the warp errors against the previous and the next frame, with the flow of the fused clip itself.
    :func:`visible_in_both` makes the masks.

    Args:
        frame: the fused frame.
        neighbors: the previous and the next fused frame.
        flows: from `frame` to both.
        masks: (H, W) each, the pixels that count.

    Returns:
        Gray levels, 0 or more; NaN if one of the masks is empty.

    >>> frame, still, all_ = np.full((4, 4), 100, np.float32), np.zeros((4, 4, 2), np.float32), np.ones((4, 4), bool)
    >>> biswe(frame, (frame - 1, frame + 2), (still, still), (all_, all_))
    3.0
    """
    return sum(warp_error(frame, *to_one) for to_one in zip(neighbors, flows, masks, strict=True))


def visible_in_both(ir: tuple[Flow, Flow], vis: tuple[Flow, Flow]) -> Mask:
    """Mark the pixels of :func:`biswe`: in both sources, the flow to the other frame and back ends less than 1 px off.

    Args:
        ir, vis: the flow to the other frame, and the flow back from it.

    Returns:
        (H, W).

    >>> right = np.full((2, 3, 2), (1, 0), np.float32)
    >>> visible_in_both((right, -right), (right, -right)).tolist()
    [[True, True, False], [True, True, False]]
    """
    visible: Mask = is_consistent(*ir, relative=0, absolute=1) & is_consistent(*vis, relative=0, absolute=1)
    return visible


def ms2r(fused: tuple[Flow, Flow], ir: tuple[Flow, Flow], vis: tuple[Flow, Flow]) -> float:
    """Compute the motion smoothness with two reference videos of VF-Bench (arXiv:2505.19858) for one frame.

    It compares how the motion changes from step to step: the mean over both sources, the pixels and the directions of
    the absolute difference to the fused clip.

    Args:
        fused, ir, vis: the flow from the previous frame to this one, and from this one to the next.

    Returns:
        Pixels, 0 or more.

    >>> still, moved = np.zeros((4, 4, 2), np.float32), np.full((4, 4, 2), (2, 0), np.float32)
    >>> ms2r((still, moved), (still, moved), (still, still))
    0.5
    """
    change = fused[1] - fused[0]
    return sum(float(np.abs(change - (after - before)).mean(dtype=np.float64)) for before, after in (ir, vis)) / 2


def flowd(frame: Frame, previous: Frame, flow: Flow) -> float:
    """Compute flowD of TemCoCo (arXiv:2508.17817): the mean distance in color to the previous frame, warped.

    Args:
        frame, previous: fused frames, (H, W, C).
        flow: the visible clip's, from `frame` to `previous`.

    Returns:
        Gray levels, 0 or more.

    >>> frame, still = np.full((4, 4, 3), 100, np.float32), np.zeros((4, 4, 2), np.float32)
    >>> flowd(frame, frame + np.float32([3, 0, 4]), still)
    5.0
    """
    difference = frame - warp(previous, flow)
    return float(np.sqrt(np.square(difference).sum(axis=-1)).mean(dtype=np.float64))
