"""Calibrations and their files."""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from irfuse.errors import CalibrationError, PairError
from irfuse.registration.calibration import Calibration, read_calibration
from tests.registration.scenes import IR_SIZE, MATRIX, calibration


def test_a_file_holds_everything(tmp_path: Path) -> None:
    rows = tuple(map(tuple, MATRIX.tolist()))
    for written in (
        calibration(),
        Calibration(rows, IR_SIZE, (480, 640), "automatic", 0.71, 1.25, "only a few parts"),
    ):
        written.write(tmp_path / "rig.json")
        found = read_calibration(tmp_path / "rig.json")
        assert (found.matrix, found.ir_size, found.vis_size) == (written.matrix, IR_SIZE, (480, 640))
        assert (found.made_by, found.doubt) == (written.made_by, written.doubt)
        assert found.support == written.support or math.isnan(written.support)
        assert found.residual == written.residual or math.isnan(written.residual)


def test_the_file_can_be_read_by_other_programs(tmp_path: Path) -> None:
    calibration().write(tmp_path / "rig.json")
    # Without NaN, which JSON does not have.
    content = json.loads((tmp_path / "rig.json").read_text(), parse_constant=pytest.fail)
    np.testing.assert_allclose(content["matrix"], MATRIX)
    assert content["infrared"] == {"width": 320, "height": 256}
    assert content["visible"] == {"width": 640, "height": 480}
    assert content["support"] is None
    corner = MATRIX @ [-0.5, -0.5, 1]
    np.testing.assert_allclose(content["field"][0], corner[:2] / corner[2])
    # Of the area that a quadrilateral covers, by the shoelace formula.
    x, y = np.transpose(content["field"])
    area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
    assert content["overlap"] == pytest.approx(area / (640 * 480), abs=0.01)


def test_only_the_matrix_and_the_sizes_are_needed(tmp_path: Path) -> None:
    sizes = {"infrared": {"width": 320, "height": 256}, "visible": {"width": 640, "height": 480}}
    (tmp_path / "rig.json").write_text(json.dumps({"matrix": np.eye(3).tolist(), **sizes}))
    found = read_calibration(tmp_path / "rig.json")
    assert found.matrix == ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    assert found.doubt == ""


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, 0, 0], [0, 1, 0]], "3 rows of 3 finite numbers"),
        ([[1, 0, 0], [0, 1, 0], [0, 0, math.inf]], "3 rows of 3 finite numbers"),
        ([[1, 0, 0], [2, 0, 0], [0, 0, 1]], "degenerate"),
        ([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]], "degenerate"),
        ([[1, 0, 900], [0, 1, 0], [0, 0, 1]], "outside"),
        ([[1, 0], [0, 1, 0], [0, 0, 1]], "is not a calibration"),
        ([["a", 0, 0], [0, 1, 0], [0, 0, 1]], "is not a calibration"),
        (3, "is not a calibration"),
    ],
)
def test_impossible_matrices(matrix: object, message: str, tmp_path: Path) -> None:
    sizes = {"infrared": {"width": 320, "height": 256}, "visible": {"width": 640, "height": 480}}
    path = tmp_path / "rig.json"
    path.write_text(json.dumps({"matrix": matrix, **sizes}))
    with pytest.raises(CalibrationError, match=message) as caught:
        read_calibration(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b"[]",
        b"{}",
        b'{"matrix": [[1,0,0],[0,1,0],[0,0,1]]}',
        b'{"matrix": [[1,0,0],[0,1,0],[0,0,1]], "infrared": {"width": 3}, "visible": {"width": 3, "height": 2}}',
        b'{"matrix": [[1,0,0],[0,1,0],[0,0,1]], "infrared": 3, "visible": 4}',
        b'{"matrix": [[1,0,0],[0,1,0],[0,0,1]], "infrared": {"width": 0, "height": 2}, '
        b'"visible": {"width": 3, "height": 2}}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_files_that_are_no_calibration(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rig.json"
    path.write_bytes(content)
    with pytest.raises(CalibrationError) as caught:
        read_calibration(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"matrix": [[10**400, 0, 0], [0, 1, 0], [0, 0, 1]]},
        {"matrix": [[1e308, 0, 0], [0, 1e308, 0], [0, 0, 1]]},
        {"matrix": [[1, 0, 0], [0, 1, 0], [1e308, 1e308, 1e308]]},
        {"matrix": [[1e-7, 0, 0], [0, 1e-7, 0], [0, 0, 1]]},
        {"infrared": {"width": math.inf, "height": 256}},
        {"infrared": {"width": math.nan, "height": 256}},
        {"infrared": {"width": 10**400, "height": 256}},
        {"infrared": {"width": 320.5, "height": 256}},
        {"infrared": {"width": "320", "height": 256}},
        {"visible": [640, 480]},
        {"support": "high"},
        {"residual": 10**400},
    ],
)
def test_impossible_values(change: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "rig.json"
    calibration().write(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with warnings.catch_warnings():
        # NumPy warns of numbers that overflow.
        warnings.simplefilter("error")
        with pytest.raises(CalibrationError) as caught:
            read_calibration(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("factor", [1e-4, 1e8, -1.0])
def test_multiples_of_a_matrix_are_the_same_transform(factor: float) -> None:
    np.testing.assert_allclose(calibration(factor * MATRIX).field, calibration().field)
    assert calibration(factor * MATRIX).overlap == calibration().overlap


def test_a_narrow_infrared_camera_covers_little_of_the_visible_image() -> None:
    rig = calibration(np.array([[0.1, 0, 4000], [0, 0.1, 3000], [0, 0, 1]]), (512, 640), (6000, 8000))
    assert 0 < rig.overlap < 0.001


def test_texts_of_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "rig.json"
    calibration().write(path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "doubt": None, "made_by": None}), encoding="utf-8-sig")
    assert (read_calibration(path).doubt, read_calibration(path).made_by) == ("", "unknown")
    path.write_text(json.dumps({**content, "doubt": "two\nlines"}))
    assert read_calibration(path).doubt == "two lines"


def test_files_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="no such file; make one with irfuse register"):
        read_calibration(tmp_path / "rig.json")
    with pytest.raises(CalibrationError):
        read_calibration(tmp_path)


def test_other_sizes() -> None:
    calibration().check(IR_SIZE, (480, 640))
    with pytest.raises(PairError, match="infrared images of 320x256 pixels, and this one has 320x240"):
        calibration().check((240, 320), (480, 640))
    with pytest.raises(PairError, match="visible images of 640x480 pixels, and this one has 480x640"):
        calibration().check(IR_SIZE, (640, 480))
