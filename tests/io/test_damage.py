"""Damaged files are refused or warned of, and whole files are not."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from irfuse import notices, samples
from irfuse.errors import ImageError, ImageFileWarning
from irfuse.io import images

Array = NDArray[np.uint8]


@pytest.fixture(scope="module")
def scene() -> Array:
    pair = next(pair for pair in samples.pairs() if pair.name == "msrs_00881N")
    return images.read(pair.vis)[::2, ::2].copy()


def encoded(image: Array, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format=form, **options)
    return buffer.getvalue()


JPEG = [
    {"quality": 75},
    {"quality": 95, "subsampling": 0},
    {"quality": 30},
    {"progressive": True},
    {"restart_marker_rows": 1},
    {"optimize": True},
]
WEBP = [{"quality": 80}, {"quality": 20}, {"lossless": True}]


def kinds_of(scene: Array) -> list[Array]:
    """Images that encoders treat differently: color, gray, flat, noise, tiny."""
    noise = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    flat = np.full((200, 300), 77, np.uint8)
    return [scene, scene[..., 0], flat, flat * 0, noise, noise[:1, :1], noise[:9, :17], scene[:33, :47]]


@pytest.mark.parametrize(("form", "options"), [("JPEG", options) for options in JPEG] + [("WEBP", o) for o in WEBP])
def test_whole_files_are_not_called_damaged(form: str, options: dict[str, object], scene: Array) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "maker"
    for image in kinds_of(scene):
        for more in ({}, {"exif": exif}, {"icc_profile": profile, "exif": exif}):
            images.decode(encoded(image, form, **options, **more), "x")
    if form == "WEBP":
        images.decode(
            encoded(np.dstack([scene, np.where(scene[..., 0] > 60, 255, 90).astype(np.uint8)]), form, **options), "x"
        )


def test_whole_files_of_cameras(data: Path) -> None:
    """Neither other images behind the first one nor the makers' segments are damage."""
    for path in sorted((data / "thermal").glob("*.jp*g")) + sorted((data / "vifb" / "vis").glob("*.jpg")):
        with notices.collected() as said:
            images.read(path)
        assert not any("damaged" in str(warning) for warning in said)


def test_bytes_behind_the_end_are_no_damage(scene: Array) -> None:
    data = encoded(scene, "JPEG")
    np.testing.assert_array_equal(images.decode(data + bytes(1000) + data, "x"), images.decode(data, "x"))


