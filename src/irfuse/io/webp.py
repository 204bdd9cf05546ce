"""WebP files: their chunks, and whether their compressed data is whole.

Compressed WebP data has no checksum, and libwebp decodes almost any bytes. But a decoder that has lost its way needs
more or fewer bytes than there are. It misses some at the end, which libwebp reports, or it does not miss the last ones
when they are cut off.
"""

import struct
from typing import TypeAlias

from irfuse import notices
from irfuse.errors import ImageError, ImageFileWarning
from irfuse.io.decoded import Decoded, by_opencv
from irfuse.io.limits import check_size

MAGIC = b"RIFF"
KIND = b"WEBP"
_TAIL = 8
"""The bytes of which a decoder must miss some if they are cut off; encoders pad by at most three."""
_HEADER = b"VP8X"
_ALPHA, _ANIMATION = 16, 2
_PIXELS = (b"VP8 ", b"VP8L", b"ALPH")

Chunks: TypeAlias = list[tuple[bytes, bytes]]
"""The chunks of a file: their names and contents."""


def decode(data: bytes, name: str) -> Decoded:
    """Decode a WebP file.

    Raises:
        ImageError: the file is truncated, damaged or too large.

    Warns:
        ImageFileWarning: the compressed data is damaged, or it holds several images.
    """
    parts = chunks(data)
    check_size(*size(parts), name)
    image = by_opencv(data, name)
    found = damage(parts)
    if found:
        notices.warn(ImageFileWarning(f"{name}: looks damaged, and parts of the image may be wrong: {found}"))
    if is_animated(parts):
        notices.warn(ImageFileWarning(f"{name}: is animated; only its first image is read"))
    return Decoded(image, content(parts, b"EXIF"), content(parts, b"ICCP"), content(parts, b"XMP "))


def chunks(data: bytes) -> Chunks:
    """Read the chunks as pairs of a name and a content."""
    found = []
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        found.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


def size(parts: Chunks) -> tuple[int, int]:
    """Return the width and height; zeros if they cannot be read."""
    for name, content in parts:
        if name == _HEADER and len(content) >= 10:
            return int.from_bytes(content[4:7], "little") + 1, int.from_bytes(content[7:10], "little") + 1
        if name == b"VP8 " and len(content) >= 10:
            width, height = struct.unpack_from("<HH", content, 6)
            return width & 0x3FFF, height & 0x3FFF
        if name == b"VP8L" and len(content) >= 5:
            (bits,) = struct.unpack_from("<I", content, 1)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return 0, 0


def is_animated(parts: Chunks) -> bool:
    """Tell whether a file holds several images."""
    return any(name == _HEADER and content and content[0] & _ANIMATION for name, content in parts)


def content(parts: Chunks, name: bytes) -> bytes:
    """Return the content of the first chunk of a name; empty if there is none."""
    return next((content for found, content in parts if found == name), b"")


def damage(parts: Chunks) -> str:
    """Say what is wrong with the compressed data of an image that can be decoded; empty if nothing is."""
    # libwebp reads on in the chunks that follow, so only the pixels are left.
    pixels = [
        (name, _without_flags(content) if name == _HEADER else content)
        for name, content in parts
        if name in (_HEADER, *_PIXELS)
    ]
    for i, (name, content) in enumerate(pixels):
        if name == _HEADER:
            continue
        shorter = [content[:-_TAIL]]
        if name == b"VP8 ":
            shorter.append(_without_first_tail(content))
        if any(_is_decoded(_join([*pixels[:i], (name, cut), *pixels[i + 1 :]])) for cut in shorter):
            return "the image ends before its data"
    return ""


def _without_flags(header: bytes) -> bytes:
    """Take from an extended header all flags but that of alpha."""
    return bytes([header[0] & _ALPHA]) + header[1:] if header else header


def _is_decoded(data: bytes) -> bool:
    try:
        by_opencv(data, "")
    except ImageError:
        return False
    return True


def _without_first_tail(content: bytes) -> bytes:
    """Cut the tail off the first partition of lossy data, which holds the modes of prediction."""
    tag = int.from_bytes(content[:3], "little")
    length = (tag >> 5) - _TAIL
    if length <= 0:
        return content[:-_TAIL]
    # Ten bytes of header lie before it.
    return (tag & 31 | length << 5).to_bytes(3, "little") + content[3 : 10 + length] + content[10 + length + _TAIL :]


def _join(parts: Chunks) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for name, content in parts
    )
    return MAGIC + struct.pack("<I", len(body) + 4) + KIND + body
