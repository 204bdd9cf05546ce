"""PGM files. Their values are shares of the value that the header declares as white."""

import re

import numpy as np

from irfuse import notices
from irfuse.errors import ImageFileWarning
from irfuse.imaging.planes import Array
from irfuse.io.decoded import Decoded, by_opencv
from irfuse.io.limits import check_size

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEADER = re.compile(rb"P[25]" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})\s")
_LONGEST_HEADER = 65536


def decode(data: bytes, name: str) -> Decoded:
    """Decode a PGM file, or a file whose kind is unknown.

    Raises:
        ImageError: the file is truncated, too large, or of another kind.

    Warns:
        ImageFileWarning: white is neither 255 nor 65535, so the values are scaled.
    """
    header = _HEADER.match(data[:_LONGEST_HEADER])
    width, height, white = map(int, header.groups()) if header else (0, 0, 0)
    check_size(width, height, name)
    image = by_opencv(data, name)
    full = int(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 0
    if header and image.ndim == 2 and 0 < white < full:
        bits = 8 * image.dtype.itemsize
        notices.warn(
            ImageFileWarning(
                f"{name}: declares {white} as white; its values are scaled to {bits} bits, {white} to {full}"
            )
        )
        image = _scaled(image, white, full)
    return Decoded(image)


def _scaled(image: Array, white: int, full: int) -> Array:
    return np.rint(image * (full / white)).clip(0, full).astype(image.dtype)
