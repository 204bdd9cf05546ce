"""Pairs of files: match infrared images with visible images."""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from irfuse.errors import PairError
from irfuse.io.formats import is_image


def _words(*words: str) -> re.Pattern[str]:
    """Match a word in a name: in any case between characters that are no letters, in capitals between no capitals."""
    lower, upper = "|".join(words), "|".join(words).upper()
    return re.compile(rf"(?<![a-zA-Z])(?i:{lower})(?![a-zA-Z])|(?<![A-Z])(?:{upper})(?![A-Z])")


_IR_WORDS = _words("infrared", "thermal", "previewdata", "lwir", "tir", "ir")
_VIS_WORDS = _words("visible", "vis", "rgb", "vi")
_FUSED_WORDS = _words("fused", "fusion", "result")
_IR_FOLDERS = ("ir", "infrared", "thermal", "lwir", "thermal_8_bit")
_VIS_FOLDERS = ("vis", "vi", "visible", "rgb")
_FLIR_MAP, _FLIR_IR, _FLIR_VIS = "rgb_to_thermal_vid_map.json", "video_thermal_test/data", "video_rgb_test/data"


@dataclass(frozen=True)
class Pair:
    """The two files of one scene.

    Attributes:
        name: the name of the results: a file name without its ending.
        ir, vis: the infrared and the visible image.

    Raises:
        PairError: the name is not a plain file name.
    """

    name: str
    ir: Path
    vis: Path

    def __post_init__(self) -> None:
        if self.name in ("", ".", "..") or Path(self.name).name != self.name:
            raise PairError(f"{self.name!r} is not a plain file name; the name of a pair must be one")


@dataclass(frozen=True)
class Pairing:
    """The pairs of a data set.

    Attributes:
        pairs: the pairs, in their order.
        unpaired: the image files without a partner.
    """

    pairs: tuple[Pair, ...]
    unpaired: tuple[Path, ...] = ()


def find(source: Path) -> Pairing:
    """Find the pairs of a CSV manifest, or of a data-set folder that contains ``ir/`` and ``vis/``.

    The two folders may also be named ``infrared``, ``thermal``, ``lwir``, ``visible``, ``rgb`` and so on. They may lie
    deeper and occur several times, as in KAIST (``set00/V000/lwir``) and in the first FLIR ADAS
    (``train/thermal_8_bit``, ``train/RGB``). The names of their parent folders then precede the names of the pairs. In
    the second FLIR ADAS, a JSON file of the data set lists the partners.

    Raises:
        PairError: `source` is neither, or it contains no pair.
    """
    if source.is_dir():
        if (source / _FLIR_MAP).is_file():
            return _from_flir_map(source)
        parts = [] if _has_both(source) else [folder for folder in _folders_below(source) if _has_both(folder)]
        if parts:
            return _joined(source, parts)
        return match(_subfolder(source, _IR_FOLDERS), _subfolder(source, _VIS_FOLDERS))
    if source.suffix.lower() == ".csv":
        return from_manifest(source)
    raise PairError(f"{source}: not a data-set folder with ir/ and vis/, and not a CSV manifest")


