"""Automatic registration of warped sample pairs, and refusals."""

import cv2
import numpy as np
import pytest

import irfuse
from irfuse.errors import IrfuseError, PairError, ParameterError, RegistrationError, SuspiciousPairWarning
from irfuse.registration.registering import field_of
from tests.registration.scenes import IR_SIZE, MATRIX, calibration, error, sample, unaligned


@pytest.fixture(scope="module")
def day() -> tuple[np.ndarray, np.ndarray]:
    return unaligned()


@pytest.mark.parametrize("name", ["msrs_00633D", "tno_16"])
def test_a_known_warp_is_found(name: str) -> None:
    _, vis = sample(name)
    matrix = MATRIX.copy()
    matrix[:2] *= vis.shape[1] / 640
    found = irfuse.register(*unaligned(name, matrix))
    # The sample pairs themselves are registered to a few pixels.
    assert error(found, matrix) < 0.008 * np.hypot(*vis.shape[:2])
    assert found.support > 0.4
    assert found.made_by == "automatic"
    assert found.doubt == ""
    assert 0 < found.residual < 5


def test_models_are_what_they_say(day: tuple[np.ndarray, np.ndarray]) -> None:
    for model in ("similarity", "affine"):
        found = irfuse.register(*day, model=model, start=calibration())
        matrix = found.array
        assert matrix[2].tolist() == [0, 0, 1]
        if model == "similarity":
            np.testing.assert_allclose([matrix[0, 0], matrix[0, 1]], [matrix[1, 1], -matrix[1, 0]], atol=1e-9)
        assert error(found) < 8


def test_a_start_is_refined(day: tuple[np.ndarray, np.ndarray]) -> None:
    off = MATRIX.copy()
    off[:2, 2] += [9, -6]
    found = irfuse.register(*day, start=calibration(off))
    assert error(found) < min(7, error(calibration(off)))
    assert found.made_by == "refined from hand"


def test_fields_of_view_narrow_the_search(day: tuple[np.ndarray, np.ndarray]) -> None:
    # 320 pixels of 1.435 of 640: 0.72 of the width.
    assert error(irfuse.register(*day, fields=(39.6, 53.1))) < 7
    field = field_of(39.6, 53.1)
    assert field.least < 0.7175 < field.most
    for fields in ((0, 50), (20, 180), (-5, 20), (float("nan"), 20)):
        with pytest.raises(ParameterError, match="field of view cannot have"):
            field_of(*fields)
    with pytest.raises(ParameterError, match="start cannot be combined with fields"):
        irfuse.register(*day, start=calibration(), fields=(20, 30))


def test_two_scenes_are_refused(day: tuple[np.ndarray, np.ndarray]) -> None:
    _, other = sample("msrs_00881N")
    with pytest.raises(RegistrationError, match="cannot be registered with confidence") as caught:
        irfuse.register(day[0], other)
    assert "--points" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.warns(SuspiciousPairWarning, match="the registration cannot be trusted"):
        found = irfuse.register(day[0], other, force=True)
    assert found.doubt


@pytest.mark.parametrize("texture", ["none", "noise", "gradient"])
def test_images_without_a_scene_are_refused(texture: str, rng: np.random.Generator) -> None:
    y, x = np.mgrid[: IR_SIZE[0], : IR_SIZE[1]]
    ir = {
        "none": np.full(IR_SIZE, 0.5),
        "noise": rng.random(IR_SIZE),
        "gradient": (x + y) / (x + y).max(),
    }[texture].astype(np.float32)
    _, vis = sample("msrs_00633D")
    with irfuse.notices.collected(), pytest.raises(RegistrationError):
        irfuse.register(ir, vis)
    with irfuse.notices.collected(), pytest.raises(RegistrationError):
        irfuse.register(ir, cv2.resize(ir, (640, 480)) * 0 + 0.3)


def test_tiny_images_are_refused() -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 100)).astype(np.uint8)
    with pytest.raises(RegistrationError, match="the infrared image has 31x100 pixels, and registration needs 32"):
        irfuse.register(image[:, :31], image)
    with pytest.raises(RegistrationError, match="the visible image has 100x8 pixels"):
        irfuse.register(image, image[:8])


def test_impossible_arguments(day: tuple[np.ndarray, np.ndarray]) -> None:
    ir, vis = day
    for arguments, message in (
        (([], []), "there is no pair"),
        (([ir, ir], [vis]), "there are 2 infrared and 1 visible images"),
        (([ir, ir[:200]], [vis, vis]), "pair 2: the sizes .infrared 320x200, visible 640x480. are not those of pair 1"),
        ((np.stack([ir, ir])[..., None], vis[None]), "the batches differ"),
    ):
        with pytest.raises(PairError, match=message):
            irfuse.register(*arguments)
    with pytest.raises(ParameterError, match="model cannot be 'elastic'"):
        irfuse.register(ir, vis, model="elastic")
    with pytest.raises(PairError, match="the calibration is for infrared images of 320x256"):
        irfuse.register(ir[:200], vis, start=calibration())
    with pytest.raises(IrfuseError):
        irfuse.register("missing.png", vis)


def test_a_rig_takes_what_all_pairs_support(day: tuple[np.ndarray, np.ndarray]) -> None:
    """A pair that says nothing does not harm the others, whichever comes first."""
    ir, vis = day
    dark = np.full_like(ir, 30)
    dark[100:120, 100:130] = 200
    with irfuse.notices.collected():
        found = irfuse.register([dark, ir], [vis, vis])
    assert error(found) < 8
    assert found.made_by == "automatic on 2 pairs"
