"""`irfuse register`, and how `irfuse fuse` uses calibrations."""

import json
from pathlib import Path

import numpy as np
import pytest

import irfuse
from irfuse import notices
from irfuse.cli import register as command
from irfuse.imaging import overlay, planes
from irfuse.imaging.planes import Array
from irfuse.io import images
from irfuse.registration import each
from irfuse.registration.alignment import Alignment
from irfuse.registration.calibration import Calibration, read_calibration
from irfuse.registration.geometry import map_points
from tests.cli.conftest import copies
from tests.conftest import Run
from tests.io import thermal_files
from tests.registration.scenes import IR_SIZE, MATRIX, calibration, error, sample, unaligned


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def images_of_a_rig() -> tuple[Array, Array]:
    return unaligned()


@pytest.fixture
def pair(tmp_path: Path, images_of_a_rig: tuple[Array, Array]) -> tuple[Path, Path]:
    paths = tmp_path / "ir.png", tmp_path / "vis.png"
    for path, image in zip(paths, images_of_a_rig, strict=True):
        images.write(path, image)
    return paths


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    calibration().write(tmp_path / "rig.json")
    return tmp_path / "rig.json"


@pytest.fixture
def folders(tmp_path: Path, pair: tuple[Path, Path]) -> Path:
    """Three pairs of a rig."""
    return copies(pair, tmp_path / "in")


def known(monkeypatch: pytest.MonkeyPatch, doubt: str = "") -> None:
    """Let `--register auto` find the true matrix at once."""
    rig = calibration()
    found = Calibration(rig.matrix, rig.ir_size, rig.vis_size, "test", 0.5, 1.0, doubt)
    monkeypatch.setattr(each, "estimate", lambda pairs, model: found)


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


def test_fuse_onto_and_cropped(run: Run, pair: tuple[Path, Path], rig: Path, tmp_path: Path) -> None:
    for options, alignment in (
        (["--onto", "ir"], Alignment(calibration(), "ir")),
        (["--crop"], Alignment(calibration(), crop=True)),
    ):
        run("fuse", *pair, "-o", tmp_path / "f.png", "-m", "maximum", "--calibration", rig, *options)
        expected = irfuse.fuse(*pair, method="maximum", registration=alignment)
        np.testing.assert_array_equal(images.read(tmp_path / "f.png"), expected)


def test_fuse_folders(run: Run, folders: Path, rig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch)
    expected = irfuse.fuse(
        folders / "ir" / "0.png", folders / "vis" / "0.png", method="average", registration=calibration()
    )
    for number, options in enumerate((["--calibration", rig], ["--register", "auto"])):
        out = tmp_path / f"out{number}"
        status, _, said = run("fuse", folders, "-o", out, "-m", "average", *options)
        assert status == 0, said
        assert "unregistered" not in said
        for path in sorted(out.iterdir()):
            np.testing.assert_array_equal(images.read(path), expected)


def test_another_calibration_is_another_result(run: Run, folders: Path, rig: Path, tmp_path: Path) -> None:
    arguments = ["fuse", folders, "-o", tmp_path / "out", "-m", "average", "--calibration", rig, "--resume"]
    run(*arguments)
    before = images.read(tmp_path / "out" / "0.png")
    _, printed, said = run(*arguments)
    assert "3" in printed + said
    moved = MATRIX.copy()
    moved[0, 2] += 20
    calibration(moved).write(rig)
    run(*arguments)
    assert (images.read(tmp_path / "out" / "0.png") != before).any()


