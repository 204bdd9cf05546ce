"""TIFF files, read by tifffile and imagecodecs.

Integers of 10 to 14 bits stay as they are, since they are counts; those of 1 to 7 bits are scaled to 8.
"""

import io
import logging
import struct
from collections.abc import Iterator

import imagecodecs
import numpy as np
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPage

from irfuse import notices
from irfuse.errors import ImageError, ImageFileWarning
from irfuse.imaging.planes import Array
from irfuse.io import ifd, jpeg, xmp
from irfuse.io.decoded import Decoded, by_opencv
from irfuse.io.limits import check_size

_BIG = (b"II+\0", b"MM\0+")
_DTYPES = ("bool", "uint8", "uint16", "int16", "int32", "float16", "float32", "float64")
_REDUCED, _MASK = 1, 4
"""Flags of a page: a smaller version of another page, and a mask."""
_ORIENTATION, _PROFILE = 274, 34675
_FAX = (2, 3, 4)
"""Compressions of faxes, which imagecodecs does not have."""


def decode(data: bytes, name: str) -> Decoded:
    """Decode a TIFF file.

    Raises:
        ImageError: the file is damaged, or of a kind that is not supported.

    Warns:
        ImageFileWarning: the file holds more than is read.
    """
    # Python prints what a library logs if nobody listens. The errors below say it.
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    try:
        with TiffFile(io.BytesIO(data)) as file:
            page = _page(file, name)
            check_size(page.imagewidth, page.imagelength, name)
            _check(page, data, name)
            image = _pixels(page, data, name)
            profile, packet = (page.tags.valueof(tag) for tag in (_PROFILE, xmp.TIFF_TAG))
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        # tifffile and the codecs raise many kinds of errors on damaged files.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(
            f"{name}: not a readable image (truncated, damaged, or TIFF of a rare kind: {reason})"
        ) from error
    profile, packet = (value if isinstance(value, bytes) else b"" for value in (profile, packet))
    return Decoded(image, _directory(data, page), profile, packet)


def _directory(data: bytes, page: TiffPage) -> bytes:
    """Make EXIF data whose first directory is that of a page. Of BigTIFF, it holds only the orientation."""
    if data[:4] in _BIG:
        orientation = int(page.tags.valueof(_ORIENTATION, 1))
        tags = {_ORIENTATION: ifd.Value(ifd.SHORT, struct.pack("<H", orientation))}
        return b"II*\0" + ifd.serialize(tags, 8)
    return data[:4] + struct.pack("<I" if data[:2] == b"II" else ">I", page.offset) + data[8:]


def _page(file: TiffFile, name: str) -> TiffPage:
    """Find the image among the pages: the largest that is not marked as a smaller version of another one."""
    pages = [page for page in file.pages if isinstance(page, TiffPage)]
    whole = [page for page in pages if not page.subfiletype & (_REDUCED | _MASK)] or pages
    if not whole:
        raise ImageError(f"{name}: not a readable image (truncated, damaged, or without an image)")
    page = max(whole, key=lambda page: page.imagewidth * page.imagelength)
    count = max(len(whole), int((file.imagej_metadata or {}).get("images", 1)))
    if count > 1:
        notices.warn(
            ImageFileWarning(
                f"{name}: holds {count} images; number {pages.index(page) + 1} is read "
                f"({page.imagewidth}x{page.imagelength})"
            )
        )
    return page


def _check(page: TiffPage, data: bytes, name: str) -> None:
    """Refuse strips and tiles that are missing or cut off, or that decompress to too few bytes."""
    if page.dtype is None or page.dtype.name not in _DTYPES:
        kind = page.dtype or f"{page.bitspersample}-bit"
        raise ImageError(f"{name}: {kind} images are not supported; save it as uint8, uint16 or float32")
    if page.imagedepth != 1:
        raise ImageError(f"{name}: holds a volume of {page.imagedepth} slices; save one of them")
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if any(offset + length > len(data) for offset, length in segments):
        raise ImageError(f"{name}: not a readable image (truncated: a strip or tile lies beyond the end of the file)")
    empty = sum(length == 0 for _, length in segments)
    if empty or not segments:
        raise ImageError(
            f"{name}: not a readable image (damaged: {empty} of {len(segments)} strips or tiles are empty)"
        )
    for number, (segment, expected) in enumerate(zip(_segments(page, data), _sizes(page), strict=False)):
        problem = _damage(page, segment, expected, last=number == len(segments) - 1)
        if problem:
            raise ImageError(f"{name}: not a readable image (damaged: strip or tile {number + 1}: {problem})")


def _segments(page: TiffPage, data: bytes) -> Iterator[bytes]:
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        yield data[offset : offset + length]


