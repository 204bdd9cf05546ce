"""Registration of each pair, and its cache."""

from pathlib import Path

import numpy as np
import pytest

from irfuse.errors import RegistrationError, SuspiciousPairWarning
from irfuse.imaging import planes
from irfuse.imaging.planes import Array, Planes
from irfuse.registration import each
from irfuse.registration.alignment import Alignment
from irfuse.registration.calibration import Calibration
from irfuse.registration.each import EachPair
from tests.registration.scenes import IR_SIZE, calibration


class Estimates:
    """Takes the place of the registration, and counts."""

    def __init__(self, doubt: str = "") -> None:
        self.count = 0
        self.doubt = doubt

    def __call__(self, pairs: object, model: str) -> Calibration:
        self.count += 1
        rig = calibration()
        return Calibration(rig.matrix, rig.ir_size, rig.vis_size, "test", 0.5, 1.0, self.doubt)


def pair(value: int = 0) -> tuple[Planes[Array], Planes[Array]]:
    ir = np.random.default_rng(value).integers(0, 256, IR_SIZE).astype(np.uint8)
    return planes.from_array(ir, "infrared"), planes.from_array(np.zeros((480, 640), np.uint8), "visible")


def test_results_are_remembered_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimates = Estimates()
    monkeypatch.setattr(each, "estimate", estimates)
    expected, _ = Alignment(calibration())(*pair())
    for _ in range(3):
        found, _ = EachPair()(*pair())
        np.testing.assert_array_equal(found.values, expected.values)
    assert estimates.count == 1
    # What is done with a result makes no difference.
    assert EachPair(onto="ir")(*pair())[1].values.shape[2:] == IR_SIZE
    assert estimates.count == 1
    EachPair()(*pair(1))
    EachPair(model="affine")(*pair())
    assert estimates.count == 3
    files = list((tmp_path / "cache" / "irfuse" / "registrations").iterdir())
    assert len(files) == 3
    # A damaged file is made again.
    for path in files:
        path.write_text("{")
    EachPair()(*pair())
    assert estimates.count == 4


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setattr(each, "estimate", Estimates())
    assert EachPair()(*pair())[0].values.shape[2:] == (480, 640)


def test_refusals_are_remembered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    estimates = Estimates("only 10% agree")
    monkeypatch.setattr(each, "estimate", estimates)
    for _ in range(2):
        with pytest.raises(RegistrationError, match="only 10% agree; try"):
            EachPair()(*pair())
    with pytest.warns(SuspiciousPairWarning, match="cannot be trusted: only 10% agree"):
        EachPair(force=True)(*pair())
    assert estimates.count == 1
