"""JPEG files: their header, and whether their compressed data is whole.

libjpeg decodes damaged data without an error, and OpenCV lets it print its remarks on the terminal.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

import simplejpeg

from irfuse import notices
from irfuse.errors import ImageError, ImageFileWarning
from irfuse.imaging.planes import Array
from irfuse.io import xmp
from irfuse.io.decoded import Decoded, by_opencv
from irfuse.io.limits import check_size

MAGIC = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""What ends compressed data."""
_HOLE = re.compile(rb"\0{16,}")
_SOF = {0xC0 + i for i in range(16)} - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL_SOF = (0xC0, 0xC1)
APP1, APP3, SOS = 0xE1, 0xE3, 0xDA
"""Markers: of applications' data, and of the compressed data."""
_DHT, _APP2, _EOI = 0xC4, 0xE2, 0xD9
_PROFILE_HEADER = 14
_TAIL = 3
"""The bytes of which a decoder must miss some if they are cut off; the last one may hold only padding."""
_TRUNCATED = "Premature end of JPEG file"


@dataclass(frozen=True)
class Segment:
    """A segment of a JPEG file.

    Attributes:
        marker: the second byte of its marker, which says what it is.
        content: what follows its length.
        start, end: the compressed data behind it; equal if there is none, and `end` is 0 if that data does not end.
    """

    marker: int
    content: bytes
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a JPEG file says before its compressed data.

    Attributes:
        width, height, components: of the image; 0 if the file does not say.
        sequential: whether its data is neither progressive nor lossless.
        exif: the EXIF data; empty if there is none.
        profile: the ICC profile; empty if there is none.
        xmp: the XMP data; empty if there is none.
        segments: all segments.
    """

    width: int
    height: int
    components: int
    sequential: bool
    exif: bytes
    profile: bytes
    xmp: bytes
    segments: tuple[Segment, ...]

    def contents(self, marker: int, start: bytes = b"") -> list[bytes]:
        """Return the contents of the segments with a marker that begin with `start`, in their order."""
        return [s.content for s in self.segments if s.marker == marker and s.content.startswith(start)]


@dataclass(frozen=True)
class Jpeg:
    """What all markers of a JPEG file say.

    Attributes:
        header: what comes before the compressed data.
        end: where the compressed data ends; 0 if it does not.
        hole: how many zero bytes lie where no encoder writes them; 0 if there are none.
    """

    header: Header
    end: int
    hole: int


def segments(data: bytes) -> Iterator[Segment]:
    """Read the segments up to the end of the image. Each is read when it is asked for."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _EOI:
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        content = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker != SOS or not content:
            yield Segment(marker, content, at, at)
            continue
        found = _MARKER.search(data, at)
        yield Segment(marker, content, at, found.start() if found else 0)
        if not found:
            return
        at = found.start()


def header(data: bytes) -> Header:
    """Read what a file says before its compressed data."""
    return _header(tuple(takewhile(lambda segment: segment.marker != SOS, segments(data))))


def parse(data: bytes) -> Jpeg:
    """Read the markers up to the end of the image."""
    found = tuple(segments(data))
    head = _header(found)
    end = hole = 0
    zeros_mean: dict[int, int] = {}
    for segment in found:
        if segment.marker == _DHT:
            zeros_mean |= _codes_of_zeros(segment.content)
        elif segment.marker == SOS and segment.content:
            end = segment.end
            if head.sequential:
                hole = hole or _hole(data[segment.start : end or len(data)], segment.content, zeros_mean)
    return Jpeg(head, end, hole)


def _header(found: tuple[Segment, ...]) -> Header:
    sof = width = height = components = 0
    exif = packet = b""
    profile: dict[int, bytes] = {}
    for segment in found:
        marker, content = segment.marker, segment.content
        if marker in _SOF and len(content) >= 6:
            sof = marker
            height, width, components = struct.unpack_from(">HHB", content, 1)
        elif marker == APP1 and content.startswith(b"Exif\0\0") and not exif:
            exif = content[6:]
        elif marker == APP1 and content.startswith(xmp.JPEG_HEADER) and not packet:
            packet = content[len(xmp.JPEG_HEADER) :]
        elif marker == _APP2 and content.startswith(b"ICC_PROFILE\0") and len(content) > _PROFILE_HEADER:
            profile[content[12]] = content[_PROFILE_HEADER:]
    icc = b"".join(profile[i] for i in sorted(profile))
    return Header(width, height, components, sof in _SEQUENTIAL_SOF, exif, icc, packet, found)


