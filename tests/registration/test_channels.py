"""The channels: what does not depend on the spectrum, and what does depend on the scene."""

import numpy as np
import pytest

from irfuse.registration.channels import Channels, View, channels
from tests.registration.scenes import sample


def channels_of(gray: np.ndarray) -> Channels:
    return channels(View(gray.astype(np.float32), np.ones(gray.shape, bool)), blur=1.2, pool=1.2)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    ir, _ = sample("tno_16")
    return ir.astype(np.float32) / 255


@pytest.mark.parametrize("change", ["negative", "contrast", "offset"])
def test_a_change_of_contrast_changes_nothing(scene: np.ndarray, change: str) -> None:
    changed = {"negative": 1 - scene, "contrast": 0.1 * scene, "offset": scene + 7}[change]
    np.testing.assert_allclose(channels_of(changed).values, channels_of(scene).values, atol=5e-3)


def test_a_turn_by_a_right_angle_turns_the_channels(scene: np.ndarray) -> None:
    turned = np.rot90(channels_of(scene).values)
    found = channels_of(np.ascontiguousarray(np.rot90(scene))).values
    # Twice the angle of a quarter turn is half a turn.
    np.testing.assert_allclose(found, turned * [-1, -1, 1], atol=1e-3)


def test_an_edge_has_the_direction_of_its_gradient() -> None:
    y, x = np.mgrid[:60, :60]
    for degrees in (0, 30, 90, 135):
        angle = np.radians(degrees)
        edge = np.tanh(((x - 29.5) * np.cos(angle) + (y - 29.5) * np.sin(angle)) / 2)
        first, second, _ = channels_of(edge).values[30, 30]
        turn = np.angle((first + 1j * second) * np.exp(-2j * angle))
        assert abs(np.degrees(turn)) < 3


def test_what_is_not_seen_has_no_edges(scene: np.ndarray) -> None:
    valid = np.ones(scene.shape, bool)
    valid[:, :50] = False
    found = channels(View(np.where(valid, scene, 0).astype(np.float32), valid), blur=1.2, pool=1.2)
    assert not found.values[:, :45].any()
    assert not found.valid[:, :52].any()
    assert found.values[:, 60:].any()


def test_an_image_without_texture_has_no_edges() -> None:
    found = channels_of(np.full((64, 64), 0.4))
    assert np.isfinite(found.values).all()
    assert np.abs(found.values).max() < 1e-3


def test_a_smaller_view_shows_the_same() -> None:
    y, x = np.mgrid[:80, :120].astype(np.float32)
    view = View(x + 1000 * y, np.ones((80, 120), bool))
    small, matrix = view.resized(0.25)
    assert small.size == (20, 30)
    # A pixel of the copy is the mean of 4x4 pixels, whose middle the matrix maps to it.
    middle = np.linalg.inv(matrix) @ [10, 5, 1]
    assert small.gray[5, 10] == pytest.approx(middle[0] + 1000 * middle[1], rel=1e-5)