def match(ir_folder: Path, vis_folder: Path) -> Pairing:
    """Match the images of two folders by their names without the ending.

    The remaining images are matched without the words for the sensor: ``x_ir`` with ``x_vis`` or ``x``, ``IR12`` with
    ``VIS12``, ``thermal-x`` with ``rgb-x``, ``ir`` with ``vis``. A pair has the name of its visible image.

    Raises:
        PairError: two images of a folder have the same name, or there is no pair.

    >>> from irfuse import samples
    >>> [pair.name for pair in match(samples.FOLDER / "ir", samples.FOLDER / "vis").pairs][:2]
    ['msrs_00037N', 'msrs_00633D']
    """
    ir_files, vis_files = _by_stem(ir_folder), _by_stem(vis_folder)
    if ir_folder.resolve() == vis_folder.resolve():
        ir_files = {stem: path for stem, path in ir_files.items() if _IR_WORDS.search(stem)}
        vis_files = {stem: path for stem, path in vis_files.items() if stem not in ir_files}
    names = {stem: stem for stem in ir_files.keys() & vis_files.keys()}
    ir_keys = _by_key(ir_files.keys() - names.keys(), _IR_WORDS)
    vis_keys = _by_key(vis_files.keys() - names.keys(), _VIS_WORDS)
    names |= {vis_keys[key]: ir_keys[key] for key in ir_keys.keys() & vis_keys.keys()}
    pairs = tuple(Pair(name, ir_files[names[name]], vis_files[name]) for name in sorted(names))
    used = {path for pair in pairs for path in (pair.ir, pair.vis)}
    unpaired = tuple(path for files in (ir_files, vis_files) for _, path in sorted(files.items()) if path not in used)
    if not pairs:
        raise PairError(
            f"no pair in {ir_folder} and {vis_folder}: the names of their {len(ir_files)} and {len(vis_files)} images "
            "do not match; name partners alike (1.png and 1.jpg, x_ir and x_vis, IR1 and VIS1), or list them in a CSV "
            "file"
        )
    return Pairing(pairs, unpaired)


@dataclass(frozen=True)
class Matched:
    """The fused images of a folder.

    Attributes:
        fused: the files by the names of their pairs, in the order of the pairs.
        unpaired: the image files that belong to no pair.
        missing: the names of the pairs without a fused image.
    """

    fused: dict[str, Path]
    unpaired: tuple[Path, ...]
    missing: tuple[str, ...]


def match_fused(folder: Path, pairs: Sequence[Pair]) -> Matched:
    """Find the fused images of pairs by the name of the pair, of its visible image, or of its infrared image.

    The remaining images are matched without the words ``fused``, ``fusion`` and ``result`` and those for the sensor.

    Raises:
        PairError: two images of the folder have the same name, or none belongs to a pair.

    >>> from irfuse import samples
    >>> matched = match_fused(samples.FOLDER / "vis", samples.pairs()[1:])
    >>> len(matched.fused), [path.name for path in matched.unpaired]
    (4, ['msrs_00037N.png'])
    """
    files = _by_stem(folder)
    stems: dict[str, str] = {}
    # The infrared image of one pair may have the name of another pair. So each rule is applied to all pairs in turn.
    for names in (
        {p.name: p.name for p in pairs},
        {p.name: p.vis.stem for p in pairs},
        {p.name: p.ir.stem for p in pairs},
    ):
        free = files.keys() - stems.values()
        stems |= {name: stem for name, stem in names.items() if name not in stems and stem in free}
    fused_keys = _by_key(files.keys() - stems.values(), _FUSED_WORDS, _IR_WORDS, _VIS_WORDS)
    pair_keys = _by_key((pair.name for pair in pairs if pair.name not in stems), _FUSED_WORDS, _IR_WORDS, _VIS_WORDS)
    stems |= {pair_keys[key]: fused_keys[key] for key in pair_keys.keys() & fused_keys.keys()}
    if not stems:
        raise PairError(f"{folder}: no fused image of the {len(pairs)} pairs; name fused images like the visible ones")
    fused = {pair.name: files[stems[pair.name]] for pair in pairs if pair.name in stems}
    unpaired = tuple(path for _, path in sorted(files.items()) if path not in fused.values())
    return Matched(fused, unpaired, tuple(pair.name for pair in pairs if pair.name not in fused))


def from_manifest(path: Path) -> Pairing:
    """Read the pairs that a CSV file lists in its columns ``ir``, ``vis`` and, optionally, ``name``.

    Paths are relative to the CSV file. A pair without a name has the name of its visible image.

    Raises:
        PairError: the file cannot be read, lacks a column or a value, or gives two pairs the same name.
    """
    pairs: dict[str, Pair] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [column.strip() for column in reader.fieldnames or []]
            if not {"ir", "vis"} <= set(columns):
                names = ", ".join(columns) or "none"
                raise PairError(f"{path}: the first line must name the columns ir and vis; it names {names}")
            reader.fieldnames = columns
            for row in reader:
                pair = _listed_pair(row, path.parent, f"{path}, line {reader.line_num}")
                if pair.name in pairs:
                    raise PairError(
                        f"{path}, line {reader.line_num}: the name {pair.name!r} is used twice; "
                        "add a column name with a different name for each pair"
                    )
                pairs[pair.name] = pair
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PairError(f"{path}: cannot be read as CSV: {error}") from error
    if not pairs:
        raise PairError(f"{path}: lists no pair")
    return Pairing(tuple(pairs.values()))


