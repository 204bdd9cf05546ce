"""Radiometric JPEG files: whether thermal data lies beside the picture."""

import math
import struct
from collections.abc import Mapping

from irfuse.io import ifd

FLIR = b"FLIR\0"
"""What APP1 segments of FLIR begin with: then 1, the number of the part, and the number of the last part."""
FLIR_HEADER = 8
_FFF, _ENTRY = 64, 32
"""The bytes of the header of FLIR's file format, and of an entry of its directory."""
_RAW_DATA = 1
"""The type of the record of FLIR's file format that holds what the sensor measured."""
_LARGEST = 8
"""How many times as wide the picture is at most."""
_MAKE = 271
_KNOWN_APP3 = (b"Meta\0", b"META\0", b"Exif\0", b"Stim\0", b"_JPS", b"\xff\xd8")
"""What the APP3 segments of other cameras begin with: remarks, stereo pairs and previews."""


def of_flir(parts: Mapping[int, bytes]) -> bool:
    """Tell whether FLIR's segments hold thermal data. Those of its visible photographs hold only other records.

    Args:
        parts: the contents of the segments after their headers, by their numbers.
    """
    if not parts:
        return False
    records = _records(b"".join(parts[i] for i in sorted(parts)))
    return _RAW_DATA in records or not records


def _records(data: bytes) -> set[int]:
    """Return the types of the records in FLIR's file format; empty if its directory cannot be read."""
    if not data.startswith(b"FFF\0") or len(data) < _FFF:
        return set()
    # A version, about 100, tells the byte order.
    order = "<" if struct.unpack_from("<I", data, 20)[0] < 2**16 else ">"
    start, count = struct.unpack_from(order + "II", data, 24)
    entries = range(start, min(start + _ENTRY * count, len(data) - 1), _ENTRY)
    return {struct.unpack_from(order + "H", data, at)[0] for at in entries}


def of_dji(app3: bytes, pixels: int, exif: bytes) -> bool:
    """Tell whether APP3 segments are thermal data, as DJI writes it: 16 bits for each pixel of the sensor.

    Args:
        app3: the joined contents of the segments.
        pixels: of the picture, whose sides may be multiples of the sensor's.
        exif: the EXIF data.
    """
    if not app3 or app3.startswith(_KNOWN_APP3):
        return False
    ratio, rest = divmod(2 * pixels, len(app3))
    if 0 < ratio <= _LARGEST**2 and not rest and math.isqrt(ratio) ** 2 == ratio:
        return True
    make = ifd.parse(exif).get(_MAKE)
    return isinstance(make, ifd.Value) and make.data.startswith(b"DJI")
