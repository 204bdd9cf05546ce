"""Calibrations from points."""

import re
from pathlib import Path

import numpy as np
import pytest

from irfuse import notices
from irfuse.errors import CalibrationError, SuspiciousPairWarning
from irfuse.registration.geometry import grid, map_points
from irfuse.registration.points import calibrate, read
from tests.registration.scenes import IR_SIZE, MATRIX, error

IR = np.array([[20.0, 30], [300, 25], [290, 240], [30, 235], [150, 120]])
VIS = map_points(MATRIX, IR)
TABLE = np.c_[IR, VIS]


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def columns(separator: str, decimal: str = ".") -> str:
    """The lines of a table, with a decimal point or comma."""
    return "\n".join(separator.join(repr(float(value)) for value in row) for row in TABLE).replace(".", decimal)


@pytest.mark.parametrize(
    "text",
    [
        columns(";"),
        columns(";", ","),
        columns("\t"),
        columns("\t", ","),
        columns("  "),
        columns(", "),
        "sep=;\nir_x;ir_y;vis_x;vis_y\n" + columns(";"),
        "# by hand\n\n" + columns(",").replace("\n", "\r\n\r\n") + "\n",
        '"ir_x","ir_y","vis_x","vis_y"\n' + columns(","),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_as_programs_save_them(text: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(text, encoding=encoding)
    np.testing.assert_array_equal(read(tmp_path / "points.csv"), (IR, VIS))


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
    assert (rig.made_by, rig.doubt) == ("5 points", "")
    for model in ("similarity", "affine"):
        # These do not tilt, as the points do.
        with notices.collected():
            assert calibrate(*found, IR_SIZE, (480, 640), model).residual < 15


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
    (tmp_path / "points.csv").write_bytes(b"\xff\0\1")
    for path in (tmp_path / "points.csv", tmp_path / "missing.csv", tmp_path):
        with pytest.raises(CalibrationError, match="cannot be read as CSV"):
            read(path)


@pytest.mark.parametrize(
    ("ir", "vis", "message"),
    [
        (IR[[0, 1, 2, 0]], VIS[[0, 1, 2, 0]], "two cameras could have: some may be exchanged, equal, or on a line"),
        (IR[:4], VIS[[1, 0, 2, 3]], "two cameras could have: some may be exchanged"),
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


def test_points_that_do_not_agree(rng: np.random.Generator) -> None:
    ir = rng.random((20, 2)) * [319, 255]
    for model in ("similarity", "affine"):
        with notices.collected():
            found = calibrate(ir, rng.random((20, 2)) * [639, 479], IR_SIZE, (480, 640), model)
        assert re.match("the points do not agree: they are usually [0-9]+ pixels off", found.doubt)
    mirrored = calibrate(IR, VIS * [-1, 1] + [639, 0], IR_SIZE, (480, 640), "homography")
    assert mirrored.doubt.startswith("the points shear, tilt or mirror the infrared image")


def test_single_wrong_points_are_named() -> None:
    ir = grid((240, 300), 4) + 5
    vis = map_points(MATRIX, ir)
    vis[6] += [30, 40]
    with pytest.warns(SuspiciousPairWarning, match="1 of 16 points do not agree .* point 7, is 50 pixels off"):
        found = calibrate(ir, vis, IR_SIZE, (480, 640), "homography")
    assert found.doubt == ""
    assert error(found) < 0.01


def test_a_small_infrared_image_allows_for_its_large_pixels(rng: np.random.Generator) -> None:
    """One of its pixels is ten of the visible image, and nobody clicks better than to a pixel."""
    matrix = np.diag([10.0, 10, 1])
    ir = grid((60, 80), 5)[:, :] * 0.9 + 4
    off = ir + rng.uniform(-0.5, 0.5, ir.shape)
    with notices.collected():
        found = calibrate(off, map_points(matrix, ir), (60, 80), (600, 800), "affine")
    assert found.doubt == ""
    assert error(found, matrix) < 3


def test_simpler_models_need_fewer_points() -> None:
    assert calibrate(IR[:2], VIS[:2], IR_SIZE, (480, 640), "similarity").matrix[2] == (0, 0, 1)
    assert calibrate(IR[:3], VIS[:3], IR_SIZE, (480, 640), "affine").residual < 1e-4
