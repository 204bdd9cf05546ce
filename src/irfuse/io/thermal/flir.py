"""FLIR's radiometric JPEG files: a file of FLIR's own format, FFF, in several APP1 segments.

An FFF file has a directory of records. One holds what the sensor measured, one the numbers that make temperatures of
it, one the photograph of a second camera, and one where the two images lie.
"""

import struct
from dataclasses import dataclass

import numpy as np

from irfuse.errors import ImageError
from irfuse.io import jpeg, png
from irfuse.io.jpeg import Header
from irfuse.io.limits import check_size
from irfuse.io.thermal.base import ZERO_CELSIUS, Counts, Scene, StoredAlignment, ThermalFile
from irfuse.io.thermal.planck import Planck, celsius

_SEGMENT, _SEGMENT_HEADER = b"FLIR\0", 8
"""What the segments begin with: then 1, the number of the part, and the number of the last part."""
_FORMATS = (b"FFF\0", b"AFF\0")
_FFF, _ENTRY = 64, 32
"""The bytes of the header of an FFF file, and of an entry of its directory."""
_RAW, _PHOTOGRAPH, _CAMERA, _ALIGNMENT = 1, 0x0E, 0x20, 0x2A
"""The types of records."""
_RECORD_HEADER = 32
_MODEL = slice(0xD4, 0xF4)


def read(header: Header, data: bytes) -> ThermalFile | None:
    """Read a file of FLIR, as :data:`~irfuse.io.thermal.base.Reader` says.

    The segments of FLIR's visible photographs hold records, too, but none of a sensor.
    """
    parts = [c for c in header.contents(jpeg.APP1, _SEGMENT) if len(c) > _SEGMENT_HEADER]
    if not parts:
        return None
    records = _records(_joined(parts))
    if _RAW not in records:
        return None
    counts = _counts(records[_RAW])
    camera = records.get(_CAMERA, b"")
    numbers = _numbers(camera)
    found = None if numbers is None else celsius(counts, *numbers)
    no_celsius = "" if found is not None else "its record of the camera is damaged or missing"
    visible, no_visible = _photograph(records.get(_PHOTOGRAPH, b""))
    return ThermalFile(
        "FLIR",
        counts,
        found,
        no_celsius,
        visible,
        no_visible,
        camera=camera[_MODEL].partition(b"\0")[0].decode("ascii", "replace"),
        scene=None if numbers is None else numbers[1],
        alignment=_alignment(records.get(_ALIGNMENT, b"")),
    )


def _joined(contents: list[bytes]) -> bytes:
    """Join the parts of an FFF file, which may be in another order.

    Raises:
        ImageError: a part is missing.
    """
    parts = {content[6]: content[_SEGMENT_HEADER:] for content in contents}
    last = max(content[7] for content in contents)
    missing = sorted(set(range(last + 1)) - set(parts))
    if missing:
        raise ImageError(f"{len(missing)} of its {last + 1} parts are missing, the first one is {missing[0] + 1}")
    return b"".join(parts[i] for i in sorted(parts))


def _records(data: bytes) -> dict[int, bytes]:
    """Read the records of an FFF file by their types, of each type the first one.

    Raises:
        ImageError: the directory or the record of the sensor is damaged.
    """
    if not data.startswith(_FORMATS) or len(data) < _FFF:
        raise ImageError("it does not begin as a file of FLIR's format")
    # A version, about 100, tells the byte order.
    order = "<" if struct.unpack_from("<I", data, 20)[0] < 2**16 else ">"
    start, count = struct.unpack_from(order + "II", data, 24)
    if start + count * _ENTRY > len(data):
        raise ImageError("its directory is damaged")
    found: dict[int, bytes] = {}
    for at in range(start, start + count * _ENTRY, _ENTRY):
        kind, _, _, _, offset, length = struct.unpack_from(order + "HHIIII", data, at)
        if kind == _RAW and not (length and offset + length <= len(data)):
            raise ImageError("its record of the sensor ends early")
        if kind and length and offset + length <= len(data):
            found.setdefault(kind, data[offset : offset + length])
    return found


