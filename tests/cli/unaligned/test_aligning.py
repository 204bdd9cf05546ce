"""How `irfuse fuse` brings the images of two cameras together."""

from pathlib import Path

import numpy as np
import pytest

import irfuse
from irfuse import notices
from irfuse.io import images
from irfuse.registration import each
from irfuse.registration.alignment import Alignment
from irfuse.registration.calibration import Calibration, read_calibration
from irfuse.registration.geometry import map_points
from tests.conftest import Run
from tests.io import thermal_files
from tests.registration.scenes import MATRIX, calibration


def known(monkeypatch: pytest.MonkeyPatch, doubt: str = "") -> None:
    """Let `--register auto` find the true matrix at once."""
    rig = calibration()
    found = Calibration(rig.matrix, rig.ir_size, rig.vis_size, "test", 0.5, 1.0, doubt)
    monkeypatch.setattr(each, "estimate", lambda pairs, model: found)


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
