"""Directories of tags: what EXIF data and TIFF files consist of."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, Union

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""The bytes of a value of each type."""
_WORDS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}
"""The bytes of what the byte order applies to. A rational number is two words."""

BYTE, TEXT, SHORT, LONG, BYTES = 1, 2, 3, 4, 7
"""Types of values."""

EXIF, GPS, INTEROPERABILITY = 34665, 34853, 40965
"""The tags whose value is a directory of its own."""
_NESTED = (EXIF, GPS, INTEROPERABILITY)


@dataclass(frozen=True)
class Value:
    """The value of a tag.

    Attributes:
        kind: its type, 1 to 13.
        data: its bytes, little-endian.
    """

    kind: int
    data: bytes


Directory: TypeAlias = Mapping[int, Union[Value, "Directory"]]
"""Values, or directories, by tag."""


def parse(data: bytes) -> dict[int, "Value | Directory"]:
    """Read the first directory of EXIF data or of a TIFF file, with the directories in it.

    Whatever is damaged is left out.

    >>> parse(b"II*\\0" + serialize({274: Value(SHORT, b"\\1\\0")}, 8))
    {274: Value(kind=3, data=b'\\x01\\x00')}
    """
    order = _ORDERS.get(data[:4])
    if order is None or len(data) < 8:
        return {}
    (start,) = struct.unpack_from(order + "I", data, 4)
    return _parse(data, order, start, depth=0)


def number(directory: Directory, tag: int, default: int) -> int:
    """Return the first number of a short or long value, or `default`."""
    value = directory.get(tag)
    if isinstance(value, Value) and value.kind in (SHORT, LONG) and len(value.data) >= _SIZES[value.kind]:
        return int.from_bytes(value.data[: _SIZES[value.kind]], "little")
    return default


def serialize(directory: Directory, position: int) -> bytes:
    """Write a directory, little-endian.

    Args:
        directory: what to write.
        position: where in the file the directory will lie. At 8, the result begins with this offset, so that the first
            four bytes of a TIFF file before it make EXIF data.
    """
    head = struct.pack("<I", position) if position == 8 else b""
    return head + _serialize(directory, position)


def append(file: bytes, directory: Directory) -> bytes:
    """Replace the first directory of a little-endian TIFF file by another one, which is written at the end."""
    file += b"\0" * (len(file) % 2)
    return file[:4] + struct.pack("<I", len(file)) + file[8:] + _serialize(directory, len(file))


def _parse(data: bytes, order: str, start: int, depth: int) -> dict[int, "Value | Directory"]:
    found: dict[int, Value | Directory] = {}
    if start + 2 > len(data):
        return found
    (count,) = struct.unpack_from(order + "H", data, start)
    for entry in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        tag, kind, length = struct.unpack_from(order + "HHI", data, entry)
        size = length * _SIZES.get(kind, 0)
        at = entry + 8 if size <= 4 else struct.unpack_from(order + "I", data, entry + 8)[0]
        if not size or at + size > len(data):
            continue
        if tag in _NESTED:
            if depth < len(_NESTED) and size == 4:
                found[tag] = _parse(data, order, struct.unpack_from(order + "I", data, at)[0], depth + 1)
        else:
            found[tag] = Value(kind, _little(data[at : at + size], kind, order))
    return found


def _little(value: bytes, kind: int, order: str) -> bytes:
    word = _WORDS.get(kind, 1)
    if order == "<" or word == 1:
        return value
    return b"".join(value[i : i + word][::-1] for i in range(0, len(value), word))


def _serialize(directory: Directory, position: int) -> bytes:
    entries, rest = [], b""
    end = position + 2 + 12 * len(directory) + 4
    for tag, value in sorted(directory.items()):
        if isinstance(value, Value):
            kind, data = value.kind, value.data
            content = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", end + len(rest))
            rest += data if len(data) > 4 else b""
        else:
            kind, data = LONG, bytes(4)
            content = struct.pack("<I", end + len(rest))
            rest += _serialize(value, end + len(rest))
        rest += b"\0" * (len(rest) % 2)
        entries.append(struct.pack("<HHI", tag, kind, len(data) // _SIZES[kind]) + content)
    return struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4) + rest