def _counts(record: bytes) -> Counts:
    """Read what the sensor measured.

    Raises:
        ImageError: the record is damaged, too large, or compressed in an unknown way.
    """
    if len(record) < _RECORD_HEADER:
        raise ImageError("its record of the sensor ends early")
    order = _order(record)
    width, height = struct.unpack_from(order + "HH", record, 2)
    pixels = record[_RECORD_HEADER:]
    if pixels.startswith(png.MAGIC):
        image = png.decode(pixels, "its record of the sensor").image
        if image.ndim != 2 or image.dtype != np.uint16:
            raise ImageError("its record of the sensor is a PNG file of another kind than 16-bit gray")
        # Most cameras write the bytes in the other order than PNG says, and some do not.
        return _smoother(image.byteswap(), image)
    if pixels.startswith(jpeg.MAGIC):
        raise ImageError("its record of the sensor is compressed as JPEG, which irfuse does not read")
    check_size(width, height, "its record of the sensor")
    if not width * height or len(pixels) < 2 * width * height:
        raise ImageError(f"its record of the sensor holds {len(pixels)} bytes for {width}x{height} counts of 16 bits")
    counts = np.frombuffer(pixels, order + "u2", width * height).reshape(height, width).astype(np.uint16)
    return _smoother(counts, counts.byteswap())


def _smoother(likely: Counts, other: Counts) -> Counts:
    """Choose between two byte orders: neighbors differ less in the right one."""
    return likely if _step(likely) <= _step(other) else other


def _step(counts: Counts) -> float:
    """Sum the mean steps between neighbors in both directions."""
    wide = counts.astype(np.int32)
    return sum(float(np.abs(step).mean()) for step in (np.diff(wide, axis=0), np.diff(wide, axis=1)) if step.size)


def _order(record: bytes) -> str:
    """Tell the byte order of a record, which begins with a small number."""
    return "<" if record[1:2] == b"\0" else ">"


@dataclass(frozen=True)
class _Floats:
    """The numbers of a record."""

    record: bytes

    def __getitem__(self, offset: int) -> float:
        value: float = struct.unpack_from(_order(self.record) + "f", self.record, offset)[0]
        return value


def _numbers(record: bytes) -> tuple[Planck, Scene] | None:
    """Read the numbers that make temperatures of counts; None if they are not there."""
    if len(record) < 0x310:
        return None
    number = _Floats(record)
    planck = Planck(
        r1=number[0x58],
        r2=number[0x30C],
        b=number[0x5C],
        f=number[0x60],
        o=struct.unpack_from(_order(record) + "i", record, 0x308)[0],
        alpha1=number[0x70],
        alpha2=number[0x74],
        beta1=number[0x78],
        beta2=number[0x7C],
        x=number[0x80],
    )
    scene = Scene(
        emissivity=number[0x20],
        distance=number[0x24],
        reflected=number[0x28] - ZERO_CELSIUS,
        atmosphere=number[0x2C] - ZERO_CELSIUS,
        window=number[0x30] - ZERO_CELSIUS,
        humidity=number[0x3C],
        transmission=number[0x34],
    )
    return planck, scene


def _photograph(record: bytes) -> tuple[bytes, str]:
    """Return the embedded photograph as a file, and why there is none."""
    if not record:
        return b"", "the file embeds no photograph"
    photograph = record[_RECORD_HEADER:]
    if photograph.startswith((jpeg.MAGIC, png.MAGIC)):
        return photograph, ""
    return b"", "its embedded photograph is neither JPEG nor PNG, which irfuse does not read"


def _alignment(record: bytes) -> StoredAlignment | None:
    if len(record) < 8:
        return None
    # Little-endian in all files that are known.
    return StoredAlignment(*struct.unpack_from("<fhh", record))
