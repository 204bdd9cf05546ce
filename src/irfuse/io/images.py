"""Image files: bytes to arrays in their own dtype, and back.

An array is (H, W) for gray, (H, W, 2) for gray with alpha, (H, W, 3) for RGB and (H, W, 4) for RGB with alpha. Its
dtype is ``uint8``, ``uint16`` or, for floating-point TIFF, ``float32``. The alpha of 32-bit BMP and of 8-bit gray TIFF
is not read. The maximum value that a PGM file declares is ignored.
"""

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np

from irfuse.errors import ImageError, OutputError, is_out_of_memory
from irfuse.imaging.planes import Array as Array
from irfuse.io.files import write_atomic
from irfuse.io.formats import EXTENSIONS

if TYPE_CHECKING:
    from torch import Tensor

Source: TypeAlias = "str | Path | Array | Tensor"
"""An image: a file, an array or a tensor."""

_HOLDS = {
    "uint8": EXTENSIONS,
    "uint16": (".png", ".tiff", ".tif", ".pgm"),
    "float32": (".tiff", ".tif"),
}
"""The extensions of the files that can hold a dtype."""

_TIFF_MAGIC = (b"II*\0", b"MM\0*")
_BIGTIFF_MAGIC = (b"II+\0", b"MM\0+")
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_GRAY_ALPHA = 4
# Tags of a TIFF directory, which is also what EXIF data is.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION, _SAMPLES_PER_PIXEL, _EXTRA_SAMPLES = 258, 262, 274, 277, 338
_DESCRIPTION, _TEXT = 270, 2
_WHITE_IS_ZERO, _CMYK, _UNASSOCIATED_ALPHA = 0, 5, 2
_EXIF = 0  # among OpenCV's kinds of metadata
_HOLDS_EXIF = (".png", ".jpg", ".jpeg", ".webp")
"""The extensions of the files into which OpenCV writes EXIF data."""


def read(path: str | Path) -> Array:
    """Read an image file in its own dtype, and turn it upright by its EXIF orientation.

    Returns:
        (H, W), (H, W, 2), (H, W, 3) in RGB order, or (H, W, 4); see the module's description.

    Raises:
        ImageError: the file is missing, a folder, truncated, or not an image that irfuse reads.

    >>> from irfuse import samples
    >>> read(samples.pairs()[0].vis).shape
    (480, 640, 3)
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{path}: is a folder; an image file is needed") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from error
    return decode(data, str(path))


def load(source: Source) -> Any:
    """Read a file, and return an array or a tensor as it is.

    Raises:
        ImageError: the file cannot be read.
    """
    return read(source) if isinstance(source, str | Path) else source


def decode(data: bytes, name: str) -> Array:
    """Decode the content of an image file.

    OpenCV's log would repeat on the terminal what the error says, so it is switched off.

    Args:
        data: the content.
        name: what an error calls it.

    Raises:
        ImageError: the content is truncated, or not an image that irfuse reads.
    """
    if not data:
        raise ImageError(f"{name}: the file is empty")
    if data.startswith(_BIGTIFF_MAGIC):
        raise ImageError(f"{name}: BigTIFF is not supported; save it as plain TIFF or PNG")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        image, kinds, blocks = cv2.imdecodeWithMetadata(np.frombuffer(data, np.uint8), flags=cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        image = None
    if image is None:
        raise ImageError(f"{name}: not a readable image (truncated, damaged, or not {_kinds()})")
    if image.dtype not in (np.uint8, np.uint16, np.float32):
        raise ImageError(f"{name}: {image.dtype} images are not supported; save it as uint8, uint16 or float32")
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    if data.startswith(_TIFF_MAGIC):
        # OpenCV has already turned it upright.
        image = _repair_tiff(image, _tiff_tags(data), name)
    else:
        if data.startswith(_PNG_MAGIC) and data[25] == _PNG_GRAY_ALPHA:
            image = image[..., [0, 3]]
        exif = [np.asarray(block).tobytes() for kind, block in zip(kinds, blocks, strict=True) if kind == _EXIF]
        image = _upright(image, _tiff_tags(exif[0]).get(_ORIENTATION, 1) if exif else 1)
    return np.ascontiguousarray(image)


def encode(image: Array, extension: str, description: str = "") -> bytes:
    """Encode an image for a file with the given extension. All formats but JPEG are lossless.

    Gray with alpha becomes RGB with alpha, since OpenCV does not write it otherwise.

    Args:
        image: an array as :func:`read` returns it.
        extension: with its dot.
        description: the EXIF image description, in ASCII. TIFF, BMP and PGM do not get it.

    Raises:
        ImageError: the format cannot hold the image's depth, alpha or channels.
    """
    extension = extension.lower()
    if extension not in EXTENSIONS:
        raise ImageError(
            f"cannot write {extension or 'a file without an extension'}: choose one of {' '.join(EXTENSIONS)}"
        )
    channels = 1 if image.ndim == 2 else image.shape[2] if image.ndim == 3 else 0
    if channels not in (1, 2, 3, 4) or 0 in image.shape:
        raise ImageError(f"an array of shape {image.shape} is not an image")
    if extension not in _HOLDS.get(image.dtype.name, ()):
        formats = " or ".join(_HOLDS.get(image.dtype.name, ())[:2])
        raise ImageError(
            f"{extension} cannot hold {image.dtype} images: " + (f"write {formats}" if formats else "no format can")
        )
    if channels in (2, 4) and extension not in (".png", ".tif", ".tiff", ".webp"):
        raise ImageError(f"{extension} cannot hold an alpha channel: write .png or .tiff")
    if channels != 1 and extension == ".pgm":
        raise ImageError(".pgm holds only gray images: write .png, or fuse with color gray")
    if channels > 1:
        # OpenCV's order is blue, green, red, alpha.
        image = image[..., {2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]]
    options = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95], ".webp": [cv2.IMWRITE_WEBP_QUALITY, 101]}
    options[".jpeg"] = options[".jpg"]
    image, option = np.ascontiguousarray(image), options.get(extension, [])
    if description and extension in _HOLDS_EXIF:
        exif = np.frombuffer(_exif(description), np.uint8)
        done, data = cv2.imencodeWithMetadata(extension, image, [_EXIF], [exif], option)
    else:
        done, data = cv2.imencode(extension, image, option)
    if not done:
        raise ImageError(f"OpenCV cannot encode {image.shape} {image.dtype} as {extension}")
    return data.tobytes()


def write(path: str | Path, image: Array, description: str = "") -> None:
    """Write an image, completely or not at all. The extension of `path` chooses the format; see :func:`encode`.

    Raises:
        ImageError: the format cannot hold the image.
        OutputError: the place cannot be written to.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; the name of an image file is needed")
    try:
        data = encode(image, path.suffix, description)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    write_atomic(path, data)


