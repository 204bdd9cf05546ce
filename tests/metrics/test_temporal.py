"""The metrics of clips on given flows, against their definitions written again for single pixels."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from irfuse.metrics import temporal
from irfuse.metrics.temporal import CLIP_METRICS, Frame, Mask
from irfuse.ops.flow import Flow
from tests.ops.test_flow import sample

HEIGHT, WIDTH = 14, 18


def frame(rng: np.random.Generator, *channels: int) -> Frame:
    return (255 * rng.random((HEIGHT, WIDTH, *channels))).astype(np.float32)


def flow(rng: np.random.Generator, most: float = 3) -> Flow:
    return rng.uniform(-most, most, (HEIGHT, WIDTH, 2)).astype(np.float32)


def mask(rng: np.random.Generator) -> Mask:
    return np.asarray(rng.random((HEIGHT, WIDTH)) < 0.6)


def warped(image: Frame, by: Flow) -> NDArray[np.float64]:
    rows = [[sample(image, x + by[y, x, 0], y + by[y, x, 1]) for x in range(WIDTH)] for y in range(HEIGHT)]
    return np.array(rows)


@pytest.mark.parametrize("channels", [(), (3,)], ids=["gray", "color"])
def test_warp_error(channels: tuple[int, ...], rng: np.random.Generator) -> None:
    one, other, by, counted = frame(rng, *channels), frame(rng, *channels), flow(rng), mask(rng)
    expected = np.mean([np.abs(one - warped(other, by))[y, x].mean() for y, x in np.argwhere(counted)])
    assert temporal.warp_error(one, other, by, counted) == pytest.approx(expected, rel=1e-5)
    assert math.isnan(temporal.warp_error(one, other, by, np.zeros_like(counted)))


def test_biswe(rng: np.random.Generator) -> None:
    frames, flows, masks = [frame(rng, 3) for _ in range(3)], [flow(rng), flow(rng)], [mask(rng), mask(rng)]
    expected = 0.0
    for other, by, counted in zip((frames[0], frames[2]), flows, masks, strict=True):
        difference = np.abs(frames[1] - warped(other, by)).mean(axis=2)
        expected += (difference * counted).sum() / counted.sum()
    found = temporal.biswe(frames[1], (frames[0], frames[2]), (flows[0], flows[1]), (masks[0], masks[1]))
    assert found == pytest.approx(expected, rel=1e-5)


def test_ms2r(rng: np.random.Generator) -> None:
    fused, ir, vis = ((flow(rng), flow(rng)) for _ in range(3))
    differences = [(fused[1] - fused[0]) - (source[1] - source[0]) for source in (ir, vis)]
    expected = 0.5 * np.abs(differences[0]).mean() + 0.5 * np.abs(differences[1]).mean()
    assert temporal.ms2r(fused, ir, vis) == pytest.approx(float(expected), rel=1e-5)


def test_flowd(rng: np.random.Generator) -> None:
    one, previous, by = frame(rng, 3), frame(rng, 3), flow(rng)
    expected = np.linalg.norm(one - warped(previous, by), axis=2).mean()
    assert temporal.flowd(one, previous, by) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("levels", "jumps"),
    [
        ([100, 103, 100, 103], [3, 3]),
        ([100, 100, 95, 100, 100], [2.5, 5, 2.5]),
        ([100, 100, 104, 104], [2, 2]),
        ([100, 101, 102, 103], [0, 0]),
    ],
    ids=["in turn", "flash", "step", "fade"],
)
def test_level_jump(levels: list[float], jumps: list[float]) -> None:
    found = [temporal.level_jump(*levels[i : i + 3]) for i in range(len(levels) - 2)]
    assert found == jumps


def test_masks_of_motion() -> None:
    """Both sources must come back, and for the warp error they must also move alike."""
    still, right = (np.full((8, 8, 2), (x, 0), np.float32) for x in (0, 0.9))
    far = np.full((8, 8, 2), (2, 0), np.float32)
    lost = np.full((8, 8, 2), (0, 5), np.float32)
    inner = np.s_[2:6, 2:6]
    for one, other, alike, visible in (
        ((still, still), (right, -right), True, True),
        ((far, -far), (still, still), False, True),
        ((still, lost), (still, still), False, False),
        ((still, still), (still, lost), False, False),
        # The way back ends 0.8 px off: beyond the limit of the warp error, within that of BiSWE.
        ((still, still + np.float32([0.8, 0])), (still, still), False, True),
    ):
        assert temporal.agreement(one, other)[inner].all() == alike
        assert temporal.agreement(one, other)[inner].any() == alike
        assert temporal.visible_in_both(one, other)[inner].all() == visible
        assert temporal.visible_in_both(one, other)[inner].any() == visible


def test_names_are_unique_and_say_what_flow() -> None:
    names = [info.name for info in CLIP_METRICS]
    assert len(set(names)) == len(names)
    assert {name for name in names if name.endswith("_dis")} == {"biswe_dis", "ms2r_dis", "flowd_dis"}
