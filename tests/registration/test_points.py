"""Calibrations from points."""

from pathlib import Path

import numpy as np
import pytest

from irfuse.errors import CalibrationError
from irfuse.registration.geometry import map_points
from irfuse.registration.points import calibrate, read
from tests.registration.scenes import IR_SIZE, MATRIX, error

IR = np.array([[20.0, 30], [300, 25], [290, 240], [30, 235], [150, 120]])
VIS = map_points(MATRIX, IR)
TABLE = np.c_[IR, VIS]


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def line(*values: float) -> str:
    return ",".join(map(repr, map(float, values)))


@pytest.mark.parametrize("header", ["", "ir_x,ir_y,vis_x,vis_y", "vis_x, vis_y, IR_X, IR_Y, name"])
def test_points_of_a_file(header: str, tmp_path: Path) -> None:
    rows = [line(*row) for row in TABLE]
    if "name" in header:
        rows = [f"{line(*vis, *ir)},a" for ir, vis in zip(IR, VIS, strict=True)]
    path = written(tmp_path / "points.csv", [header, *rows] if header else rows)
    found = read(path)
    np.testing.assert_array_equal(found, (IR, VIS))
    rig = calibrate(*found, IR_SIZE, (480, 640), "homography")
    assert error(rig) < 0.01
    assert rig.residual < 0.01
    assert rig.made_by == "5 points"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1,2,3,4", "1,2,3"], "point 2 is not four numbers"),
        (["1,2,3,4", "1,2,x,4"], "point 2 is not four numbers"),
        (["ir_x,ir_y,vis_x", "1,2,3"], "the column vis_y is missing"),
        (["x,y,u,v", "1,2,3,4"], "point 1 is not four numbers"),
        (["1,2,3,nan"], "a point is not finite"),
    ],
)
def test_files_that_hold_no_points(lines: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=message) as caught:
        read(written(tmp_path / "points.csv", lines))
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_bytes(b"\xff\xfe\0\1")
    for path in (tmp_path / "points.csv", tmp_path / "missing.csv", tmp_path):
        with pytest.raises(CalibrationError, match="cannot be read as CSV"):
            read(path)


@pytest.mark.parametrize(
    ("ir", "vis", "message"),
    [
        (IR[:3], VIS[:3], "3 points do not determine a homography; give at least 4"),
        (IR[:0], VIS[:0], "0 points do not determine"),
        (np.linspace([0, 0], [200, 100], 6), np.linspace([0, 0], [400, 200], 6), "on a line"),
        (np.tile(IR[:1], (5, 1)), np.tile(VIS[:1], (5, 1)), "on one spot"),
        (IR + np.array([100, 0]), VIS, "point 2 lies outside of the infrared image: 400, 25"),
        (IR, VIS - [0, 200], "point 1 lies outside of the visible image"),
    ],
)
def test_points_that_determine_nothing(ir: np.ndarray, vis: np.ndarray, message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        calibrate(ir, vis, IR_SIZE, (480, 640), "homography")


def test_simpler_models_need_fewer_points() -> None:
    assert calibrate(IR[:2], VIS[:2], IR_SIZE, (480, 640), "similarity").matrix[2] == (0, 0, 1)
    assert calibrate(IR[:3], VIS[:3], IR_SIZE, (480, 640), "affine").residual < 1e-4
