"""Matrices, compared with what they do to points."""

import numpy as np
import pytest

from irfuse.registration import geometry
from irfuse.registration.geometry import Model, fit, grid, inverse, is_plausible, map_points

SIZE = (240, 320)
TILTED = np.array([[1.2, 0.1, 30.0], [-0.05, 1.3, 20.0], [1e-4, -2e-4, 1.0]])
MODELS: dict[Model, np.ndarray] = {
    "similarity": np.array([[1.2, -0.1, 30.0], [0.1, 1.2, 20.0], [0, 0, 1.0]]),
    "affine": np.array([[1.2, 0.1, 30.0], [-0.05, 1.3, 20.0], [0, 0, 1.0]]),
    "homography": TILTED,
}


def test_the_inverse_brings_points_back() -> None:
    points = grid(SIZE)
    np.testing.assert_allclose(map_points(inverse(TILTED), map_points(TILTED, points)), points, atol=1e-9)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("count", ["fewest", "many"])
def test_a_model_is_found_from_its_points(model: Model, count: str) -> None:
    points = np.array([[10.0, 12], [300, 20], [280, 230], [15, 200]])
    points = points[: geometry.FEWEST[model]] if count == "fewest" else grid(SIZE)
    found = fit(points, map_points(MODELS[model], points), model)
    assert found is not None
    np.testing.assert_allclose(map_points(found, grid(SIZE)), map_points(MODELS[model], grid(SIZE)), atol=0.02)


@pytest.mark.parametrize("model", MODELS)
def test_wrong_points_are_left_out(model: Model, rng: np.random.Generator) -> None:
    points = grid(SIZE)
    target = map_points(MODELS[model], points)
    target[::5] += rng.uniform(20, 60, target[::5].shape)
    found = fit(points, target, model)
    assert found is not None
    np.testing.assert_allclose(map_points(found, points), map_points(MODELS[model], points), atol=0.1)


@pytest.mark.parametrize("model", MODELS)
def test_points_that_determine_nothing(model: Model) -> None:
    assert fit(np.ones((5, 2)), np.ones((5, 2)), model) is None
    assert fit(grid(SIZE)[:1], grid(SIZE)[:1], model) is None
    on_a_line = np.linspace(0, 100, 8)[:, None] * [1.0, 2.0]
    assert (fit(on_a_line, on_a_line, model) is None) == (model != "similarity")


def test_resizing_keeps_the_corners() -> None:
    matrix = geometry.resizing((240, 320), (120, 80))
    corners = map_points(matrix, np.array([[-0.5, -0.5], [319.5, 239.5]]))
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [79.5, 119.5]])


@pytest.mark.parametrize(
    ("matrix", "plausible"),
    [
        (np.eye(3), True),
        (TILTED, True),
        (np.diag([-1.0, 1.0, 1.0]), False),  # a mirror
        (np.diag([1.0, 1.5, 1.0]), False),  # a stretch
        (np.array([[1.0, 0, 0], [0, 1, 0], [-0.01, 0, 1]]), False),  # a fold
        (np.array([[1.0, 0, 0], [0, 1, 0], [0.004, 0, 1]]), False),  # too much tilt
        (np.full((3, 3), np.nan), False),
    ],
)
def test_what_two_cameras_side_by_side_can_differ_by(matrix: np.ndarray, plausible: bool) -> None:
    assert is_plausible(matrix, SIZE) is plausible


def test_overlaps() -> None:
    half = np.array([[1.0, 0, 160], [0, 1, 0], [0, 0, 1]])
    assert geometry.overlap(half, SIZE, SIZE) == pytest.approx(0.5, abs=0.02)
    inner = np.array([[0.5, 0, 80], [0, 0.5, 60], [0, 0, 1]])
    assert geometry.overlap(inner, SIZE, SIZE) == pytest.approx(0.25, abs=0.02)
    # All of the smaller field of view.
    assert geometry.common(inner, SIZE, SIZE) == pytest.approx(1.0, abs=0.02)
    assert geometry.mean_scale(inner, SIZE) == pytest.approx(0.5)
