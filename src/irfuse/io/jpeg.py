"""JPEG files: their header, and whether their compressed data is whole.

libjpeg decodes damaged data without an error, and OpenCV lets it print its remarks on the terminal.
"""

import re
import struct
from dataclasses import dataclass

import simplejpeg

from irfuse import notices
from irfuse.errors import ImageError, ImageFileWarning
from irfuse.imaging.planes import Array
from irfuse.io import radiometry, xmp
from irfuse.io.decoded import Decoded, by_opencv
from irfuse.io.limits import check_size

MAGIC = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""What ends compressed data."""
_HOLE = re.compile(rb"\0{16,}")
_SOF = {0xC0 + i for i in range(16)} - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL_SOF = (0xC0, 0xC1)
_DHT, _SOS, _EOI = 0xC4, 0xDA, 0xD9
_TAIL = 3
"""The bytes of which a decoder must miss some if they are cut off; the last one may hold only padding."""
_TRUNCATED = "Premature end of JPEG file"


@dataclass(frozen=True)
class Jpeg:
    """What the markers of a JPEG file say.

    Attributes:
        width, height, components: of the image; 0 if the file does not say.
        exif: the EXIF data; empty if there is none.
        profile: the ICC profile; empty if there is none.
        xmp: the XMP data; empty if there is none.
        thermal: whose thermal data it holds beside the picture; empty if there is none.
        end: where the compressed data ends; 0 if it does not.
        hole: how many zero bytes lie where no encoder writes them; 0 if there are none.
    """

    width: int
    height: int
    components: int
    exif: bytes
    profile: bytes
    xmp: bytes
    thermal: str
    end: int
    hole: int


def parse(data: bytes) -> Jpeg:
    """Read the markers up to the end of the image."""
    at, end, hole, sof = 2, 0, 0, 0
    width = height = components = 0
    exif = packet = app3 = b""
    profile: dict[int, bytes] = {}
    flir: dict[int, bytes] = {}
    zeros_mean: dict[int, int] = {}
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _EOI:
            break
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        content = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker in _SOF and len(content) >= 6:
            sof = marker
            height, width, components = struct.unpack_from(">HHB", content, 1)
        elif marker == _DHT:
            zeros_mean |= _codes_of_zeros(content)
        elif marker == 0xE1 and content.startswith(b"Exif\0\0") and not exif:
            exif = content[6:]
        elif marker == 0xE1 and content.startswith(radiometry.FLIR) and len(content) > radiometry.FLIR_HEADER:
            flir[content[6]] = content[radiometry.FLIR_HEADER :]
        elif marker == 0xE1 and content.startswith(xmp.JPEG_HEADER) and not packet:
            packet = content[len(xmp.JPEG_HEADER) :]
        elif marker == 0xE3:
            app3 += content
        elif marker == 0xE2 and content.startswith(b"ICC_PROFILE\0"):
            profile[content[12]] = content[14:]
        elif marker == _SOS and content:
            found = _MARKER.search(data, at)
            end = found.start() if found else 0
            if sof in _SEQUENTIAL_SOF:
                hole = hole or _hole(data[at : end or len(data)], content, zeros_mean)
            if not found:
                break
            at = end
    icc = b"".join(profile[i] for i in sorted(profile))
    thermal = "FLIR" if radiometry.of_flir(flir) else "DJI" if radiometry.of_dji(app3, width * height, exif) else ""
    return Jpeg(width, height, components, exif, icc, packet, thermal, end, hole)


def decode(data: bytes, name: str) -> Decoded:
    """Decode a JPEG file.

    Raises:
        ImageError: the file is truncated, too large, or nothing of it can be decoded.

    Warns:
        ImageFileWarning: the compressed data is damaged, and the image holds what libjpeg made of it; or the file holds
            thermal data, which is not read.
    """
    jpeg = parse(data)
    check_size(jpeg.width, jpeg.height, name)
    remark = _remark(data, jpeg)
    if remark.startswith(_TRUNCATED):
        raise ImageError(f"{name}: not a readable image (truncated: {remark})")
    found = damage(data, jpeg, remark)
    if found:
        notices.warn(ImageFileWarning(f"{name}: looks damaged, and parts of the image may be wrong: {found}"))
    if jpeg.thermal:
        notices.warn(
            ImageFileWarning(
                f"{name}: holds thermal data of a {jpeg.thermal} camera, which is not read, only its picture, often "
                "with a palette, a logo and a scale: export the temperatures as 16-bit TIFF with the maker's software, "
                "and use that"
            )
        )
    # OpenCV would let libjpeg print its remark. Without one, both decode alike.
    image = _decode_silently(data, jpeg, name) if remark or found else None
    return Decoded(by_opencv(data, name) if image is None else image, jpeg.exif, jpeg.profile, jpeg.xmp)


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
        image: Array = simplejpeg.decode_jpeg(data, "GRAY" if jpeg.components == 1 else "RGB", strict=False)
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
    colors = "CMYK" if jpeg.components == 4 else "GRAY"
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
