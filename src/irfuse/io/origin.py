"""What made an image: the description that irfuse stores in the files that it writes."""

import re
from pathlib import Path

import cv2
import numpy as np

from irfuse.io import ifd

FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
"""The extensions of the files in which irfuse always stores a description."""

_DESCRIPTION = 270  # a tag of TIFF and of EXIF data
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


def _description(data: bytes) -> str:
    """Return the description in the first directory of a TIFF file or of EXIF data; empty if there is none."""
    value = ifd.parse(data).get(_DESCRIPTION)
    if not (isinstance(value, ifd.Value) and value.kind == ifd.TEXT):
        return ""
    return value.data.rstrip(b"\0").decode("ascii", "replace")
