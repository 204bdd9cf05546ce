import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from irfuse.ops.flow import SMALLEST, Flow, dis, is_consistent, warp


def sample(image: NDArray[np.float32], x: float, y: float) -> NDArray[np.float64]:
    """Interpolate at one place, whose edge is repeated beyond the image."""
    height, width = image.shape[:2]
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    left, top = min(int(x), width - 2), min(int(y), height - 2)
    a, b = x - left, y - top
    (nw, ne), (sw, se) = image[top : top + 2, left : left + 2].astype(np.float64)
    return np.asarray((1 - b) * ((1 - a) * nw + a * ne) + b * ((1 - a) * sw + a * se))


def some_flow(rng: np.random.Generator, height: int, width: int, most: float) -> Flow:
    return rng.uniform(-most, most, (height, width, 2)).astype(np.float32)


def texture(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    scene = cv2.GaussianBlur(rng.random((height, width)), (0, 0), 1.5)
    return np.rint(255 * (scene - scene.min()) / np.ptp(scene)).astype(np.uint8)


@pytest.mark.parametrize("shape", [(12, 17), (12, 17, 3)], ids=["gray", "color"])
def test_warp_interpolates_where_the_flow_points_to(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    image = (255 * rng.random(shape)).astype(np.float32)
    flow = some_flow(rng, 12, 17, 6)
    expected = [[sample(image, x + flow[y, x, 0], y + flow[y, x, 1]) for x in range(17)] for y in range(12)]
    np.testing.assert_allclose(warp(image, flow), expected, atol=1e-3)


@pytest.mark.parametrize(("relative", "absolute"), [(0, 1), (0.01, 0.5)])
def test_consistent_flows(relative: float, absolute: float, rng: np.random.Generator) -> None:
    flow = some_flow(rng, 20, 24, 3)
    back = (-flow + some_flow(rng, 20, 24, 1)).astype(np.float32)
    # A calm part, in which most pixels come back.
    flow[5:15], back[5:15] = flow[5:15] / 4, back[5:15] / 4
    found = is_consistent(flow, back, relative=relative, absolute=absolute)
    for y, x in np.ndindex(20, 24):
        there = x + float(flow[y, x, 0]), y + float(flow[y, x, 1])
        inside = 0 <= there[0] <= 23 and 0 <= there[1] <= 19
        returned = sample(back, *there)
        left = float(((flow[y, x] + returned) ** 2).sum())
        limit = relative * float((flow[y, x] ** 2).sum() + (returned**2).sum()) + absolute
        assert found[y, x] == (inside and left < limit), (y, x)
    assert 0.1 < found.mean() < 0.9


def test_the_flow_of_a_moved_texture(rng: np.random.Generator) -> None:
    scene = texture(rng, 120, 160)
    flow = dis(scene[10:90, 10:130], scene[13:93, 8:128])
    np.testing.assert_allclose(np.median(flow, axis=(0, 1)), (2, -3), atol=0.05)


def test_the_flow_is_the_same_for_any_number_of_threads(rng: np.random.Generator) -> None:
    first, second = texture(rng, 240, 320), texture(rng, 240, 320)
    before = cv2.getNumThreads()
    try:
        flows = []
        for count in (1, 4):
            cv2.setNumThreads(count)
            flows.append(dis(first, second))
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(*flows)


@pytest.mark.parametrize("size", [(SMALLEST, SMALLEST), (SMALLEST, 333), (200, SMALLEST), (17, 40)])
def test_the_smallest_frames(size: tuple[int, int], rng: np.random.Generator) -> None:
    flow = dis(texture(rng, *size), texture(rng, *size))
    assert flow.shape == (*size, 2)
    assert np.isfinite(flow).all()