def with_exif(data: bytes, exif: bytes) -> bytes:
    """Add EXIF data to a file that has none."""
    if not exif:
        return data
    content = b"Exif\0\0" + exif
    return data[:2] + bytes([0xFF, APP1]) + struct.pack(">H", len(content) + 2) + content + data[2:]


def decode(data: bytes, name: str) -> Decoded:
    """Decode a JPEG file.

    Raises:
        ImageError: the file is truncated, too large, or nothing of it can be decoded.

    Warns:
        ImageFileWarning: the compressed data is damaged, and the image holds what libjpeg made of it.
    """
    jpeg = parse(data)
    head = jpeg.header
    check_size(head.width, head.height, name)
    remark = _remark(data, jpeg)
    if remark.startswith(_TRUNCATED):
        raise ImageError(f"{name}: not a readable image (truncated: {remark})")
    found = damage(data, jpeg, remark)
    if found:
        notices.warn(ImageFileWarning(f"{name}: looks damaged, and parts of the image may be wrong: {found}"))
    # OpenCV would let libjpeg print its remark. Without one, both decode alike.
    image = _decode_silently(data, jpeg, name) if remark or found else None
    return Decoded(by_opencv(data, name) if image is None else image, head.exif, head.profile, head.xmp)


def check(data: bytes) -> str:
    """Say what is wrong with the compressed data of a JPEG file; empty if nothing is."""
    jpeg = parse(data)
    return damage(data, jpeg, _remark(data, jpeg))


def damage(data: bytes, jpeg: Jpeg, remark: str) -> str:
    """Say what is wrong with the compressed data; empty if nothing is.

    Decoding at an eighth of the size reads all of it and computes little. Three things are looked at:

    - what libjpeg remarks;
    - whether it misses the last bytes when they are cut off. If it does not, it came to the end before the data did;
    - runs of zeros that stand for coefficients. They would mean one value in all frequencies, which no image has.
    """
    if remark.startswith(("Corrupt", "Premature")):
        return remark
    if jpeg.hole:
        return f"{jpeg.hole} zero bytes lie in the compressed data"
    if not remark and jpeg.end:
        cut = data[: jpeg.end - _TAIL] + data[jpeg.end :]
        if not _remark(cut, jpeg):
            return "the image ends before its data"
    return ""


def _decode_silently(data: bytes, jpeg: Jpeg, name: str) -> Array | None:
    """Decode as much as can be decoded; None if the colors are not gray or YCbCr.

    Raises:
        ImageError: nothing can be decoded.
    """
    try:
        image: Array = simplejpeg.decode_jpeg(data, "GRAY" if jpeg.header.components == 1 else "RGB", strict=False)
    except ValueError:
        # simplejpeg takes no damage in the header, and few colors and samplings.
        image = _decode_anything(data, name)
    if image.ndim == 3 and image.shape[2] == 1:
        return image[..., 0]
    return None if image.ndim == 3 and image.shape[2] == 4 else image


def _decode_anything(data: bytes, name: str) -> Array:
    # Imported here: hardly any file needs it.
    import imagecodecs

    try:
        image: Array = imagecodecs.jpeg8_decode(data)
    except imagecodecs.Jpeg8Error as error:
        raise ImageError(f"{name}: not a readable image ({error})") from error
    return image


def _remark(data: bytes, jpeg: Jpeg) -> str:
    """Return libjpeg's first remark on the data; empty if there is none."""
    colors = "CMYK" if jpeg.header.components == 4 else "GRAY"
    try:
        simplejpeg.decode_jpeg(data, colors, min_height=1, min_width=1, min_factor=8, strict=True)
    except ValueError as error:
        return str(error)
    return ""


def _codes_of_zeros(content: bytes) -> dict[int, int]:
    """Return, for each table of Huffman codes for AC coefficients, what its code of only zeros means."""
    found = {}
    while len(content) >= 18:
        count = sum(content[1:17])
        if content[0] >> 4 == 1:
            found[content[0] & 15] = content[17]
        content = content[17 + count :]
    return found


def _hole(data: bytes, scan: bytes, zeros_mean: dict[int, int]) -> int:
    """Return the length of the first run of zeros that stands for coefficients; 0 if there is none."""
    tables = {scan[2 + 2 * i] & 15 for i in range(scan[0]) if len(scan) > 2 + 2 * i}
    # The upper half of a code's meaning is a number of zeros, the lower half the size of the coefficient after them.
    # A size of 0 means that the block ends, as in flat areas.
    if not any(zeros_mean.get(table, 0) & 15 for table in tables):
        return 0
    found = _HOLE.search(data)
    return len(found[0]) if found else 0