def _kinds() -> str:
    return "PNG, JPEG, BMP, TIFF, PGM or WebP"


def _tiff_tags(data: bytes) -> dict[int, int]:
    """Return the first value of each short or long tag in the first directory; empty if there is none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return {}
    tags = {}
    try:
        (start,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, length = struct.unpack_from(order + "HHI", data, entry)
            if kind not in (3, 4):
                continue
            code, size = ("H", 2) if kind == 3 else ("I", 4)
            at = entry + 8 if length * size <= 4 else struct.unpack_from(order + "I", data, entry + 8)[0]
            (tags[tag],) = struct.unpack_from(order + code, data, at)
    except struct.error:
        return {}
    return tags


def _exif(description: str) -> bytes:
    """Make EXIF data that holds only an image description."""
    text = description.encode("ascii", "replace") + b"\0"
    # Up to four bytes would go into the entry itself.
    text = text.ljust(5, b"\0")
    # The header is 8 bytes long, the directory of one entry 18; the text follows.
    return b"II*\0" + struct.pack("<IHHHIII", 8, 1, _DESCRIPTION, _TEXT, len(text), 8 + 18, 0) + text


def _upright(image: Array, orientation: int) -> Array:
    """Undo an EXIF orientation, 1 to 8."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image


def _repair_tiff(image: Array, tags: dict[int, int], name: str) -> Array:
    """Undo or refuse what OpenCV's TIFF decoder does to alpha, inverted gray and CMYK."""
    if tags.get(_SAMPLES_PER_PIXEL) == 2 and tags.get(_BITS_PER_SAMPLE) != 8:
        raise ImageError(f"{name}: 16-bit gray TIFF with alpha would lose its depth: save it without alpha, or as PNG")
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and image.dtype == np.uint16:
        return np.iinfo(np.uint16).max - image
    if image.ndim == 3 and image.shape[2] == 4:
        if tags.get(_PHOTOMETRIC) == _CMYK:
            return image[..., :3]
        if image.dtype == np.uint8 and tags.get(_EXTRA_SAMPLES) == _UNASSOCIATED_ALPHA:
            # OpenCV returns the color multiplied by alpha.
            alpha = np.maximum(image[..., 3:].astype(np.float32), 1)
            color = np.rint(image[..., :3] * (255 / alpha)).clip(0, 255).astype(np.uint8)
            return np.concatenate([color, image[..., 3:]], axis=2)
    return image
