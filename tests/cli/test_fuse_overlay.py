"""What `irfuse fuse` shows of temperatures: `--highlight`, `--blend`, `--temperature` and degrees."""

from pathlib import Path

import numpy as np
import pytest

import irfuse
from irfuse.imaging import overlay
from irfuse.io import images
from tests.cli.conftest import copies
from tests.conftest import Run
from tests.io import thermal_files


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A radiometric file of FLIR, and a visible image of its size."""
    ir, vis = tmp_path / "flir.jpg", tmp_path / "vis.png"
    ir.write_bytes(thermal_files.flir())
    images.write(vis, np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8))
    return ir, vis


@pytest.fixture
def many(tmp_path: Path, pair: tuple[Path, Path]) -> Path:
    """Three such pairs in folders."""
    return copies(pair, tmp_path / "in")


@pytest.mark.parametrize("method", ["average", "maximum", "encoder-decoder"])
def test_highlight(method: str, run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    status, _, said = run("fuse", *pair, "-o", tmp_path / "f.png", "-m", method, "--highlight", "40C")
    assert status == 0, said
    ir = images.read(pair[0])
    fused = irfuse.fuse(*pair, method=method)
    np.testing.assert_array_equal(images.read(tmp_path / "f.png"), overlay.highlight(fused, ir, "40C"))
    np.testing.assert_array_equal(images.read(tmp_path / "f.png")[ir < 40], fused[ir < 40])


def test_blend(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    options = ["--blend", "--palette", "rainbow", "--thermal-range", "10C", "60C"]
    status, _, said = run("fuse", *pair, "-o", tmp_path / "f.png", *options)
    assert (status, said) == (0, "engine: none, since a blend needs no method\n")
    expected = overlay.blend(
        images.read(pair[0]), images.read(pair[1]), palette="rainbow", thermal=irfuse.Levels(10, 60)
    )
    np.testing.assert_array_equal(images.read(tmp_path / "f.png"), expected)
    _, _, said = run("fuse", *pair, "-o", tmp_path / "g.png", *options, "-m", "average", "--stretch")
    assert "warning: --blend needs no method, so that --method and --stretch make no difference\n" in said
    assert (tmp_path / "g.png").read_bytes() != b""
    np.testing.assert_array_equal(images.read(tmp_path / "g.png"), expected)


def test_degrees(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    run("fuse", *pair, "-o", tmp_path / "d.png", "-m", "average", "--thermal-range", "20C", "40C")
    run("fuse", *pair, "-o", tmp_path / "n.png", "-m", "average", "--thermal-range", "20", "40")
    np.testing.assert_array_equal(images.read(tmp_path / "d.png"), images.read(tmp_path / "n.png"))
    counts = tmp_path / "counts.tiff"
    images.write(counts, thermal_files.scene())
    for options, what in ((["--thermal-range", "20C", "40C"], "thermal range"), (["--highlight", "60C"], "threshold")):
        status, _, said = run("fuse", counts, pair[1], "-o", tmp_path / "f.png", "-m", "average", *options)
        assert status == 2 and said.count("\n") == 1
        assert what in said and "is in °C, and the image holds counts (uint16): give plain numbers" in said
    status, *_ = run("fuse", counts, pair[1], "-o", tmp_path / "f.png", "-m", "average", "--highlight", "15000")
    assert status == 0
    # Scores are computed at the same levels.
    options = ["-k", "mi", "-j", "1", "--thermal-range"]
    of_degrees = run("evaluate", tmp_path / "d.png", *pair, *options, "20C", "40C")
    assert of_degrees[0] == 0 and of_degrees[:2] == run("evaluate", tmp_path / "d.png", *pair, *options, "20", "40")[:2]
    status, _, said = run("evaluate", tmp_path / "d.png", counts, pair[1], *options, "20C", "40C")
    assert status == 2 and "the thermal range is in °C, and the image holds counts" in said


def test_temperatures_of_a_pair(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    out, temperatures = tmp_path / "f.png", tmp_path / "new" / "t.tiff"
    assert run("fuse", *pair, "-o", out, "-m", "average", "--temperature", temperatures)[0] == 0
    np.testing.assert_array_equal(images.read(temperatures), images.read(pair[0]))
    _, printed, _ = run("fuse", *pair, "-o", out, "-m", "average", "--temperature", temperatures, "--resume")
    assert "skipped" in printed
    temperatures.unlink()
    run("fuse", *pair, "-o", out, "-m", "average", "--temperature", temperatures, "--resume")
    assert temperatures.exists()


def test_temperatures_of_folders(run: Run, many: Path, tmp_path: Path) -> None:
    out, temperatures = tmp_path / "out", tmp_path / "temperatures"
    options = ["-m", "average", "--highlight", "40C", "--temperature", temperatures]
    status, printed, said = run("fuse", many, "-o", out, *options)
    assert status == 0 and "3 fused" in printed, said
    for number in range(3):
        ir = images.read(many / "ir" / f"{number}.jpg")
        np.testing.assert_array_equal(images.read(temperatures / f"{number}.tiff"), ir)
    (temperatures / "1.tiff").unlink()
    assert "1 fused, 2 skipped" in run("fuse", many, "-o", out, *options, "--resume")[1]
    assert (temperatures / "1.tiff").exists()
    # Another threshold makes other results.
    options[3] = "50C"
    _, printed, said = run("fuse", many, "-o", out, *options, "--resume")
    assert "3 fused" in printed and "highlight: 40C" in said


def test_counts_are_written_as_they_are(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    for name, image in (("u", thermal_files.scene()), ("f", np.float64(thermal_files.scene()))):
        images.write(tmp_path / f"{name}.tiff", image)
        ir, options = tmp_path / f"{name}.tiff", ["--blend", "--temperature", tmp_path / "t.tiff"]
        assert run("fuse", ir, pair[1], "-o", tmp_path / f"{name}.png", *options)[0] == 0
        np.testing.assert_array_equal(images.read(tmp_path / "t.tiff"), image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--highlight", "warm"], "'warm' is no threshold: give degrees such as 60C"),
        (["--highlight", "120%"], "a percentile lies from 0 to 100"),
        (["--highlight", "60C", "--blend"], "--highlight cannot be combined with --blend"),
        (["--legend"], "--legend needs --highlight or --blend"),
        (["--palette", "iron"], "--palette needs --highlight or --blend"),
        (["--thermal-range", "20C", "40"], "give both numbers in degrees, or none"),
        (["--thermal-range", "20F", "40F"], "two numbers are needed"),
        (["--temperature", "t.png"], "must end in .tif or .tiff"),
        (["--temperature", "vis.tiff"], "vis.tiff would replace an input"),
        (["--temperature", "f.tiff", "-o", "f.tiff"], "would be both the fused image and the temperatures"),
    ],
)
def test_bad_options(
    options: list[str],
    message: str,
    run: Run,
    pair: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    images.write(tmp_path / "vis.tiff", images.read(pair[1]))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    out = [] if "-o" in options else ["-o", "f.png"]
    status, printed, said = run("fuse", pair[0], "vis.tiff", "-m", "average", *out, *options)
    assert (status, printed, said.count("\n")) == (2, "", 1)
    assert message in said
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_8_bit_picture_has_no_temperatures(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    status, _, said = run(
        "fuse", *pair, "-o", tmp_path / "f.png", "-m", "average", "--as-picture", "--temperature", tmp_path / "t.tiff"
    )
    assert (
        status == 2 and "infrared: holds neither counts nor temperatures, but a picture (uint8 in 3 channels)" in said
    )
    assert not (tmp_path / "f.png").exists() and not (tmp_path / "t.tiff").exists()


def test_temperatures_replace_no_input(run: Run, many: Path, tmp_path: Path) -> None:
    for number in range(3):
        images.write(many / "ir" / f"{number}.tiff", images.read(many / "ir" / f"{number}.jpg"))
        (many / "ir" / f"{number}.jpg").unlink()
    before = (many / "ir" / "0.tiff").read_bytes()
    status, _, said = run("fuse", many, "-o", tmp_path / "out", "-m", "average", "--temperature", many / "ir")
    assert status == 2 and "would replace an input" in said
    options = ["-o", tmp_path / "out", "--format", "tiff", "--temperature", tmp_path / "out"]
    status, _, said = run("fuse", many, "-m", "average", *options)
    assert status == 2 and "would be both a fused image and temperatures; choose another folder" in said
    assert (many / "ir" / "0.tiff").read_bytes() == before
    status, _, said = run("fuse", many, "-o", tmp_path / "out", "-m", "average", "--temperature", tmp_path / "t.tiff")
    assert status == 2 and "needs the name of a folder" in said


def test_a_file_with_its_own_photograph(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    """It is registered; see tests/cli/unaligned/. A file without a photograph is no pair."""
    pair[0].write_bytes(thermal_files.dji())
    status, _, said = run("fuse", pair[0], "-o", tmp_path / "f.png")
    assert status == 2 and "the visible image is missing, since DJI writes" in said and "irfuse fuse IR VIS" in said
