import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageOps

from irfuse.errors import ImageError, OutputError
from irfuse.fuser import Fuser
from irfuse.io import images
from irfuse.io.formats import EXTENSIONS

Array = NDArray[np.uint8]


@pytest.fixture
def rgb(rng: np.random.Generator) -> Array:
    # Smooth, so that lossy formats are accurate. Larger than a block, so that compression has an effect.
    return cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (40, 30), interpolation=cv2.INTER_CUBIC)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "WEBP", "JPEG", "PPM"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_gray_and_color(form: str, mode: str, rgb: Array) -> None:
    if (form, mode) == ("PPM", "RGB"):
        pytest.skip("PGM is gray")
    image = Image.fromarray(rgb).convert(mode)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(form, {})
    decoded = images.decode(encoded(image, form, **options), "x")
    # WebP has no gray images.
    expected = np.asarray(image.convert("RGB") if form == "WEBP" else image)
    assert decoded.dtype == np.uint8
    assert decoded.shape == expected.shape
    np.testing.assert_allclose(decoded.astype(int), expected, atol=3 if form == "JPEG" else 0)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_color_with_alpha(form: str, rgb: Array) -> None:
    alpha = np.full((30, 40), 255, np.uint8)
    alpha[10:, :20] = 128
    image = np.dstack([rgb, alpha])
    decoded = images.decode(
        encoded(Image.fromarray(image), form, **({"lossless": True} if form == "WEBP" else {})), "x"
    )
    assert decoded.shape == (30, 40, 4)
    np.testing.assert_array_equal(decoded, image)


@pytest.mark.parametrize("depth", [8, 16])
def test_gray_with_alpha(depth: int, rng: np.random.Generator) -> None:
    if depth == 8:
        image = rng.integers(0, 256, (9, 7, 2), dtype=np.uint8)
        decoded = images.decode(encoded(Image.fromarray(image, mode="LA"), "PNG"), "x")
        np.testing.assert_array_equal(decoded, image)
    else:
        image = rng.integers(0, 65536, (9, 7, 2)).astype(np.uint16)
        decoded = images.decode(images.encode(image, ".png"), "x")
        np.testing.assert_array_equal(decoded, image[..., [0, 0, 0, 1]])


def test_gray_tiff_with_alpha() -> None:
    for dtype in (np.uint8, np.uint16):
        image = np.full((4, 5, 2), 200, dtype)
        data = tiff(image, photometric="minisblack", extrasamples=["unassalpha"], planarconfig="contig")
        np.testing.assert_array_equal(images.decode(data, "x"), image)


