"""Small radiometric files of FLIR and DJI, written from scratch."""

import io
import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Counts = NDArray[np.uint16]

SIZE = (64, 48)
"""The width and height of the pictures."""
RAW, PHOTOGRAPH, CAMERA, ALIGNMENT = 1, 0x0E, 0x20, 0x2A

NUMBERS = {
    0x20: 0.95,  # emissivity
    0x24: 1.0,  # distance
    0x28: 293.15,  # reflected temperature
    0x2C: 293.15,  # temperature of the air
    0x30: 293.15,  # temperature of the window
    0x34: 1.0,  # transmission of the window
    0x3C: 0.5,  # humidity
    0x58: 15848.853515625,  # R1
    0x5C: 1414.9000244140625,  # B
    0x60: 1.0,  # F
    0x70: 0.006568999961018562,
    0x74: 0.012620000168681145,
    0x78: -0.00227600010111928,
    0x7C: -0.006670000031590462,
    0x80: 1.899999976158142,
    0x30C: 0.014533111825585365,  # R2
}
"""The numbers of a T640, by their place in the record of the camera."""


def scene() -> Counts:
    """Counts of a warm object before a gradient, (48, 64), about 15 to 70 °C on a T640."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    warm = 9000 * np.exp(-((x - 40) ** 2 + (y - 20) ** 2) / 60)
    return (12500 + 30 * x + 11 * y + warm).astype(np.uint16)


def photograph(segments: list[tuple[int, bytes]], *, make: str = "", size: tuple[int, int] = SIZE) -> bytes:
    """A JPEG file with segments of applications."""
    exif = Image.Exif()
    if make:
        exif[0x010F] = make
        exif[0x0132] = "2020:11:10 10:39:48"
    buffer = io.BytesIO()
    Image.new("RGB", size, (90, 80, 70)).save(buffer, "JPEG", exif=exif)
    data = buffer.getvalue()
    # Behind EXIF, if there is any.
    at = 2 + 2 + int.from_bytes(data[4:6], "big") if make else 2
    added = b"".join(bytes([0xFF, marker]) + struct.pack(">H", len(part) + 2) + part for marker, part in segments)
    return data[:at] + added + data[at:]


def fff(records: Mapping[int, bytes], order: str = ">") -> bytes:
    """A file of FLIR's format that holds records, by their types."""
    header = b"FFF\0" + bytes(16) + struct.pack(order + "III", 100, 64, len(records)) + bytes(32)
    at = 64 + 32 * len(records)
    directory = b""
    for kind, content in records.items():
        directory += struct.pack(order + "HHIIII", kind, 0, 100, 0, at, len(content)) + bytes(12)
        at += len(content)
    return header + directory + b"".join(records.values())


def flir_segments(content: bytes, parts: int = 1) -> list[tuple[int, bytes]]:
    """Segments that hold a content in several parts."""
    length = -(-len(content) // parts)
    return [(0xE1, b"FLIR\0\1" + bytes([i, parts - 1]) + content[i * length : (i + 1) * length]) for i in range(parts)]


def raw_record(counts: Counts, *, form: str = "raw", order: str = "<") -> bytes:
    """The record of the sensor.

    Args:
        counts: (H, W).
        form: ``raw``, ``png``, or ``swapped`` for a PNG file with the bytes of each count swapped, as FLIR writes it.
        order: of the record.
    """
    height, width = counts.shape
    header = struct.pack(order + "HHH", 2, width, height).ljust(32, b"\0")
    if form == "raw":
        return header + counts.astype(order + "u2").tobytes()
    buffer = io.BytesIO()
    Image.fromarray(counts.byteswap() if form == "swapped" else counts).save(buffer, "PNG")
    return header + buffer.getvalue()


def camera_record(numbers: Mapping[int, float] = NUMBERS, order: str = "<") -> bytes:
    record = bytearray(0x400)
    struct.pack_into(order + "H", record, 0, 2)
    for place, number in numbers.items():
        struct.pack_into(order + "f", record, place, number)
    struct.pack_into(order + "i", record, 0x308, -4405)
    record[0xD4 : 0xD4 + 9] = b"FLIR T640"
    return bytes(record)


def photograph_record() -> bytes:
    """The record of a photograph of 128x96 pixels."""
    buffer = io.BytesIO()
    y, x = np.mgrid[:96, :128]
    pixels = np.stack([2 * x, 2 * y, np.where((x // 16 + y // 16) % 2, 200, 60)], axis=-1)
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "JPEG", quality=95)
    return struct.pack("<HHH", 3, 128, 96).ljust(32, b"\0") + buffer.getvalue()


def flir(
    counts: Counts | None = None,
    *,
    form: str = "swapped",
    order: str = ">",
    parts: int = 1,
    without: tuple[int, ...] = (),
    numbers: Mapping[int, float] = NUMBERS,
) -> bytes:
    """A radiometric file of FLIR, from which the records of some types are left out."""
    records = {
        CAMERA: camera_record(numbers),
        RAW: raw_record(scene() if counts is None else counts, form=form),
        ALIGNMENT: struct.pack("<fhh", 1.25, -14, 7).ljust(96, b"\0"),
        PHOTOGRAPH: photograph_record(),
    }
    kept = {kind: record for kind, record in records.items() if kind not in without}
    return photograph(flir_segments(fff(kept, order), parts), make="FLIR Systems AB")


def dji(counts: Counts | None = None, *, scale: int = 1, make: str = "DJI") -> bytes:
    """A radiometric file of DJI whose picture is `scale` times as large as the sensor."""
    found = scene() if counts is None else counts
    content = found.astype("<u2").tobytes()
    half = len(content) // 2
    size = (found.shape[1] * scale, found.shape[0] * scale)
    return photograph([(0xE3, content[:half]), (0xE3, content[half:])], make=make, size=size)
