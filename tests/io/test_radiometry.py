"""Thermal data beside the picture of a JPEG file is named, and that of no other file."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irfuse import notices
from irfuse.errors import ImageFileWarning
from irfuse.io import images

SIZE = (64, 48)
RAW, EMBEDDED = 1, 14


def photograph(segments: list[tuple[int, bytes]], *, make: str = "") -> bytes:
    """A JPEG file of 64x48 pixels with segments of applications."""
    exif = Image.Exif()
    if make:
        exif[0x010F] = make
    buffer = io.BytesIO()
    Image.new("RGB", SIZE, (90, 80, 70)).save(buffer, "JPEG", exif=exif)
    data = buffer.getvalue()
    # Behind EXIF, if there is any.
    at = 2 + 2 + int.from_bytes(data[4:6], "big") if make else 2
    added = b"".join(bytes([0xFF, marker]) + struct.pack(">H", len(part) + 2) + part for marker, part in segments)
    return data[:at] + added + data[at:]


def fff(records: list[int], order: str = ">") -> bytes:
    """A file of FLIR's format that holds records of these types."""
    header = b"FFF\0" + bytes(16) + struct.pack(order + "III", 100, 64, len(records)) + bytes(32)
    return header + b"".join(struct.pack(order + "H", kind) + bytes(30) for kind in records) + bytes(900)


def flir(content: bytes, parts: int = 1) -> list[tuple[int, bytes]]:
    """Segments that hold a content in several parts."""
    length = -(-len(content) // parts)
    return [(0xE1, b"FLIR\0\1" + bytes([i, parts - 1]) + content[i * length : (i + 1) * length]) for i in range(parts)]


def said(data: bytes) -> list[str]:
    with notices.collected() as found:
        images.decode(data, "x.jpg")
    assert all(isinstance(warning, ImageFileWarning) for warning in found)
    return [str(warning) for warning in found]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("parts", [1, 13])
def test_thermal_data_of_flir(order: str, parts: int) -> None:
    (line,) = said(photograph(flir(fff([0x20, RAW, EMBEDDED], order), parts)))
    assert line.startswith("x.jpg: holds thermal data of a FLIR camera")
    assert "export the temperatures as 16-bit TIFF" in line


def test_parts_in_another_order() -> None:
    segments = flir(fff([0x20, EMBEDDED, RAW]), 13)
    assert len(said(photograph(segments[::-1]))) == 1


def test_segments_of_flir_that_cannot_be_read_are_named() -> None:
    assert len(said(photograph(flir(bytes(200))))) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_visible_photograph_of_flir(order: str) -> None:
    assert said(photograph(flir(fff([0x20, EMBEDDED], order)), make="FLIR Systems AB")) == []


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_thermal_data_of_dji_has_the_proportions_of_the_picture(scale: int) -> None:
    width, height = (side // scale for side in SIZE)
    counts = np.full((height, width), 0x4AB4, "<u2").tobytes()
    half = len(counts) // 2
    (line,) = said(photograph([(0xE3, counts[:half]), (0xE3, counts[half:])]))
    assert line.startswith("x.jpg: holds thermal data of a DJI camera")


def test_thermal_data_of_dji_beside_a_picture_of_other_proportions() -> None:
    assert len(said(photograph([(0xE3, b"\xb4\x4a" * 999)], make="DJI"))) == 1


@pytest.mark.parametrize(
    ("segments", "make"),
    [
        ([], "DJI"),
        ([(0xE4, bytes(300)), (0xE7, b"DJI-DBG\0")], "DJI"),
        ([(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")], "FLIR"),
        ([(0xE1, b"FLIR\0")], "FLIR"),
        ([(0xE3, b"Meta\0\0" + bytes(500))], "Kodak"),
        ([(0xE3, b"\xff\xd8\xff\xdb" + bytes(3000))], "DJI"),
        ([(0xE3, bytes(1000))], "Another"),
    ],
)
def test_other_segments(segments: list[tuple[int, bytes]], make: str) -> None:
    assert said(photograph(segments, make=make)) == []


@pytest.mark.parametrize("length", [0, 1, 5, 30, 63, 70, 90])
def test_segments_that_are_cut_off_raise_nothing(length: int) -> None:
    said(photograph(flir(fff([0x20, RAW])[:length])))


def test_files_of_cameras(data: Path) -> None:
    for path in sorted((data / "thermal").glob("*.jpg")):
        lines = said(path.read_bytes())
        maker = path.name.partition("_")[0]
        assert [f"of a {maker} camera" in line for line in lines] == [True] * (maker in ("FLIR", "DJI"))
