"""Image files: bytes to arrays in their own dtype, and back.

An array is (H, W) for gray, (H, W, 2) for gray with alpha, (H, W, 3) for RGB and (H, W, 4) for RGB with alpha. Its
dtype is ``uint8`` or ``uint16``, or that of the TIFF file: ``int16``, ``int32``, ``float32`` or ``float64``. The alpha
of 32-bit BMP is not read.

A radiometric JPEG of a thermal camera holds several images, and :data:`Content` chooses one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import cv2
import numpy as np

from irfuse import notices
from irfuse.errors import ImageError, ImageFileWarning, OutputError
from irfuse.imaging.levels import is_unit
from irfuse.imaging.planes import Array as Array
from irfuse.io import bmp, ifd, jpeg, pgm, png, thermal, webp, xmp
from irfuse.io.decoded import Decoded
from irfuse.io.files import write_atomic
from irfuse.io.formats import EXTENSIONS
from irfuse.io.metadata import NO_METADATA, Metadata, of_file
from irfuse.io.thermal.base import ThermalFile
from irfuse.io.transparency import looks_like_an_image

if TYPE_CHECKING:
    from torch import Tensor

Source: TypeAlias = "str | Path | Array | Tensor"
"""An image: a file, an array or a tensor."""

Content = Literal["thermal", "visible", "picture"]
"""What is read of a radiometric JPEG: its temperatures in °C (``float32``) or else its counts (``uint16``), the
photograph that a second camera took, or the picture that viewers show, often with a palette, a logo and a scale. Of any
other file the only image is read.
"""

_HOLDS = {
    "uint8": EXTENSIONS,
    "uint16": (".png", ".tiff", ".tif", ".pgm"),
    "float16": (".tiff", ".tif"),
    "float32": (".tiff", ".tif"),
    "float64": (".tiff", ".tif"),
}
"""The extensions of the files that can hold a dtype; floating point is written as ``float32``."""

_HOLDS_EXIF = (".png", ".jpg", ".jpeg", ".webp")
"""The extensions of the files into which OpenCV writes EXIF and XMP data and a color profile."""
_TIFF = (".tif", ".tiff")
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_EXIF, _PROFILE, _XMP = cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_ICCP, cv2.IMAGE_METADATA_XMP
_TIFF_PROFILE = 34675


def read(path: str | Path, content: Content = "thermal") -> Array:
    """Read an image file in its own dtype, and turn it upright by its EXIF orientation.

    Args:
        path: the file.
        content: what to read of a radiometric JPEG.

    Returns:
        (H, W), (H, W, 2), (H, W, 3) in RGB order, or (H, W, 4); see the module's description.

    Raises:
        ImageError: the file is missing, a folder, truncated, too large, or not an image that irfuse reads; or it is a
            radiometric JPEG whose thermal data is damaged, or that has no photograph.

    Warns:
        ImageFileWarning: the compressed data looks damaged, the file holds further images or channels, its values are
            scaled, or its counts or its photograph are read.

    >>> from irfuse import samples
    >>> read(samples.pairs()[0].vis).shape
    (480, 640, 3)
    """
    return read_with_metadata(path, content)[0]


def read_with_metadata(path: str | Path, content: Content = "thermal") -> tuple[Array, Metadata]:
    """Read an image file as :func:`read` does, and what it says about the image, for :func:`write`.

    >>> from irfuse import samples
    >>> image, metadata = read_with_metadata(samples.pairs()[0].vis)
    >>> metadata.profile
    b''
    """
    return decode_with_metadata(read_bytes(path), str(path), content)


def read_bytes(path: str | Path) -> bytes:
    """Read the content of a file.

    Raises:
        ImageError: the file is missing or a folder, or cannot be read.
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
    return data


def contents(as_picture: bool) -> tuple[Content, Content]:
    """Say what to read as the infrared and as the visible image of a pair.

    Args:
        as_picture: whether to read the pictures of radiometric JPEG files instead of what they measured.

    >>> contents(False)
    ('thermal', 'visible')
    """
    return ("picture", "picture") if as_picture else ("thermal", "visible")


