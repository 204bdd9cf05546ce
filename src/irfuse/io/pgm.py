"""PGM files. Their values are shares of the value that the header declares as white."""

import re

import numpy as np

from irfuse import notices
from irfuse.errors import ImageError, ImageFileWarning
from irfuse.imaging.planes import Array
from irfuse.io.decoded import Decoded, by_opencv
from irfuse.io.limits import check_size

_TEXT = b"P2"
_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEADER = re.compile(rb"P[25]" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})\s")
_REMARK = re.compile(rb"#[^\r\n]*")
_MOST = 65535
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
    if header and data.startswith(_TEXT):
        # OpenCV scales some texts by itself, and refuses those that end with a number.
        image = _from_text(data[header.end() :], (height, width), white, name)
    else:
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


def _from_text(text: bytes, shape: tuple[int, int], white: int, name: str) -> Array:
    numbers = _REMARK.sub(b"", text).split()[: shape[0] * shape[1]]
    if len(numbers) < shape[0] * shape[1] or not all(map(bytes.isdigit, numbers)) or not 0 < white <= _MOST:
        raise ImageError(f"{name}: not a readable image (truncated or damaged)")
    values = np.minimum(np.array(numbers, dtype=np.int64), white)
    return values.astype(np.uint8 if white <= np.iinfo(np.uint8).max else np.uint16).reshape(shape)


def _scaled(image: Array, white: int, full: int) -> Array:
    return np.rint(image * (full / white)).clip(0, full).astype(image.dtype)
