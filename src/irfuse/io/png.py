"""PNG files: their chunks, checked and read without libpng, which prints what it finds on the terminal."""

import struct
import zlib
from dataclasses import dataclass

from irfuse import notices
from irfuse.errors import ImageError, ImageFileWarning
from irfuse.io import xmp
from irfuse.io.decoded import Decoded, by_opencv
from irfuse.io.limits import check_size

MAGIC = b"\x89PNG\r\n\x1a\n"
_HEADER_END = 33
_GRAY_ALPHA = 4
_CHANNELS = {0: 1, 2: 3, 3: 1, _GRAY_ALPHA: 2, 6: 4}
"""The samples of a pixel, by the type of color."""
_LAST_FILTER = 4
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The passes of an interlaced image: the first column and row, and the steps."""


@dataclass(frozen=True)
class Png:
    """The content of a PNG file.

    Attributes:
        header: the content of IHDR.
        width, height: the size.
        color: the type of color.
        chunks: the contents of the other chunks by their name; those of IDAT are joined.
        texts: the contents of the chunks iTXt.
    """

    header: bytes
    width: int
    height: int
    color: int
    chunks: dict[bytes, bytes]
    texts: list[bytes]

    @property
    def animated(self) -> bool:
        """Whether it holds several images."""
        return b"acTL" in self.chunks

    @property
    def profile(self) -> bytes:
        """The ICC profile; empty if there is none or it is damaged."""
        _, _, rest = self.chunks.get(b"iCCP", b"").partition(b"\0")
        try:
            return zlib.decompress(rest[1:])
        except zlib.error:
            return b""

    @property
    def exif(self) -> bytes:
        """The EXIF data; empty if there is none."""
        return self.chunks.get(b"eXIf", b"")

    @property
    def xmp(self) -> bytes:
        """The XMP data; empty if there is none or it is damaged."""
        for text in self.texts:
            keyword, _, rest = text.partition(b"\0")
            # Two bytes say whether it is compressed, and how; then follow a language and a translated keyword.
            parts = rest[2:].split(b"\0", 2)
            if keyword == xmp.PNG_KEYWORD and len(parts) == 3:
                try:
                    return zlib.decompress(parts[2]) if rest[0] else parts[2]
                except zlib.error:
                    return b""
        return b""


def decode(data: bytes, name: str) -> Decoded:
    """Decode a PNG file.

    Raises:
        ImageError: the file is truncated, damaged or too large.

    Warns:
        ImageFileWarning: it holds several images.
    """
    try:
        png = parse(data)
        check_size(png.width, png.height, name)
        plain = pixels_only(png)
    except ImageError as error:
        raise ImageError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from None
    if png.animated:
        notices.warn(ImageFileWarning(f"{name}: is animated; only its first image is read"))
    image = by_opencv(plain, name)
    # OpenCV returns gray with alpha as color.
    image = image[..., [0, 3]] if png.color == _GRAY_ALPHA else image
    return Decoded(image, png.exif, png.profile, png.xmp)


def parse(data: bytes) -> Png:
    """Read the chunks.

    A chunk with a wrong checksum is an error if it is needed for the pixels, and otherwise left out.

    Raises:
        ImageError: the file is truncated or damaged. The message does not name it.
    """
    chunks: dict[bytes, list[bytes]] = {}
    at = len(MAGIC)
    while b"IEND" not in chunks:
        if at + 12 > len(data):
            raise ImageError("not a readable image (truncated)")
        (length,) = struct.unpack_from(">I", data, at)
        name, content, end = data[at + 4 : at + 8], data[at + 8 : at + 8 + length], at + 8 + length
        if end + 4 > len(data):
            raise ImageError("not a readable image (truncated)")
        whole = zlib.crc32(name + content) == struct.unpack_from(">I", data, end)[0]
        if not whole and (name[:1].isupper() or name == b"tRNS"):
            raise ImageError(f"not a readable image (damaged: the checksum of the data at byte {at} is wrong)")
        if whole:
            chunks.setdefault(name, []).append(content)
        at = end + 4
    header = b"".join(chunks.pop(b"IHDR", []))
    if len(header) != 13 or header[9] not in _CHANNELS or b"IDAT" not in chunks:
        raise ImageError("not a readable image (damaged: its header is not one of PNG)")
    width, height = struct.unpack_from(">II", header)
    joined = {name: b"".join(parts) if name == b"IDAT" else parts[0] for name, parts in chunks.items()}
    return Png(header, width, height, header[9], joined, chunks.get(b"iTXt", []))


def with_xmp(data: bytes, packet: bytes) -> bytes:
    """Add XMP data to a PNG file, behind its header."""
    text = xmp.PNG_KEYWORD + bytes(5) + packet
    return data[:_HEADER_END] + _chunk(b"iTXt", text) + data[_HEADER_END:]


def pixels_only(png: Png) -> bytes:
    """Write a PNG file that holds only the pixels, without compression.

    libpng finds nothing in it to remark.

    Raises:
        ImageError: the compressed data is damaged. The message does not name the file.
    """
    passes = _passes(png)
    size = sum(rows * length for rows, length in passes)
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(png.chunks[b"IDAT"], size)
        # The checksum is read, and compared, only after the last byte.
        inflate.decompress(inflate.unconsumed_tail, 1)
    except zlib.error as error:
        raise ImageError(f"not a readable image (damaged: {error})") from None
    if len(raw) < size:
        raise ImageError("not a readable image (damaged: its data ends early)")
    at = 0
    for rows, length in passes:
        if max(raw[at : at + rows * length : length]) > _LAST_FILTER:
            raise ImageError("not a readable image (damaged: a row has an unknown filter)")
        at += rows * length
    parts = [_chunk(b"IHDR", png.header)]
    parts += [_chunk(name, png.chunks[name]) for name in (b"PLTE", b"tRNS") if name in png.chunks]
    parts += [_chunk(b"IDAT", zlib.compress(raw, 0)), _chunk(b"IEND", b"")]
    return MAGIC + b"".join(parts)


def _passes(png: Png) -> list[tuple[int, int]]:
    """For each pass, how many rows it has, and how many bytes a row: one for the filter, then the pixels."""
    bits = png.header[8] * _CHANNELS[png.color]
    passes = []
    for left, top, across, down in _PASSES if png.header[12] else ((0, 0, 1, 1),):
        columns, rows = -(-(png.width - left) // across), -(-(png.height - top) // down)
        if columns > 0 and rows > 0:
            passes.append((rows, 1 + -(-columns * bits // 8)))
    return passes


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