def load(source: Source, content: Content = "thermal") -> Any:
    """Read a file, and return an array or a tensor as it is.

    Raises:
        ImageError: the file cannot be read.
    """
    return read(source, content) if isinstance(source, str | Path) else source


def files(*sources: Source) -> str:
    """Name the files among some sources, for errors; empty if all are arrays or tensors.

    >>> files("a.png", np.zeros((2, 2)), Path("b.png"))
    'a.png and b.png'
    """
    # A radiometric file is both the infrared and the visible image.
    return " and ".join(dict.fromkeys(str(source) for source in sources if isinstance(source, str | Path)))


def decode(data: bytes, name: str, content: Content = "thermal") -> Array:
    """Decode the content of an image file.

    Args:
        data: the content.
        name: what errors and warnings call it.
        content: what to read of a radiometric JPEG.

    Raises:
        ImageError: see :func:`read`.

    Warns:
        ImageFileWarning: see :func:`read`.
    """
    return decode_with_metadata(data, name, content)[0]


def decode_with_metadata(data: bytes, name: str, content: Content = "thermal") -> tuple[Array, Metadata]:
    """Decode the content of an image file as :func:`decode` does, and return its metadata, too."""
    if not data:
        raise ImageError(f"{name}: the file is empty")
    decoded = _decoded(data, name, content)
    metadata, orientation = of_file(decoded.exif, decoded.profile, decoded.xmp)
    image = upright(decoded.image, orientation)
    if image.ndim == 3 and image.shape[2] in (2, 4) and looks_like_an_image(image[..., -1]):
        notices.warn(
            ImageFileWarning(
                f"{name}: its channel {image.shape[2]} looks like a thermal image, not like transparency; "
                'it is left out; to fuse both, split the file: python -c "import cv2; '
                f"i = cv2.imread({name!r}, -1); "
                "cv2.imwrite('x_rgb.png', i[..., :3]); cv2.imwrite('x_th.png', i[..., 3])\""
            )
        )
        image = image[..., 0] if image.shape[2] == 2 else image[..., :3]
    return np.ascontiguousarray(image), metadata


def encode(image: Array, extension: str, description: str = "", metadata: Metadata = NO_METADATA) -> bytes:
    """Encode an image for a file with the given extension. All formats but JPEG are lossless.

    Floating point is written as ``float32``, in which fused images are computed. Gray with alpha becomes RGB with
    alpha, since OpenCV does not write it otherwise.

    Args:
        image: an array as :func:`read` returns it, but for ``int16`` and ``int32``; or ``float16``.
        extension: with its dot.
        description: the image description of EXIF and TIFF, in ASCII. BMP and PGM cannot hold it.
        metadata: the color profile, EXIF and XMP data. BMP and PGM cannot hold them. A profile for another number of
            channels is left out, and so are more than 65,480 bytes of XMP data in JPEG.

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
            f"{extension} cannot hold {image.dtype} images: "
            + (f"write {formats}" if formats else "no format can; convert the image to uint8, uint16 or float32")
        )
    if image.dtype.kind == "f":
        image = image.astype(np.float32, copy=False)
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
    blocks = {_EXIF: metadata.exif(description, extension), _PROFILE: metadata.fitting(channels)}
    packet = metadata.fitting_xmp(extension)
    if packet and extension != ".png":
        # OpenCV leaves the header to its caller, and writes a wrong chunk into PNG.
        blocks[_XMP] = packet if extension == ".webp" else xmp.JPEG_HEADER + packet
    blocks = {kind: block for kind, block in blocks.items() if block}
    if blocks and extension in _HOLDS_EXIF:
        arrays = [np.frombuffer(block, np.uint8) for block in blocks.values()]
        done, data = cv2.imencodeWithMetadata(extension, image, list(blocks), arrays, option)
    else:
        done, data = cv2.imencode(extension, image, option)
    if not done:
        raise ImageError(f"OpenCV cannot encode {image.shape} {image.dtype} as {extension}")
    encoded: bytes = data.tobytes()
    if packet and extension == ".png":
        return png.with_xmp(encoded, packet)
    return _described(encoded, metadata, description, channels) if extension in _TIFF else encoded


def write(path: str | Path, image: Array, description: str = "", metadata: Metadata = NO_METADATA) -> None:
    """Write an image, completely or not at all. The extension of `path` chooses the format; see :func:`encode`.

    Raises:
        ImageError: the format cannot hold the image.
        OutputError: the place cannot be written to.

    Warns:
        ImageFileWarning: the format cannot hold the metadata.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; the name of an image file is needed")
    try:
        data = encode(image, path.suffix, description, metadata)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    write_atomic(path, data)
    if metadata and path.suffix.lower() not in (*_HOLDS_EXIF, *_TIFF):
        notices.warn(
            ImageFileWarning(f"{path}: {path.suffix} cannot hold the visible image's color profile, EXIF or XMP data")
        )


