"""Lists of pairs as CSV files."""

import csv
from pathlib import Path

from irfuse.errors import PairError
from irfuse.io.conventions import WORDS, keys, partners
from irfuse.io.pair import Pair, Pairing
from irfuse.io.spreadsheets import names_separator, read_lines

EXTENSIONS = (".csv", ".tsv")
"""The extensions of lists."""

_DELIMITERS = (",", ";", "\t")


def read(path: Path) -> Pairing:
    r"""Read the pairs that a CSV file lists.

    The first line names the columns: ``ir``, ``vis`` and, optionally, ``name``, in any case. Instead of ``ir`` and
    ``vis``, any of the words may be used that folders of a data set may have, such as ``thermal`` and ``rgb``. Columns
    are separated by commas, semicolons or tabs. Paths are relative to the CSV file, and may have backslashes. A pair
    without a name has the name of its visible image.

    Raises:
        PairError: the file cannot be read, lacks a column or a value, or gives two pairs the same name.
    """
    lines = read_lines(path, PairError)
    skipped = 1 if lines and names_separator(lines[0]) else 0
    lines = lines[skipped:]
    delimiter, columns = _header(lines[0] if lines else "", path)
    ir, vis = _sensors(columns, path)
    name = next((column for column in columns if column.lower() == "name"), None)
    pairs: dict[str, Pair] = {}
    try:
        reader = csv.DictReader(lines[1:], columns, delimiter=delimiter, skipinitialspace=True)
        for row in reader:
            place = f"{path}, line {reader.line_num + 1 + skipped}"
            values = [(row.get(column) or "").strip() if column else "" for column in (ir, vis, name)]
            pair = _pair(values[0], values[1], values[2], path.parent, place)
            if pair.name in pairs:
                raise PairError(
                    f"{place}: the name {pair.name!r} is used twice; "
                    "add a column name with a different name for each pair"
                )
            pairs[pair.name] = pair
    except csv.Error as error:
        raise PairError(f"{path}: cannot be read as CSV: {error}") from error
    if not pairs:
        raise PairError(f"{path}: lists no pair")
    return Pairing(tuple(pairs.values()))


def _header(line: str, path: Path) -> tuple[str, list[str]]:
    """Return the delimiter that makes the most columns of the first line, and the columns."""
    try:
        split = {mark: next(csv.reader([line], delimiter=mark, skipinitialspace=True), []) for mark in _DELIMITERS}
    except csv.Error as error:
        raise PairError(f"{path}: cannot be read as CSV: {error}") from error
    delimiter = max(_DELIMITERS, key=lambda mark: len(split[mark]))
    return delimiter, [column.strip() for column in split[delimiter]]


def _sensors(columns: list[str], path: Path) -> tuple[str, str]:
    """Find the columns of the infrared and the visible images."""
    by_name = {column.lower(): column for column in columns}
    if {"ir", "vis"} <= by_name.keys():
        return by_name["ir"], by_name["vis"]
    ir, vis = ([column for column in columns if keys(column, mark)] for mark in (WORDS.ir, WORDS.vis))
    if len(ir) == len(vis) == 1 and ir != vis:
        return ir[0], vis[0]
    found = partners(columns, columns, [WORDS], one_folder=True).found
    if len(found) == 1:
        return next((infrared, visible) for visible, infrared in found.items())
    names = ", ".join(filter(None, columns)) or "none"
    raise PairError(
        f"{path}: the first line must name the columns ir and vis, separated by commas, semicolons or tabs; "
        f"it names {names}"
    )


def _pair(ir: str, vis: str, name: str, folder: Path, place: str) -> Pair:
    if not (ir and vis):
        raise PairError(f"{place}: ir or vis is empty")
    files = [_file(folder, listed) for listed in (ir, vis)]
    try:
        return Pair(name or files[1].stem, *files)
    except PairError as error:
        raise PairError(f"{place}: {error}") from None


def _file(folder: Path, listed: str) -> Path:
    """Return the path of a listed file. Backslashes separate folders unless they are part of an existing name."""
    if "\\" in listed and not (folder / listed).exists():
        return folder / listed.replace("\\", "/")
    return folder / listed
