"""What made an image: the description that irfuse stores in the files that it writes."""

import re
import struct
from pathlib import Path

import cv2
import numpy as np

FORMATS = (".png", ".jpg", ".jpeg", ".webp")
"""The extensions of the files in which irfuse always stores a description."""

_DESCRIPTION, _TEXT = 270, 2  # tag and type in a TIFF directory, which is also what EXIF data is
_EXIF = 0  # among OpenCV's kinds of metadata
_MAKER = re.compile(r"irfuse [^,]*, (.*), engine: ", re.DOTALL)


def describe(version: str, maker: str, engine: str) -> str:
    """Return the description of an image.

    Args:
        version: irfuse's.
        maker: the method and the settings that decide the result.
        engine: what computed it.

    >>> describe("1.0", "method: average", "torch, fp32")
    'irfuse 1.0, method: average, engine: torch, fp32'
    """
    return f"irfuse {version}, {maker}, engine: {engine}"


def maker(description: str) -> str | None:
    """Return the method and its settings from a description; None if it is not one of irfuse's.

    Neither the version nor the engine counts: they do not decide what a result shows.

    >>> maker("irfuse 1.0, method: average, engine: torch, fp32")
    'method: average'
    """
    found = _MAKER.match(description.encode("ascii", "replace").decode())
    return found[1] if found else None


def read(path: Path) -> str:
    """Read the description of an image file; empty if it has none or cannot be read."""
    try:
        data = path.read_bytes()
        if data.startswith((b"II*\0", b"MM\0*")):
            return _description(data)
        _, kinds, blocks = cv2.imdecodeWithMetadata(np.frombuffer(data, np.uint8), flags=cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error):
        return ""
    exif = [np.asarray(block).tobytes() for kind, block in zip(kinds, blocks, strict=True) if kind == _EXIF]
    return _description(exif[0]) if exif else ""


def _description(directory: bytes) -> str:
    """Return the description in the first directory of TIFF or EXIF data; empty if there is none."""
    order = "<" if directory.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(order + "I", directory, 4)
        (count,) = struct.unpack_from(order + "H", directory, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, length, at = struct.unpack_from(order + "HHII", directory, entry)
            if (tag, kind) == (_DESCRIPTION, _TEXT):
                at = entry + 8 if length <= 4 else at
                return directory[at : at + length].rstrip(b"\0").decode("ascii", "replace")
    except struct.error:
        pass
    return ""