def _decoded(data: bytes, name: str, content: Content) -> Decoded:
    """Decode the only image of a file, or what is wanted of a radiometric JPEG."""
    file = None if content == "picture" else thermal.find(data, name)
    if file is None:
        return _decoder(data)(data, name)
    header = jpeg.header(data)
    if content == "visible":
        return _photograph(file, header, name)
    if file.celsius is None:
        notices.warn(ImageFileWarning(f"{name}: is read as counts, not as temperatures: {file.no_celsius}"))
    elif is_unit(float(np.nanmin(file.celsius)), float(np.nanmax(file.celsius))):
        notices.warn(
            ImageFileWarning(
                f"{name}: all its temperatures lie from 0 to 1 °C, where numbers count as scaled to black and white; "
                "give a thermal range"
            )
        )
    return Decoded(file.values, header.exif)


def _photograph(file: ThermalFile, header: jpeg.Header, name: str) -> Decoded:
    """Decode the photograph in a radiometric JPEG, to which the metadata of the whole file applies."""
    if not file.visible:
        raise ImageError(
            f"{name}: is a thermal file, and cannot be the visible image, since {file.no_visible}; give the file of "
            "the visible image, or use the palette picture by --as-picture"
        )
    decoded = _decoder(file.visible)(file.visible, f"{name}: its photograph")
    height, width = decoded.image.shape[:2]
    notices.warn(
        ImageFileWarning(f"{name}: is a thermal file, whose photograph is read as the visible image: {width}x{height}")
    )
    return Decoded(decoded.image, header.exif, decoded.profile, header.xmp)


def _decoder(data: bytes) -> Callable[[bytes, str], Decoded]:
    """Choose the decoder by the first bytes of a file."""
    if data.startswith(png.MAGIC):
        return png.decode
    if data.startswith(jpeg.MAGIC):
        return jpeg.decode
    if data.startswith(webp.MAGIC):
        return webp.decode
    if data.startswith(_TIFF_MAGIC):
        # Imported here: it takes as long as all the others.
        from irfuse.io import tiff

        return tiff.decode
    return bmp.decode if data.startswith(bmp.MAGIC) else pgm.decode


def _described(data: bytes, metadata: Metadata, description: str, channels: int) -> bytes:
    """Add metadata and a description to a TIFF file."""
    added = metadata.directory(description)
    if metadata.fitting(channels):
        added[_TIFF_PROFILE] = ifd.Value(ifd.BYTES, metadata.profile)
    if metadata.xmp:
        added[xmp.TIFF_TAG] = ifd.Value(ifd.BYTE, metadata.xmp)
    return ifd.append(data, {**added, **ifd.parse(data)}) if added else data


def upright(image: Array, orientation: int) -> Array:
    """Undo an EXIF orientation, 1 to 8, of an image of any number of channels."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image
