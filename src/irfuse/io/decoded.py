"""What the decoder of each format returns, and OpenCV's decoder, which most of them share."""

from typing import NamedTuple

import cv2
import numpy as np

from irfuse.errors import ImageError, is_out_of_memory
from irfuse.imaging.planes import Array


class Decoded(NamedTuple):
    """An image as its file stores it, not yet upright.

    Attributes:
        image: (H, W), (H, W, 2), (H, W, 3) in RGB order or (H, W, 4).
        exif: the EXIF data; empty if there is none.
        profile: the ICC profile; empty if there is none.
        xmp: the XMP data; empty if there is none.
    """

    image: Array
    exif: bytes = b""
    profile: bytes = b""
    xmp: bytes = b""


def by_opencv(data: bytes, name: str) -> Array:
    """Decode a file to (H, W), (H, W, 3) in RGB order or (H, W, 4).

    OpenCV's log would repeat on the terminal what the error says, so it is switched off.

    Raises:
        ImageError: OpenCV cannot decode it.
        MemoryError: the image does not fit into memory.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        image = None
    if image is None:
        raise ImageError(f"{name}: not a readable image (truncated, damaged, or not PNG, JPEG, BMP, TIFF, PGM or WebP)")
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    return image
