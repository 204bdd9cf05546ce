"""Spreadsheets: the lines of CSV files as programs save them."""

import codecs
import io
from pathlib import Path

from irfuse.errors import IrfuseError


def read_lines(path: Path, error: type[IrfuseError]) -> list[str]:
    """Read the lines of a text file, with their ends, in UTF-8 or, with a byte order mark, in UTF-16.

    Args:
        path: the file.
        error: what to raise if it cannot be read.
    """
    try:
        data = path.read_bytes()
        encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        text = data.decode(encoding)
    except OSError as cause:
        raise error(f"{path}: cannot be read as CSV: {cause.strerror or cause}") from cause
    except UnicodeDecodeError as cause:
        raise error(f"{path}: cannot be read as CSV: {cause}; save it as CSV in UTF-8") from cause
    return list(io.StringIO(text, newline=""))


def names_separator(line: str) -> bool:
    """Tell whether a line says which separator the file has, as Excel writes it.

    >>> names_separator("sep=;"), names_separator("ir;vis")
    (True, False)
    """
    return line.lower().startswith("sep=")
