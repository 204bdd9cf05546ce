"""The signs of a missing registration, on made scenes and on real data sets."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from irfuse.imaging import misregistration
from irfuse.imaging.misregistration import Gray, Signs, measure
from irfuse.io import pairs
from irfuse.training.reading import prepare_pair


@pytest.fixture
def scene(rng: np.random.Generator) -> Gray:
    return cv2.GaussianBlur(rng.random((240, 320), np.float32), (0, 0), 4) + 0.01


def measured(folder: Path, step: int = 1) -> dict[str, Signs]:
    matched = pairs.match(folder / "ir", folder / "vis").pairs[::step]
    return {pair.name: misregistration.measure_prepared(prepare_pair(pair, 1)) for pair in matched}


def suspicious(found: dict[str, Signs]) -> set[str]:
    return {name for name, one in found.items() if one.shifted or one.warped}


def test_opposite_contrast_is_registered(scene: Gray) -> None:
    one = measure(1 - scene, scene)
    assert (one.border, one.shift, one.shifted, one.warped) == (0, 0, False, False)
    assert one.in_place == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("by", [-30, -12, 12, 30])
def test_the_shift_is_measured(by: int, scene: Gray) -> None:
    ir, vis = (1 - scene[:, by:], scene[:, :-by]) if by > 0 else (1 - scene[:by], scene[-by:])
    one = measure(ir, vis)
    assert one.shifted
    assert one.shift == pytest.approx(abs(by) / max(ir.shape), abs=0.006)


def test_a_shift_of_a_few_pixels_is_none(scene: Gray) -> None:
    assert not measure(scene[:, 4:], scene[:, :-4]).shifted


def test_images_without_common_edges_do_not_tell(scene: Gray, rng: np.random.Generator) -> None:
    other = cv2.GaussianBlur(rng.random(scene.shape, np.float32), (0, 0), 4)
    assert not measure(scene, other).shifted


def test_the_border_of_a_warp(scene: Gray) -> None:
    """It is found, and its own edges do not count as edges of the scene."""
    ir = scene.copy()
    ir[:12], ir[:, -10:] = 0, 0
    one = measure(ir, scene)
    assert one.warped
    assert one.border == pytest.approx((12 * 320 + 10 * 228) / (240 * 320))
    assert one.in_place == pytest.approx(1, abs=0.02)
    assert not one.shifted


def test_black_that_is_no_border_of_a_warp(scene: Gray) -> None:
    sky, hole, padded = scene.copy(), scene.copy(), scene.copy()
    sky[:100] = 0
    hole[100:140, 60:200] = 0
    padded[:20] = 0
    assert measure(sky, scene).border == 0
    assert measure(hole, scene).border == 0
    assert measure(padded, padded).border == 0
    nothing = measure(np.zeros_like(scene), scene)
    assert (nothing.border, nothing.shifted) == (0, False)


def test_edges_of_small_images_do_not_tell(scene: Gray) -> None:
    assert not measure(scene[:120, 20:180], scene[:120, :160]).shifted


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (1, 400), (40, 5)])
def test_every_size_can_be_measured(shape: tuple[int, int], rng: np.random.Generator) -> None:
    assert not measure(rng.random(shape, np.float32), rng.random(shape, np.float32)).warped


def test_remarks_name_the_worst_pairs() -> None:
    good, shifted, warped = (
        Signs(0, 0, 0.5, 0.4),
        Signs(0, 0.05, 0.2, 0.3),
        Signs(0.1, 0, 0.5, 0.4),
    )
    worse = Signs(0.03, 0.1, 0.2, 0.3)
    assert misregistration.remarks([("a", good)]) == []
    assert misregistration.remarks([("a", good), ("b", shifted), ("c", warped), ("d", worse)]) == [
        "2 of 4 infrared images have black borders, as warps leave them; check the registration of "
        "c (10% of the image), d (3% of the image)",
        "2 of 4 pairs look unregistered: their edges agree better when one image is shifted; check the registration of "
        "d (10% of its longer side), b (5% of its longer side)",
    ]
    (line,) = misregistration.remarks([(f"{number:02}", shifted) for number in range(30)])
    assert line.endswith("10 (5% of its longer side) and 10 more")


@pytest.mark.parametrize(
    ("name", "step", "most"), [("msrs", 4, 0), ("roadscene", 8, 1), ("tno21", 1, 0), ("vifb", 1, 2)]
)
def test_registered_data_sets_pass(name: str, step: int, most: int, data: Path) -> None:
    assert len(suspicious(measured(data / name, step))) <= most


@pytest.mark.parametrize("name", ["starainj", "synthetic/MSRS", "synthetic/RoadScene"])
def test_misaligned_data_sets_are_found(name: str, data: Path) -> None:
    found = measured(data / "misaligned" / name)
    assert suspicious(found) == set(found)


def test_the_warped_pairs_of_msrs55_are_found(data: Path) -> None:
    found = measured(data / "msrs55")
    numbers = {name: int(name[:5]) for name in found}
    assert suspicious(found) == {name for name, number in numbers.items() if number < 40 and number % 4}