def test_one_doubtful_pair_of_a_folder(
    run: Run, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, "only 9% of the image parts agree")
    status, _, said = run("fuse", folders, "-o", tmp_path / "out", "-m", "average", "--register", "auto")
    assert status == 1 and said.count("only 9% of the image parts agree") >= 1
    status, _, said = run("fuse", folders, "-o", tmp_path / "out", "-m", "average", "--register", "auto", "--force")
    assert status == 0 and "cannot be trusted" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--calibration", "rig.json", "--register", "auto"], "--calibration cannot be combined with --register"),
        (["--crop"], "--crop needs --calibration or --register"),
        (["--onto", "ir"], "--onto needs --calibration or --register"),
        (["--force"], "--force needs"),
        (["--calibration", "rig.json", "--force"], "--force needs --register"),
        (["--calibration", "none.json"], "none.json: no such file; make one with irfuse register"),
    ],
)
def test_options_of_fuse(
    options: list[str],
    message: str,
    run: Run,
    pair: tuple[Path, Path],
    rig: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, said = run("fuse", *pair, "-o", "f.png", "-m", "average", *options)
    assert (status, said.count("\n")) == (2, 1)
    assert message in said


def test_other_sizes_are_refused(run: Run, pair: tuple[Path, Path], rig: Path, tmp_path: Path) -> None:
    images.write(pair[0], images.read(pair[0])[:200])
    status, _, said = run("fuse", *pair, "-o", tmp_path / "f.png", "-m", "average", "--calibration", rig)
    assert (status, said.count("\n")) == (2, 1)
    assert "the calibration is for infrared images of 320x256 pixels, and this one has 320x200" in said


def test_a_radiometric_file_with_its_photograph(run: Run, tmp_path: Path) -> None:
    """Highlights and temperatures lie where the fused image has them."""
    flir, rig = tmp_path / "flir.jpg", tmp_path / "rig.json"
    flir.write_bytes(thermal_files.flir())
    matrix = np.array([[1.5, 0, 20], [0, 1.5, 10], [0, 0, 1.0]])
    calibration(matrix, (48, 64), (96, 128)).write(rig)
    out, measured = tmp_path / "f.png", tmp_path / "t.tiff"
    options = ["-m", "maximum", "--calibration", rig, "--highlight", "40C", "--temperature", measured]
    status, _, said = run("fuse", flir, "-o", out, *options)
    assert status == 0, said
    celsius, fused = images.read(measured), images.read(out)
    assert celsius.shape == fused.shape[:2] == (96, 128)
    assert np.isnan(celsius[:9, :19]).all()
    assert celsius[50, 80] == pytest.approx(images.read(flir)[round(40 / 1.5), round(60 / 1.5)], abs=2)
    with notices.collected():
        photograph = images.read(flir, "visible")
    np.testing.assert_array_equal(fused[:9], photograph[:9])
    # The warm spot is tinted.
    warm = np.nan_to_num(celsius) >= 40
    assert warm.any()
    assert (np.abs(fused[warm].astype(int) - photograph[warm]).max(axis=1) > 20).mean() > 0.9


def test_a_doubt_is_said_once(
    run: Run, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, "only 9% of the image parts agree")
    counts = tmp_path / "counts.png"
    images.write(counts, 7000 + 4 * images.read(pair[0]).astype(np.uint16))
    options = ["-o", tmp_path / "f.png", "--register", "auto", "--force", "--temperature", tmp_path / "t.tiff"]
    for drawn in (["-m", "average", "--highlight", "99%"], ["--blend"]):
        status, _, said = run("fuse", counts, pair[1], *options, *drawn)
        assert (status, said.count("only 9%")) == (0, 1)


def test_units_are_those_of_the_file(run: Run, pair: tuple[Path, Path], rig: Path, tmp_path: Path) -> None:
    """An alignment neither makes temperatures of counts, nor unit values of 8 bits."""
    eight, out = images.read(pair[0]), tmp_path / "f.png"
    counts = tmp_path / "counts.png"
    images.write(counts, 7000 + 4 * eight.astype(np.uint16))
    of_rig = ["-o", out, "-m", "average", "--calibration", rig]
    status, _, said = run("fuse", counts, pair[1], *of_rig, "--highlight", "60C")
    assert status == 2 and "the threshold 60C is in °C, and the image holds counts (uint16)" in said
    of_counts = []
    for ir, threshold, levels in ((pair[0], "150", (20, 200)), (counts, "7600", (7080, 7800))):
        status, _, said = run("fuse", ir, pair[1], *of_rig, "--highlight", threshold)
        assert (status, said.count("\n")) == (0, 1), said
        tinted = images.read(out)
        status, _, said = run(
            "fuse", ir, pair[1], "-o", out, "--blend", "--calibration", rig, "--thermal-range", *levels
        )
        assert (status, said.count("\n")) == (0, 1), said
        of_counts.append((tinted, images.read(out)))
    for one, other in zip(*of_counts, strict=True):
        assert np.abs(one.astype(int) - other).mean() < 1
    status, _, _ = run("fuse", counts, pair[1], *of_rig, "--temperature", tmp_path / "t.tiff")
    measured = images.read(tmp_path / "t.tiff")
    assert measured.dtype == np.uint16 and measured[0, 0] == 0
    assert 7000 <= measured[240, 320] <= 8020
    status, _, said = run("fuse", *pair, *of_rig, "--temperature", tmp_path / "t.tiff")
    assert status == 2 and "holds neither counts nor temperatures, but a picture (uint8)" in said


def test_blends_and_highlights_have_a_soft_seam() -> None:
    level = np.linspace(39, 41, IR_SIZE[0] * IR_SIZE[1], dtype=np.float32).reshape(IR_SIZE)
    vis = np.full((480, 640, 3), 120, np.uint8)
    aligned = Alignment(calibration())(planes.from_array(level, "infrared"), planes.from_array(vis, "visible"))
    for drawn in (overlay.blend(*aligned, thermal=irfuse.Levels(0, 60)), overlay.highlight(vis, aligned[0], "30C")):
        # A row and a column through the seam.
        for line in (drawn[150, :200], drawn[:120, 400]):
            assert np.abs(np.diff(line.astype(int), axis=0)).max() <= 12
            assert (line[0] == 120).all() and (line[-1] != 120).any()


def test_a_folder_of_radiometric_files(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = tmp_path / "flirs", tmp_path / "out"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.jpg").write_bytes(thermal_files.flir())
    (folder / "2.jpg").write_bytes(thermal_files.flir(without=(thermal_files.PHOTOGRAPH,)))
    (folder / "3.jpg").write_bytes(thermal_files.flir()[:3000])
    matrix = np.array([[1.5, 0, 20], [0, 1.5, 10], [0, 0, 1.0]])
    rig = calibration(matrix, (48, 64), (96, 128))
    monkeypatch.setattr(each, "estimate", lambda pairs, model: rig)
    status, printed, said = run("fuse", folder, "-o", out, "-m", "maximum")
    assert status == 1 and "2 fused, 1 failed" in printed
    assert f"no partner: {folder / '2.jpg'}" in said and "failed: 3: " in said
    with notices.collected():
        flir = folder / "0.jpg"
        expected = irfuse.fuse(flir, flir, method="maximum", registration=rig)
    np.testing.assert_array_equal(images.read(out / "0.png"), expected)
    # They are pairs of one rig.
    points = tmp_path / "points.csv"
    ir = np.array([[2.0, 3], [60, 2], [58, 45], [3, 40]])
    points.write_text("\n".join(",".join(map(str, row)) for row in np.c_[ir, map_points(matrix, ir)].tolist()))
    status, _, said = run("register", folder, "-o", tmp_path / "rig.json", "--points", points)
    assert status == 0, said
    np.testing.assert_allclose(read_calibration(tmp_path / "rig.json").array, matrix, atol=1e-6)
    # Their pictures are no pairs, and neither are other images.
    assert run("fuse", folder, "-o", out, "-m", "maximum", "--as-picture")[0] == 2
    for path in folder.iterdir():
        path.write_bytes(thermal_files.photograph([]))
    status, _, said = run("fuse", folder, "-o", out, "-m", "maximum")
    assert status == 2 and "no pair" in said


def test_a_photograph_that_does_not_match_is_refused(run: Run, tmp_path: Path) -> None:
    """A file of its own is registered without being asked; the photograph of this one shows something else."""
    flir = tmp_path / "flir.jpg"
    flir.write_bytes(thermal_files.flir())
    status, _, said = run("fuse", flir, "-o", tmp_path / "f.png", "-m", "maximum")
    assert status == 2
    remark, refusal = said.splitlines()
    assert "photograph is read as the visible image" in remark
    assert "cannot be registered with confidence" in refusal


def test_the_calibration_is_plain_json(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    calibration().write(tmp_path / "start.json")
    run("register", *pair, "-o", tmp_path / "rig.json", "--start", tmp_path / "start.json")
    content = json.loads((tmp_path / "rig.json").read_text())
    assert content["infrared"] == {"width": IR_SIZE[1], "height": IR_SIZE[0]}
    assert 0 <= content["support"] <= 1
