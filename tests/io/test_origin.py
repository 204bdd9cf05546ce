from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irfuse.io import images, origin

DESCRIPTION = origin.describe("1.2", "method: average, color: gray", "torch, fp32: it has no network")


def described(path: Path) -> str:
    return images.read_with_metadata(path)[1].description


@pytest.mark.parametrize("extension", origin.FORMATS)
def test_read_what_is_written(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{extension}"
    images.write(path, np.zeros((8, 9), np.uint8), DESCRIPTION)
    assert described(path) == DESCRIPTION
    assert origin.maker(described(path)) == "method: average, color: gray"


@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("text", ["abc", "something longer"])
def test_read_what_others_write(extension: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{extension}"
    exif = Image.Exif()
    exif[271] = "a camera"
    exif[270] = text
    Image.new("L", (8, 9)).save(path, exif=exif)
    assert described(path) == text
    assert origin.maker(text) is None


def test_files_without_a_description(tmp_path: Path) -> None:
    for extension in (*origin.FORMATS, ".bmp", ".pgm"):
        images.write(tmp_path / f"plain{extension}", np.zeros((8, 9), np.uint8))
        assert described(tmp_path / f"plain{extension}") == ""
    exif = Image.Exif()
    exif[271] = "a camera"
    Image.new("L", (8, 9)).save(tmp_path / "other.png", exif=exif)
    assert described(tmp_path / "other.png") == ""


def test_a_description_of_the_visible_image_is_not_taken_over(tmp_path: Path) -> None:
    image = np.zeros((8, 9), np.uint8)
    images.write(tmp_path / "vis.png", image, "the visible image")
    metadata = images.read_with_metadata(tmp_path / "vis.png")[1]
    assert not metadata
    images.write(tmp_path / "fused.png", image, "", metadata)
    assert described(tmp_path / "fused.png") == ""


def test_specs_that_are_not_ascii() -> None:
    """EXIF holds ASCII, so a description that was read back compares equal to the one that was written."""
    description = origin.describe("1.2", "method: größe.py:Mean", "torch")
    assert origin.maker(description) == origin.maker(description.encode("ascii", "replace").decode())