def _listed_pair(row: dict[str, str | None], folder: Path, place: str) -> Pair:
    ir, vis, name = ((row.get(column) or "").strip() for column in ("ir", "vis", "name"))
    if not (ir and vis):
        raise PairError(f"{place}: ir or vis is empty")
    try:
        return Pair(name or Path(vis).stem, folder / ir, folder / vis)
    except PairError as error:
        raise PairError(f"{place}: {error}") from None


def _has_both(folder: Path) -> bool:
    names = [path.name.lower() for path in _entries(folder) if path.is_dir()]
    return all(sum(name in sensor for name in names) == 1 for sensor in (_IR_FOLDERS, _VIS_FOLDERS))


def _folders_below(folder: Path) -> list[Path]:
    below = [path for path in _entries(folder) if path.is_dir() and not path.name.startswith(".")]
    return [found for path in below for found in (path, *_folders_below(path))]


def _joined(source: Path, folders: Sequence[Path]) -> Pairing:
    """Join the pairs of several data-set folders. The folder's path precedes the name of each pair."""
    pairs: list[Pair] = []
    unpaired: list[Path] = []
    for folder in folders:
        found = match(_subfolder(folder, _IR_FOLDERS), _subfolder(folder, _VIS_FOLDERS))
        prefix = "_".join(folder.relative_to(source).parts)
        pairs += [Pair(f"{prefix}_{pair.name}", pair.ir, pair.vis) for pair in found.pairs]
        unpaired += found.unpaired
    return Pairing(tuple(pairs), tuple(unpaired))


def _from_flir_map(source: Path) -> Pairing:
    """Read the pairs of video frames of FLIR ADAS 2, whose names do not match."""
    path = source / _FLIR_MAP
    try:
        partners = json.loads(path.read_text(encoding="utf-8"))
        pairs = [Pair(Path(vis).stem, source / _FLIR_IR / ir, source / _FLIR_VIS / vis) for vis, ir in partners.items()]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise PairError(f"{path}: does not map visible frames to thermal frames ({error})") from error
    found = tuple(sorted((pair for pair in pairs if pair.ir.is_file() and pair.vis.is_file()), key=lambda p: p.name))
    if not found:
        raise PairError(f"{path}: none of its frames is in {_FLIR_VIS} and {_FLIR_IR}")
    return Pairing(found)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise PairError(f"{folder}: the folder cannot be read: {error.strerror or error}") from error


def _subfolder(folder: Path, names: tuple[str, ...]) -> Path:
    found = [path for path in _entries(folder) if path.is_dir() and path.name.lower() in names]
    if len(found) != 1:
        has = f"has {' and '.join(path.name for path in found)}" if found else "has none"
        raise PairError(f"{folder}: exactly one subfolder must be named {', '.join(names)}; it {has}")
    return found[0]


def _by_stem(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in _entries(folder):
        if not is_image(path) or path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in files:
            raise PairError(f"{folder}: {files[path.stem].name} and {path.name} have the same name; keep one of them")
        files[path.stem] = path
    return files


def _by_key(stems: Iterable[str], *words: re.Pattern[str]) -> dict[str, str]:
    """Map what is left of stems without some words to the stems. Ambiguous keys are left out."""
    keys: dict[str, list[str]] = {}
    for stem in stems:
        rest = stem
        for pattern in words:
            rest = pattern.sub("_", rest)
        keys.setdefault(re.sub(r"[-_. ]+", "_", rest).strip("_").lower(), []).append(stem)
    return {key: found[0] for key, found in keys.items() if len(found) == 1}
