from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irfuse.io import images, origin

DESCRIPTION = origin.describe("1.2", "method: average, color: gray", "torch, fp32: it has no network")


@pytest.mark.parametrize("extension", origin.FORMATS)
def test_read_what_is_written(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{extension}"
    images.write(path, np.zeros((8, 9), np.uint8), DESCRIPTION)
    assert origin.read(path) == DESCRIPTION
    assert origin.maker(origin.read(path)) == "method: average, color: gray"


@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("text", ["abc", "something longer"])
def test_read_what_others_write(extension: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{extension}"
    exif = Image.Exif()
    exif[271] = "a camera"
    exif[270] = text
    Image.new("L", (8, 9)).save(path, exif=exif)
    assert origin.read(path) == text
    assert origin.maker(text) is None


def test_files_without_a_description(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "broken.tif").write_bytes(b"II*\0\xff\xff\xff\xff")
    images.write(tmp_path / "plain.png", np.zeros((8, 9), np.uint8))
    for name in ("broken.png", "broken.tif", "plain.png", "none.png"):
        assert origin.read(tmp_path / name) == ""


def test_specs_that_are_not_ascii() -> None:
    """EXIF holds ASCII, so a description that was read back compares equal to the one that was written."""
    description = origin.describe("1.2", "method: größe.py:Mean", "torch")
    assert origin.maker(description) == origin.maker(description.encode("ascii", "replace").decode())