def test_palette(rgb: Array) -> None:
    image = Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE)
    expected = np.asarray(image.convert("RGB"))
    for form in ("PNG", "BMP", "TIFF"):
        np.testing.assert_array_equal(images.decode(encoded(image, form), "x"), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("alpha", [False, True])
def test_exif_orientation(orientation: int, form: str, alpha: bool, rgb: Array) -> None:
    if form == "JPEG" and alpha:
        pytest.skip("JPEG knows no alpha")
    image = Image.fromarray(np.dstack([rgb, rgb[..., 0] | 255]) if alpha else rgb)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(form, {})
    data = encoded(image, form, exif=exif, **options)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    decoded = images.decode(data, "x")
    assert decoded.shape == expected.shape
    np.testing.assert_allclose(decoded.astype(int), expected, atol=3 if form == "JPEG" else 0)


@pytest.mark.parametrize("extension", [".png", ".tiff", ".pgm"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_survive(extension: str, channels: int, rng: np.random.Generator, tmp_path: Path) -> None:
    if extension == ".pgm" and channels > 1:
        pytest.skip("PGM is gray")
    image = rng.integers(0, 65536, (5, 6, channels)).astype(np.uint16)
    image = image[..., 0] if channels == 1 else image
    images.write(tmp_path / f"x{extension}", image)
    np.testing.assert_array_equal(images.read(tmp_path / f"x{extension}"), image)


def test_16_bit_png_agrees_with_pillow(rng: np.random.Generator) -> None:
    image = rng.integers(0, 65536, (5, 6)).astype(np.uint16)
    np.testing.assert_array_equal(images.decode(encoded(Image.fromarray(image), "PNG"), "x"), image)


@pytest.mark.parametrize("extension", [".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"])
def test_written_color_is_read_by_pillow(extension: str, rgb: Array, tmp_path: Path) -> None:
    images.write(tmp_path / f"x{extension}", rgb)
    seen = np.asarray(Image.open(tmp_path / f"x{extension}").convert("RGB"))
    # JPEG halves the resolution of the chroma, which carries most of this image.
    assert np.abs(seen.astype(int) - rgb).mean() <= (6 if extension in (".jpg", ".jpeg") else 0)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("description", ["irfuse 1.0, engine: torch, fp32: as requested", "a", "in Zürich.onnx"])
def test_description(extension: str, description: str, rgb: Array, capfd: pytest.CaptureFixture[str]) -> None:
    image = rgb[..., 0] if extension == ".pgm" else rgb
    data = images.encode(image, extension, description)
    found = Image.open(io.BytesIO(data)).getexif().get(270, "")
    holds = extension not in (".bmp", ".pgm")
    assert found.rstrip("\0") == (description.replace("ü", "?") if holds else "")
    # The description changes no pixel, and OpenCV prints nothing.
    plain = images.encode(image, extension)
    np.testing.assert_array_equal(images.decode(data, "x"), images.decode(plain, "x"))
    assert (data == plain) == (not holds)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_description_of_16_bits_and_alpha(channels: int, rng: np.random.Generator) -> None:
    image = rng.integers(0, 65536, (5, 6, channels)).astype(np.uint16)
    image = image[..., 0] if channels == 1 else image
    decoded = images.decode(images.encode(image, ".png", "described"), "x")
    np.testing.assert_array_equal(decoded, images.decode(images.encode(image, ".png"), "x"))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM"])
def test_truncated_files(form: str, rng: np.random.Generator, capfd: pytest.CaptureFixture[str]) -> None:
    data = encoded(Image.fromarray(rng.integers(0, 256, (80, 90), dtype=np.uint8)), form)
    with pytest.raises(ImageError, match=r"^x\.img: not a readable image"):
        images.decode(data[: len(data) * 2 // 3], "x.img")
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_unreadable(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no image")
    for name, reason in (("none.png", "no such file"), ("empty.png", "empty"), ("text.png", "not a readable image")):
        with pytest.raises(ImageError, match=rf"{name}: .*{reason}"):
            images.read(tmp_path / name)
    with pytest.raises(ImageError, match="is a folder"):
        images.read(tmp_path)


@pytest.mark.parametrize(
    ("extension", "shape", "dtype", "reason"),
    [
        (".jpg", (2, 2), np.uint16, "uint16"),
        (".webp", (2, 2, 3), np.uint16, "uint16"),
        (".png", (2, 2), np.float32, "float32 images: write .tiff"),
        (".png", (2, 2), np.float64, "float64 images: write .tiff"),
        (".tiff", (2, 2), np.int16, "int16 images: no format can; convert the image to uint8, uint16 or float32"),
        (".png", (2, 2), np.int32, "int32"),
        (".png", (2, 2, 5), np.uint8, "is not an image"),
        (".png", (0, 2), np.uint8, "is not an image"),
        (".jpg", (2, 2, 4), np.uint8, "alpha"),
        (".bmp", (2, 2, 2), np.uint8, "alpha"),
        (".pgm", (2, 2, 3), np.uint8, "only gray"),
        (".gif", (2, 2), np.uint8, "cannot write .gif"),
        ("", (2, 2), np.uint8, "without an extension"),
    ],
)
def test_what_a_format_cannot_hold(extension: str, shape: tuple[int, ...], dtype: type, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        images.encode(np.zeros(shape, dtype), extension)


def test_writing_to_a_folder_or_nowhere(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    for place in (tmp_path / "x.png", tmp_path / "none" / "x.png"):
        with pytest.raises(OutputError, match="cannot write"):
            images.write(place, np.zeros((2, 2), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_thermal_files(data: Path) -> None:
    for name in ("radiometric16.tiff", "seals_ir16.png"):
        image = images.read(data / "thermal" / name)
        assert image.dtype == np.uint16
        assert image.std() > 0
    assert images.read(data / "thermal" / "FLIR_T640.jpg").dtype == np.float32


def tiff(image: NDArray[np.generic], **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, image, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_with_inverted_gray(dtype: type, rng: np.random.Generator) -> None:
    image = rng.integers(0, np.iinfo(dtype).max, (5, 6)).astype(dtype)
    np.testing.assert_array_equal(
        images.decode(tiff(np.iinfo(dtype).max - image, photometric="miniswhite"), "x"), image
    )


def test_cmyk_tiff_has_no_alpha(rgb: Array) -> None:
    assert images.decode(encoded(Image.fromarray(rgb).convert("CMYK"), "TIFF"), "x").shape == rgb.shape


def test_float_tiff(rng: np.random.Generator, tmp_path: Path) -> None:
    image = rng.random((5, 6)).astype(np.float32)
    images.write(tmp_path / "x.tiff", image)
    np.testing.assert_array_equal(images.read(tmp_path / "x.tiff"), image)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
def test_what_is_read_as_a_visible_image_can_be_fused_and_written(
    dtype: str, channels: int, rng: np.random.Generator, tmp_path: Path
) -> None:
    """TIFF holds all of it; floating point is written as float32."""
    full = 1 if dtype.startswith("float") else np.iinfo(dtype).max
    image = rng.uniform(0, full, (20, 24, channels)).astype(dtype)
    kind = {"photometric": "rgb" if channels > 2 else "minisblack", "extrasamples": [2] * (channels in (2, 4))}
    (tmp_path / "vis.tiff").write_bytes(tiff(image[..., 0] if channels == 1 else image, **kind))
    vis = images.read(tmp_path / "vis.tiff")
    fused = Fuser("average", device="cpu", engine="torch", precision="fp32")(vis[..., 0] if vis.ndim > 2 else vis, vis)
    images.write(tmp_path / "fused.tiff", fused)
    written = images.read(tmp_path / "fused.tiff")
    assert written.dtype == ("float32" if dtype.startswith("float") else dtype)
    assert written.shape == ((20, 24, 4) if channels == 2 else vis.shape)
    expected = fused[..., [0, 0, 0, 1]] if channels == 2 else fused
    np.testing.assert_array_equal(written, expected.astype(written.dtype))


@pytest.mark.parametrize("dtype", ["int16", "int32", "float64"])
def test_temperatures_in_tiff(dtype: str, rng: np.random.Generator) -> None:
    values = rng.uniform(-5000, 5000, (5, 6)).astype(dtype)
    np.testing.assert_array_equal(images.decode(tiff(values), "x"), values)


def test_kinds_that_are_refused() -> None:
    with pytest.raises(ImageError, match="int8 images are not supported"):
        images.decode(tiff(np.zeros((4, 4), np.int8)), "x")