def _sizes(page: TiffPage) -> Iterator[int]:
    """How many bytes each strip or tile holds."""
    samples = 1 if page.planarconfig == 2 else page.samplesperpixel
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    columns = page.tilewidth if page.is_tiled else page.imagewidth
    row = -(-columns * samples * page.bitspersample // 8)
    if page.is_tiled:
        yield from [row * page.tilelength] * len(page.dataoffsets)
        return
    for _ in range(planes):
        for top in range(0, page.imagelength, page.rowsperstrip):
            yield row * min(page.rowsperstrip, page.imagelength - top)


def _damage(page: TiffPage, segment: bytes, expected: int, *, last: bool) -> str:
    """Say what is wrong with a strip or tile; empty if nothing is. Codecs with checks of their own are left to them."""
    if page.compression == COMPRESSION.NONE:
        return f"{len(segment)} bytes instead of {expected}" if len(segment) < expected else ""
    if page.compression in (COMPRESSION.LZW, COMPRESSION.PACKBITS) and page.fillorder == 1:
        unpack = imagecodecs.lzw_decode if page.compression == COMPRESSION.LZW else imagecodecs.packbits_decode
        length = len(unpack(segment))
        # A writer may add a byte, or fill the last strip up.
        right = length in (expected, expected + 1) or (last and length > expected)
        return "" if right else f"{length} bytes instead of {expected}"
    if page.compression == COMPRESSION.JPEG:
        whole = (page.jpegtables[:-2] + segment[2:]) if page.jpegtables else segment
        return jpeg.check(whole)
    return ""


def _pixels(page: TiffPage, data: bytes, name: str) -> Array:
    if page.compression in _FAX or (
        page.photometric == PHOTOMETRIC.YCBCR and page.compression not in (COMPRESSION.JPEG, COMPRESSION.WEBP)
    ):
        return _by_opencv(page, data, name)
    image: Array = page.asarray(maxworkers=1)
    if page.axes == "SYX":
        image = np.moveaxis(image, 0, 2)
    if page.axes not in ("YX", "YXS", "SYX"):
        raise ImageError(f"{name}: TIFF with the axes {page.axes} is not supported; save it as gray or RGB")
    bits = page.bitspersample
    if image.dtype == np.float16:
        return image.astype(np.float32)
    if page.photometric == PHOTOMETRIC.PALETTE and page.colormap is not None:
        index = image if image.ndim == 2 else image[..., 0]
        color = (page.colormap[:, index] >> 8).astype(np.uint8).transpose(1, 2, 0)
        return color if image.ndim == 2 else np.concatenate([color, image[..., 1:2]], axis=2)
    if bits < 8:
        image = (image.astype(np.uint16) * 255 // (2**bits - 1)).astype(np.uint8)
        bits = 8
    if page.photometric == PHOTOMETRIC.MINISWHITE and image.dtype.kind == "u":
        color = image[..., :1] if image.ndim == 3 else image
        image[..., : color.shape[-1]] = 2**bits - 1 - color
    if page.photometric == PHOTOMETRIC.SEPARATED:
        return _from_cmyk(image, bits, name)
    if page.photometric in (PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB, PHOTOMETRIC.ITULAB, PHOTOMETRIC.LOGLUV):
        raise ImageError(
            f"{name}: TIFF in the colors {PHOTOMETRIC(page.photometric).name} is not supported; save it as RGB"
        )
    return _channels(page, image, bits, name)


def _channels(page: TiffPage, image: Array, bits: int, name: str) -> Array:
    """Keep gray or color and its alpha, and leave out further channels, saying so."""
    if image.ndim == 2:
        return image
    colors = 3 if page.photometric in (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR) else 1
    samples = image.shape[2]
    kinds = list(page.extrasamples)
    if samples == 4 and colors == 3 and not kinds:
        # OpenCV and others write alpha without saying what it is.
        kinds = [EXTRASAMPLE.UNASSALPHA]
    alpha = colors < samples and bool(kinds) and kinds[0] != EXTRASAMPLE.UNSPECIFIED
    kept = colors + alpha
    if samples > kept:
        notices.warn(ImageFileWarning(f"{name}: holds {samples} channels; the first {kept} are read"))
    image = image[..., 0] if kept == 1 else image[..., :kept]
    return _unmultiplied(image, bits) if alpha and kinds[0] == EXTRASAMPLE.ASSOCALPHA else image


def _unmultiplied(image: Array, bits: int) -> Array:
    """Divide colors by the alpha that they were multiplied by."""
    full = 1.0 if image.dtype.kind == "f" else 2.0**bits - 1
    alpha = image[..., -1:].astype(np.float64)
    color = np.divide(image[..., :-1] * full, alpha, out=np.zeros(image[..., :-1].shape), where=alpha > 0).clip(0, full)
    color = color if image.dtype.kind == "f" else np.rint(color)
    return np.concatenate([color.astype(image.dtype), image[..., -1:]], axis=2)


def _from_cmyk(image: Array, bits: int, name: str) -> Array:
    if image.ndim != 3 or image.shape[2] < 4 or image.dtype.kind != "u":
        raise ImageError(f"{name}: TIFF of separated inks is supported only as CMYK; save it as RGB")
    full = 2**bits - 1
    light = full - image[..., :4].astype(np.uint64)
    rgb: Array = (light[..., :3] * light[..., 3:] // full).astype(image.dtype)
    return rgb


def _by_opencv(page: TiffPage, data: bytes, name: str) -> Array:
    """Decode by libtiff what imagecodecs does not have: faxes, and YCbCr without JPEG."""
    if page.index != 0:
        raise ImageError(f"{name}: TIFF of a rare kind behind another image; save it as one image")
    return by_opencv(data, name)