def found(data: bytes) -> bool:
    """Whether a file is refused or warned of, by its name."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            images.decode(data, "x.img")
        except ImageError as error:
            assert str(error).startswith("x.img: ")
            return True
    assert all(isinstance(one.message, ImageFileWarning) and str(one.message).startswith("x.img: ") for one in caught)
    return bool(caught)


def zeroed(data: bytes, begin: int, length: int, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(begin, len(data) - length - 16))
    return data[:at] + bytes(length) + data[at + length :]


@pytest.mark.parametrize(
    ("form", "options", "share"),
    [
        ("JPEG", JPEG[0], 1.0),
        ("JPEG", JPEG[1], 1.0),
        ("JPEG", JPEG[4], 1.0),
        # Zeros may be the right code of a scan that only refines.
        ("JPEG", JPEG[3], 0.6),
        ("WEBP", WEBP[0], 0.75),
        # The codes of lossless data find their way back soon.
        ("WEBP", WEBP[2], 0.45),
        ("PNG", {}, 1.0),
    ],
)
def test_zeroed_blocks_are_found(
    form: str, options: dict[str, object], share: float, scene: Array, capfd: pytest.CaptureFixture[str]
) -> None:
    data = encoded(scene, form, **options)
    rng = np.random.default_rng(1)
    # Zeros in the header are another matter; the tables of JPEG end before byte 700.
    count = sum(found(zeroed(data, 700, 64, rng)) for _ in range(30))
    assert count >= share * 30
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG", "TIFF", "BMP"])
def test_mutated_bytes_print_nothing_and_raise_only_image_errors(
    form: str, scene: Array, capfd: pytest.CaptureFixture[str]
) -> None:
    data = encoded(scene[:60, :80], form)
    rng = np.random.default_rng(2)
    for _ in range(60):
        mutant = bytearray(data)
        for at in rng.integers(12, len(data), 3):
            mutant[at] = rng.integers(256)
        found(bytes(mutant))
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(compressed: bytes, *, width: int = 8, height: int = 4, more: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", compressed) + chunk(b"IEND", b"")


def test_png_with_right_checksums_and_wrong_content(capfd: pytest.CaptureFixture[str]) -> None:
    rows = bytes(4 * 9)
    assert images.decode(png(zlib.compress(rows)), "x").shape == (4, 8)
    # More data than pixels is harmless, and so are damaged remarks.
    assert images.decode(png(zlib.compress(rows + b"more")), "x").shape == (4, 8)
    assert images.decode(png(zlib.compress(rows), more=chunk(b"iCCP", b"a\0\0nonsense")), "x").shape == (4, 8)
    assert images.decode(png(zlib.compress(rows), more=chunk(b"gAMA", b"1")), "x").shape == (4, 8)
    for compressed in (zlib.compress(rows[:20]), b"nonsense", zlib.compress(rows)[:-6], b""):
        with pytest.raises(ImageError, match=r"^x: not a readable image \(damaged"):
            images.decode(png(compressed), "x")
    # An adaptive filter of a kind that does not exist.
    with pytest.raises(ImageError, match=r"^x: not a readable image"):
        images.decode(png(zlib.compress(b"\x09" * 36)), "x")
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (13, 2)])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA"])
def test_png_of_all_kinds(mode: str, size: tuple[int, int], interlaced: bool, rng: np.random.Generator) -> None:
    rgba = np.full((*size, 4), 255, np.uint8)
    rgba[..., :3] = rng.integers(0, 256, (*size, 3))
    image = Image.fromarray(rgba[..., :3] if mode == "P" else rgba).convert(mode)
    data = encoded_image(image, interlaced)
    expected = np.asarray(image.convert("RGB" if mode == "P" else "L" if mode == "1" else mode))
    np.testing.assert_array_equal(images.decode(data, "x"), expected)


def encoded_image(image: Image.Image, interlaced: bool) -> bytes:
    import cv2

    if not interlaced or image.mode in ("1", "P", "LA"):
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        return buffer.getvalue()
    # Pillow writes no interlaced files.
    order = {"L": None, "RGB": cv2.COLOR_RGB2BGR, "RGBA": cv2.COLOR_RGBA2BGRA}[image.mode]
    array = np.asarray(image) if order is None else cv2.cvtColor(np.asarray(image), order)
    return cv2.imencode(".png", array, [cv2.IMWRITE_PNG_ALL_FILTERS, 1])[1].tobytes()


def header_of(form: str, width: int, height: int) -> bytes:
    """A file that is whole up to its size, which is enormous."""
    small = encoded(np.zeros((4, 8, 3), np.uint8), form)
    if form == "PNG":
        return png(zlib.compress(b"\0"), width=width, height=height)
    if form == "BMP":
        return small[:18] + struct.pack("<ii", width, height) + small[26:]
    if form == "JPEG":
        at = small.index(b"\xff\xc0") + 5
        return small[:at] + struct.pack(">HH", height, width) + small[at + 4 :]
    if form == "TIFF":
        with Image.open(io.BytesIO(small)) as image:
            assert image.size == (8, 4)
        return tiff_of(width, height)
    return b"P5\n%d %d\n255\n" % (width, height)


def tiff_of(width: int, height: int) -> bytes:
    entries = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, 4)]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in entries)
    return b"II*\0" + struct.pack("<I", 12) + bytes(4) + directory + bytes(4)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "TIFF", "PGM"])
def test_too_large_is_said_as_too_large(form: str) -> None:
    data = header_of(form if form != "PGM" else "PPM", 60000, 50000)
    with pytest.raises(ImageError, match=r"^x: is too large: 60000x50000 pixels"):
        images.decode(data, "x")


def test_animations_are_told(scene: Array) -> None:
    frames = [Image.fromarray(scene), Image.fromarray(scene[::-1].copy())]
    for form in ("PNG", "WEBP"):
        buffer = io.BytesIO()
        frames[0].save(buffer, format=form, save_all=True, append_images=frames[1:], lossless=True)
        with pytest.warns(ImageFileWarning, match="^x: is animated; only its first image is read"):
            np.testing.assert_array_equal(images.decode(buffer.getvalue(), "x")[..., :3], scene)


@pytest.mark.parametrize("kind", ["P5", "P2"])
@pytest.mark.parametrize("white", [100, 255, 1023, 4095, 65535])
def test_white_of_pgm(kind: str, white: int, rng: np.random.Generator) -> None:
    values = rng.integers(0, white + 1, (5, 7))
    full = 255 if white <= 255 else 65535
    if kind == "P5":
        content = values.astype(">u1" if white <= 255 else ">u2").tobytes()
    else:
        content = " ".join(map(str, values.flat)).encode()
    data = f"{kind}\n# a remark\n7 5\n{white}\n".encode() + content
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decoded = images.decode(data, "x.pgm")
    said = (
        f"x.pgm: declares {white} as white; its values are scaled to {16 if full > 255 else 8} bits, {white} to {full}"
    )
    assert [str(one.message) for one in caught] == ([] if white == full else [said])
    np.testing.assert_allclose(decoded, values * full / white, atol=0.5001)


def test_thermal_image_in_the_fourth_channel(scene: Array) -> None:
    thermal = images.read(samples.pairs()[0].ir)[::2, ::2]
    thermal = thermal if thermal.ndim == 2 else thermal[..., 0]
    with pytest.warns(ImageFileWarning, match="^x: its channel 4 looks like a thermal image, not like transparency"):
        decoded = images.decode(encoded(np.dstack([scene, thermal]), "PNG"), "x")
    np.testing.assert_array_equal(decoded, scene)


def test_transparency_is_no_thermal_image(scene: Array) -> None:
    rows, columns = np.mgrid[-1 : 1 : scene.shape[0] * 1j, -1 : 1 : scene.shape[1] * 1j]
    disk = np.hypot(rows, columns)
    for alpha in (
        rows * 127 + 128,
        columns * 127 + 128,
        255 * np.exp(-(disk**2)),
        255 * (disk < 0.7),
        255 / (1 + np.exp(40 * (disk - 0.7))),
        np.full(disk.shape, 90),
        np.random.default_rng(0).integers(0, 256, disk.shape),
    ):
        image = np.dstack([scene, alpha.astype(np.uint8)])
        np.testing.assert_array_equal(images.decode(encoded(image, "PNG"), "x"), image)
