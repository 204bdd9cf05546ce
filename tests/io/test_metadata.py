import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from irfuse.errors import ImageFileWarning
from irfuse.io import ifd, images
from irfuse.io.pairs import Pair
from irfuse.pipelines import folder

GPS, EXIF = 0x8825, 0x8769
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
HOLDS = [".png", ".jpg", ".webp", ".tif"]
FORMS = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP", ".tif": "TIFF"}


def photograph(extension: str, *, orientation: int = 6, profile: bytes = PROFILE, order: str = "<") -> bytes:
    """A color photograph with a profile, a position, a time of exposure and an orientation; TIFF is upright."""
    if extension == ".tif":
        # Pillow writes no position into TIFF. That irfuse does so rightly is tested below by tifffile.
        image, metadata = images.decode_with_metadata(photograph(".jpg"), "x")
        return images.encode(image, ".tif", "", metadata)
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F] = "A maker of cameras"
    exif[0x0112] = orientation
    exif[0x0132] = "2026:01:02 03:04:05"
    exif.get_ifd(GPS).update({1: "N", 2: (48.0, 8.0, 14.5), 3: "E", 4: (11.0, 34.0, 31.25), 6: 519.5})
    exif.get_ifd(EXIF).update({0x829A: 0.008, 0x9003: "2026:01:02 03:04:05", 0xA002: 40, 0xA003: 24})
    buffer = io.BytesIO()
    Image.fromarray(np.full((24, 40, 3), 90, np.uint8)).save(
        buffer, format=FORMS[extension], exif=exif, icc_profile=profile
    )
    return buffer.getvalue()


@pytest.mark.parametrize("source", HOLDS)
@pytest.mark.parametrize("target", HOLDS)
def test_all_that_stays_true_is_kept(source: str, target: str) -> None:
    image, metadata = images.decode_with_metadata(photograph(source), "x")
    assert image.shape == (40, 24, 3)
    data = images.encode(image, target, "fused", metadata)
    np.testing.assert_array_equal(images.decode(data, "x"), image)
    written = Image.open(io.BytesIO(data))
    exif = written.getexif()
    assert written.info["icc_profile"] == PROFILE
    assert exif[0x010F] == "A maker of cameras"
    assert exif[0x0132] == "2026:01:02 03:04:05"
    assert exif[0x010E] == "fused"
    # The fused image is upright.
    assert exif[0x0112] == 1
    if target == ".tif":
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            tags = file.pages[0].tags
            assert tags[GPS].value["GPSLatitude"] == (48, 1, 8, 1, 29, 2)
            assert tags[EXIF].value == {"ExposureTime": 0.008, "DateTimeOriginal": "2026:01:02 03:04:05"}
        return
    gps = exif.get_ifd(GPS)
    assert (gps[1], gps[3]) == ("N", "E")
    assert [float(part) for part in (*gps[2], *gps[4], gps[6])] == [48.0, 8.0, 14.5, 11.0, 34.0, 31.25, 519.5]
    inner = exif.get_ifd(EXIF)
    assert float(inner[0x829A]) == 0.008
    # The size before it was turned is not true any more.
    assert 0xA002 not in inner


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders(order: str) -> None:
    _, metadata = images.decode_with_metadata(photograph(".jpg", order=order), "x")
    written = Image.open(io.BytesIO(images.encode(np.zeros((4, 4, 3), np.uint8), ".png", "", metadata)))
    assert float(written.getexif().get_ifd(GPS)[6]) == 519.5


@pytest.mark.parametrize("extension", HOLDS)
def test_nothing_is_added_to_plain_images(extension: str) -> None:
    image = np.full((24, 40, 3), 90, np.uint8)
    _, metadata = images.decode_with_metadata(images.encode(image, extension), "x")
    assert not metadata.profile
    assert images.encode(image, extension, "", metadata) == images.encode(image, extension)


@pytest.mark.parametrize("extension", HOLDS)
def test_a_profile_for_other_channels_is_left_out(extension: str, capfd: pytest.CaptureFixture[str]) -> None:
    _, metadata = images.decode_with_metadata(photograph(".png"), "x")
    data = images.encode(np.zeros((8, 8), np.uint8), extension, "", metadata)
    assert "icc_profile" not in Image.open(io.BytesIO(data)).info
    images.decode(data, "x")
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_long_exif_data_of_jpeg_keeps_the_position() -> None:
    _, metadata = images.decode_with_metadata(photograph(".jpg"), "x")
    inner = metadata.tags[ifd.EXIF]
    assert not isinstance(inner, ifd.Value)
    long = type(metadata)(b"", {**metadata.tags, ifd.EXIF: {**inner, 37500: ifd.Value(ifd.BYTES, bytes(70_000))}})
    image = np.zeros((8, 8, 3), np.uint8)
    for extension, kept in ((".jpg", False), (".png", True)):
        exif = Image.open(io.BytesIO(images.encode(image, extension, "fused", long))).getexif()
        assert exif.get_ifd(GPS)[1] == "N"
        assert (0x010F in exif) == kept


@pytest.mark.parametrize("extension", [".bmp", ".pgm"])
def test_formats_without_metadata_say_so(extension: str, tmp_path: Path) -> None:
    _, metadata = images.decode_with_metadata(photograph(".png"), "x")
    with pytest.warns(
        ImageFileWarning, match=rf"x{extension}: {extension} cannot hold the visible image's color profile"
    ):
        images.write(tmp_path / f"x{extension}", np.zeros((8, 8), np.uint8), "", metadata)


def test_geotiff(tmp_path: Path) -> None:
    scale = (0.1, 0.1, 0.0)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((8, 8), np.uint16), extratags=[(33550, 12, 3, scale, True)], metadata=None)
    image, metadata = images.decode_with_metadata(buffer.getvalue(), "x")
    images.write(tmp_path / "x.tif", image, "fused", metadata)
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        assert file.pages[0].tags[33550].value == scale
        assert file.pages[0].description == "fused"
        np.testing.assert_array_equal(file.asarray(), image)


def test_damaged_exif_data_costs_only_itself(rng: np.random.Generator) -> None:
    data = photograph(".jpg")
    begin = data.index(b"Exif\0\0") + 6
    for _ in range(300):
        mutant = bytearray(data)
        for at in rng.integers(begin, begin + 200, 4):
            mutant[at] = rng.integers(256)
        image, metadata = images.decode_with_metadata(bytes(mutant), "x")
        for extension in (".jpg", ".tif"):
            images.decode(images.encode(image, extension, "fused", metadata), "x")


def test_a_directory_that_holds_itself_ends() -> None:
    entry = struct.pack("<HHII", ifd.EXIF, ifd.LONG, 1, 8)
    assert ifd.parse(b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4))


def test_folder_keeps_metadata_and_reports_warnings(tmp_path: Path) -> None:
    photo = photograph(".jpg", orientation=1)
    (tmp_path / "vis.jpg").write_bytes(photo)
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for level in (10, 20):
            writer.write(np.full((24, 40), level, np.uint8), metadata=None)
    (tmp_path / "ir.tif").write_bytes(buffer.getvalue())
    pair = Pair("a", tmp_path / "ir.tif", tmp_path / "vis.jpg")
    report = folder.run([pair], tmp_path / "out", lambda ir, vis: vis)
    assert report.failures == []
    assert report.warnings == [("", f"{pair.ir}: holds 2 images; number 1 is read (40x24)")]
    with Image.open(tmp_path / "out" / "a.png") as written:
        assert written.info["icc_profile"] == PROFILE
        assert written.getexif().get_ifd(GPS)[1] == "N"
