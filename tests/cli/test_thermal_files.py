"""Radiometric JPEG files given to the commands: what of them is read, and what is said."""

from pathlib import Path

import numpy as np
import pytest

import irfuse
from irfuse import notices
from irfuse.errors import ImageError
from irfuse.io import images
from tests.conftest import Run
from tests.io import thermal_files


@pytest.fixture
def visible(tmp_path: Path) -> Path:
    path = tmp_path / "vis.png"
    images.write(path, np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8))
    return path


def written(folder: Path, data: bytes, name: str = "thermal.jpg") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def test_infrared_is_what_was_measured(run: Run, tmp_path: Path, visible: Path) -> None:
    for data, remark in ((thermal_files.flir(), ""), (thermal_files.dji(), "is read as counts")):
        thermal = written(tmp_path, data)
        status, _, said = run("fuse", thermal, visible, "-o", tmp_path / "f.png", "-m", "average")
        assert (status, said.count("warning")) == (0, bool(remark)), said
        assert remark in said
        with notices.collected():
            expected = irfuse.fuse(images.read(thermal), images.read(visible), method="average")
            by_path = irfuse.fuse(thermal, visible, method="average")
        np.testing.assert_array_equal(images.read(tmp_path / "f.png"), expected)
        np.testing.assert_array_equal(by_path, expected)


def test_infrared_as_picture(run: Run, tmp_path: Path, visible: Path) -> None:
    thermal = written(tmp_path, thermal_files.flir())
    out = tmp_path / "f.png"
    run("fuse", thermal, visible, "-o", out, "-m", "average", "--as-picture")
    with notices.collected():
        expected = irfuse.fuse(images.read(thermal, "picture"), images.read(visible), method="average")
    np.testing.assert_array_equal(images.read(out), expected)
    # Another setting than before.
    _, printed, said = run("fuse", thermal, visible, "-o", out, "-m", "average", "--resume")
    assert "skipped" not in printed and "as picture" in said


@pytest.mark.parametrize("count", [1, 3])
def test_folders(count: int, run: Run, tmp_path: Path) -> None:
    """The visible image is the photograph of another camera's file, as large as the infrared image."""
    for role in ("ir", "vis"):
        (tmp_path / role).mkdir()
    for number in range(count):
        written(tmp_path / "ir", thermal_files.flir(parts=3), f"{number}.jpg")
        with notices.collected():
            vis = images.decode(thermal_files.flir(), "x", "visible")[::2, ::2]
        images.write(tmp_path / "vis" / f"{number}.png", vis)
    out = tmp_path / "out"
    status, _, said = run("fuse", tmp_path, "-o", out, "-m", "average")
    assert status == 0, said
    status, printed, said = run("evaluate", out, tmp_path / "ir", tmp_path / "vis", "-k", "en,mi", "-j", "1")
    assert status != 0 and "floating-point values must lie in [0, 1]" in said
    options = ["-k", "mi", "-j", "1", "--thermal-percentiles", "0.1", "99.9"]
    status, printed, said = run("evaluate", out, tmp_path / "ir", tmp_path / "vis", *options)
    assert status == 0, said
    status, of_picture, said = run(
        "evaluate", out, tmp_path / "ir", tmp_path / "vis", "-k", "mi", "-j", "1", "--as-picture"
    )
    assert status == 0, said
    assert of_picture != printed


def test_visible_is_the_photograph(run: Run, tmp_path: Path) -> None:
    infrared, thermal = tmp_path / "ir.tiff", written(tmp_path, thermal_files.flir())
    images.write(infrared, np.random.default_rng(0).integers(7000, 8000, (96, 128)).astype(np.uint16))
    status, _, said = run("fuse", infrared, thermal, "-o", tmp_path / "f.png", "-m", "average")
    assert status == 0
    assert f"{thermal}: is a thermal file, whose photograph is read as the visible image: 128x96" in said
    assert images.read(tmp_path / "f.png").shape == (96, 128, 3)


def test_visible_without_a_photograph(run: Run, tmp_path: Path, visible: Path) -> None:
    thermal = written(tmp_path, thermal_files.dji())
    status, _, said = run("fuse", visible, thermal, "-o", tmp_path / "f.png", "-m", "average")
    assert status == 2
    assert said.count("\n") == 1 and f"{thermal}: is a thermal file, and cannot be the visible image" in said
    with pytest.raises(ImageError, match="cannot be the visible image"):
        irfuse.fuse(visible, thermal, method="average")
