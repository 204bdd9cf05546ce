"""`irfuse register`."""

import json
from pathlib import Path

import numpy as np
import pytest

import irfuse
from irfuse.cli import register as command
from irfuse.io import images
from irfuse.registration.calibration import read_calibration
from irfuse.registration.geometry import map_points
from tests.conftest import Run
from tests.registration.scenes import IR_SIZE, MATRIX, calibration, error, sample


def test_from_a_pair_to_a_fused_image(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    out, preview = tmp_path / "rig.json", tmp_path / "preview.png"
    status, printed, said = run("register", *pair, "-o", out, "--preview", preview)
    assert status == 0, said
    assert printed.split() == [str(preview), str(out)]
    assert said.startswith("support 0.") and "usual residual" in said and "\n" not in said.strip()
    assert error(read_calibration(out)) < 7
    # Three panels beside each other.
    height, width = images.read(preview).shape[:2]
    assert width > 3 * 640 and height > 480

    status, _, said = run("fuse", *pair, "-o", tmp_path / "f.png", "-m", "average", "--calibration", out)
    assert status == 0, said
    expected = irfuse.fuse(*pair, method="average", registration=irfuse.read_calibration(out))
    np.testing.assert_array_equal(images.read(tmp_path / "f.png"), expected)


def test_a_folder_of_pairs(run: Run, folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "rig.json"
    status, _, said = run("register", folders, "-o", out, "--fields", 39.6, 53.1, "--model", "affine")
    assert status == 0, said
    assert "3 pairs" in said
    found = read_calibration(out)
    assert (found.made_by, found.matrix[2]) == ("automatic on 3 pairs", (0, 0, 1))
    assert error(found) < 8


def test_points(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    ir = np.array([[20.0, 30], [300, 25], [290, 240], [30, 235]])
    rows = [",".join(map(str, row)) for row in np.c_[ir, map_points(MATRIX, ir)].tolist()]
    (tmp_path / "points.csv").write_text("\n".join(["ir_x,ir_y,vis_x,vis_y", *rows]))
    out = tmp_path / "new" / "rig.json"
    status, _, said = run("register", *pair, "-o", out, "--points", tmp_path / "points.csv")
    assert status == 0, said
    assert "support" not in said
    assert error(read_calibration(out)) < 0.01
    for model in ("affine", "similarity"):
        assert run("register", *pair, "-o", out, "--points", tmp_path / "points.csv", "--model", model)[0] == 0
    (tmp_path / "points.csv").write_text("\n".join(rows[:3]))
    status, _, said = run("register", *pair, "-o", out, "--points", tmp_path / "points.csv")
    assert (status, said.count("\n")) == (2, 1)
    assert "points.csv: 3 points do not determine a homography" in said


def test_points_that_cannot_be_trusted(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    mirrored = ["20,30,600,30", "300,25,100,25", "290,240,90,450", "30,235,610,455"]
    (tmp_path / "points.csv").write_text("\n".join(mirrored))
    arguments = ["register", *pair, "-o", tmp_path / "rig.json", "--points", tmp_path / "points.csv"]
    status, _, said = run(*arguments)
    assert (status, said.count("\n")) == (2, 1)
    assert "mirror the infrared image" in said and "check them" in said
    assert not (tmp_path / "rig.json").exists()
    status, _, said = run(*arguments, "--force")
    assert status == 0 and "cannot be trusted" in said
    assert read_calibration(tmp_path / "rig.json").doubt


def test_a_start_is_refined(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    off = MATRIX.copy()
    off[:2, 2] += [8, 6]
    calibration(off).write(tmp_path / "start.json")
    status, _, said = run("register", *pair, "-o", tmp_path / "rig.json", "--start", tmp_path / "start.json")
    assert status == 0, said
    assert error(read_calibration(tmp_path / "rig.json")) < 7


def test_registered_images_are_written(run: Run, folders: Path, tmp_path: Path) -> None:
    calibration().write(tmp_path / "start.json")
    new = tmp_path / "registered"
    options = ["--start", tmp_path / "start.json", "--images", new]
    status, _, said = run("register", folders, "-o", tmp_path / "rig.json", *options)
    assert status == 0, said
    assert sorted(path.name for path in (new / "ir").iterdir()) == ["0.png", "1.png", "2.png"]
    found = read_calibration(tmp_path / "rig.json")
    ir, vis = images.read(new / "ir" / "0.png"), images.read(new / "vis" / "0.png")
    np.testing.assert_array_equal(vis, images.read(folders / "vis" / "0.png"))
    assert ir.shape == vis.shape[:2]
    assert ir[0, 0] == 0
    x, y = np.round(map_points(found.array, np.array([[160.0, 128]]))[0]).astype(int)
    around = images.read(folders / "ir" / "0.png")[125:132, 157:164].astype(int)
    assert around.min() - 3 <= ir[y, x] <= around.max() + 3
    # Nothing is overwritten.
    status, _, said = run("register", folders, "-o", tmp_path / "rig.json", *options)
    assert status == 2 and "the folder is not empty" in said


def test_pairs_that_cannot_be_read_are_left_out(run: Run, folders: Path, tmp_path: Path) -> None:
    calibration().write(tmp_path / "start.json")
    images.write(folders / "ir" / "0.png", np.full(IR_SIZE, 30, np.uint8))
    whole = (folders / "ir" / "1.png").read_bytes()
    (folders / "ir" / "1.png").write_bytes(whole[:5000])
    options = ["-o", tmp_path / "rig.json", "--start", tmp_path / "start.json"]
    status, printed, said = run("register", folders, *options, "--images", tmp_path / "registered")
    assert status == 1
    assert printed.split() == [str(tmp_path / "rig.json")]
    assert said.count("0: the infrared image is constant") == 1
    assert said.count("failed: 1: ") == 1 and "2 pairs" in said
    assert sorted(path.name for path in (tmp_path / "registered" / "ir").iterdir()) == ["0.png", "2.png"]
    for number in range(3):
        (folders / "ir" / f"{number}.png").write_bytes(whole[:5000])
    status, _, said = run("register", folders, *options)
    assert (status, said.count("\n")) == (2, 1)
    assert "0.png" in said


def test_a_pair_of_other_sizes_that_was_not_registered(
    run: Run, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only some pairs of a large folder are registered, but all are written."""
    monkeypatch.setattr(command, "_MOST_PAIRS", 2)
    calibration().write(tmp_path / "start.json")
    images.write(folders / "vis" / "1.png", images.read(folders / "vis" / "1.png")[:400])
    options = ["-o", tmp_path / "rig.json", "--start", tmp_path / "start.json", "--images", tmp_path / "new"]
    status, _, said = run("register", folders, *options)
    assert status == 1
    assert "failed: 1: " in said and "the calibration is for visible images of 640x480" in said
    assert sorted(path.name for path in (tmp_path / "new" / "vis").iterdir()) == ["0.png", "2.png"]


def test_no_input_is_replaced(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    before = pair[1].read_bytes()
    status, _, said = run("register", *pair, "-o", tmp_path / "rig.json", "--preview", pair[1])
    assert (status, said.count("\n")) == (2, 1)
    assert "would replace an input" in said
    assert pair[1].read_bytes() == before


def test_two_scenes_are_refused(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    images.write(tmp_path / "other.png", sample("msrs_00881N")[1])
    out = tmp_path / "rig.json"
    arguments = ["register", pair[0], tmp_path / "other.png", "-o", out]
    status, _, said = run(*arguments)
    assert (status, said.count("\n")) == (2, 1)
    assert "cannot be registered with confidence" in said
    assert not out.exists()
    status, _, said = run(*arguments, "--force")
    assert status == 0 and "warning" in said and "cannot be trusted" in said
    # What was forced is said again where it is used.
    status, _, said = run(
        "fuse", pair[0], tmp_path / "other.png", "-o", tmp_path / "f.png", "-m", "average", "--calibration", out
    )
    assert status == 0 and "cannot be trusted" in said


def test_pairs_of_several_sizes(run: Run, folders: Path, tmp_path: Path) -> None:
    images.write(folders / "vis" / "1.png", images.read(folders / "vis" / "1.png")[:400])
    status, _, said = run("register", folders, "-o", tmp_path / "rig.json")
    assert (status, said.count("\n")) == (2, 1)
    assert "1: " in said and "640x400" in said and "640x480" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "rig.txt"], "must end in .json"),
        (["-o", "rig.json", "--fields", "0", "50"], "a field of view cannot have 0 degrees"),
        (["-o", "rig.json", "--fields", "20", "50", "--start", "x.json"], "--start cannot be combined with --fields"),
        (["-o", "rig.json", "--start", "x.json"], "x.json: no such file"),
        (["-o", "rig.json", "--points", "x.csv"], "x.csv: cannot be read"),
        (["-o", "vis.png/rig.json"], "vis.png is not a folder"),
        (["-o", "rig.json", "--crop"], "--crop needs --images"),
        (["-o", "rig.json", "--onto", "ir"], "--onto needs --images"),
        (["-o", "rig.json", "--preview", "x.txt"], "the name of the preview must end in one of"),
        (["-o", "rig.json", "--images", "vis.png"], "vis.png is not a folder"),
    ],
)
def test_wrong_options(
    options: list[str], message: str, run: Run, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, said = run("register", *pair, *options)
    assert (status, said.count("\n")) == (2, 1), said
    assert message in said


def test_missing_images(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    for arguments, message in (
        ([pair[0]], "the visible image is missing"),
        ([pair[0], tmp_path / "none.png"], "none.png"),
        ([tmp_path / "none"], "none"),
        ([tmp_path, pair[1]], "vis.png: is a file; give two image files or two folders"),
    ):
        status, _, said = run("register", *arguments, "-o", tmp_path / "rig.json")
        assert (status, said.count("\n")) == (2, 1)
        assert message in said


def test_the_calibration_is_plain_json(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    calibration().write(tmp_path / "start.json")
    run("register", *pair, "-o", tmp_path / "rig.json", "--start", tmp_path / "start.json")
    content = json.loads((tmp_path / "rig.json").read_text())
    assert content["infrared"] == {"width": IR_SIZE[1], "height": IR_SIZE[0]}
    assert 0 <= content["support"] <= 1
