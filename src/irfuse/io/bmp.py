"""BMP files."""

import struct

from irfuse.io.decoded import Decoded, by_opencv
from irfuse.io.limits import check_size

MAGIC = b"BM"
_OLD_HEADER = 12
"""The length of the header of OS/2, whose sizes have two bytes."""


def decode(data: bytes, name: str) -> Decoded:
    """Decode a BMP file.

    Raises:
        ImageError: the file is truncated, damaged or too large.
    """
    if len(data) >= 26:
        (length,) = struct.unpack_from("<I", data, 14)
        width, height = struct.unpack_from("<HH" if length == _OLD_HEADER else "<ii", data, 18)
        check_size(abs(width), abs(height), name)
    return Decoded(by_opencv(data, name))
