"""Pairs of files: match infrared images with visible images, and fused images with pairs."""

import hashlib
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from irfuse import notices
from irfuse.errors import DatasetWarning, PairError
from irfuse.io import flir_adas, manifests
from irfuse.io.conventions import (
    FILES,
    FOLDERS,
    FUSED_WORDS,
    IR_WORDS,
    SAME,
    VIS_WORDS,
    WORDS,
    partners,
    plain,
    unpadded,
    words,
)
from irfuse.io.formats import is_image
from irfuse.io.listing import entries, images_below, images_by_stem, kind, subfolders
from irfuse.io.pair import Pair as Pair
from irfuse.io.pair import Pairing as Pairing

_LONGEST = 240
"""The most bytes of a name that is made of several; file systems allow 255 with the extension."""


@dataclass(frozen=True)
class _Scene:
    """The files of a scene. The parts of its name are the folders that lead to the visible image, and its name."""

    parts: tuple[str, ...]
    ir: Path
    vis: Path


@dataclass(frozen=True)
class _Matches:
    """The scenes of two folders, and the files and subfolders without a partner."""

    scenes: list[_Scene]
    unpaired: list[Path]


def find(source: Path) -> Pairing:
    """Find the pairs of a list or of a data-set folder.

    A data set contains two folders for the sensors, such as ``ir/`` and ``vis/``, whose files are matched by
    :func:`match`, or the images of both sensors, such as ``x_ir.png`` and ``x_vis.png``. Both may lie deeper and occur
    several times, as in KAIST (``set00/V000/lwir``). The names of their parent folders then precede the names of the
    pairs. In the second FLIR ADAS, a JSON file of the data set lists the partners.
    :mod:`irfuse.io.conventions` lists the names that are understood, and :func:`irfuse.io.manifests.read` reads lists.

    Links are followed, and each folder is searched once. What cannot be read or is ambiguous is left out with a
    :class:`~irfuse.errors.DatasetWarning`.

    Raises:
        PairError: `source` is neither, or it contains no pair.
    """
    if source.is_dir():
        return flir_adas.read(source) if (source / flir_adas.MAP).is_file() else _search(source)
    if source.suffix.lower() in manifests.EXTENSIONS:
        return manifests.read(source)
    raise PairError(f"{source}: not a data-set folder with ir/ and vis/, and not a CSV manifest")


def match(ir_folder: Path, vis_folder: Path) -> Pairing:
    """Match the images of two folders, which may be the same, by their names without the ending.

    The remaining images are matched by the conventions of :data:`irfuse.io.conventions.FILES`: ``x_ir`` with ``x_vis``
    or ``x``, ``IR12`` with ``VIS12``, ``DJI_0001_T`` with ``DJI_0001_W``, ``1`` with ``001``. A pair has the name of
    its visible image. Two folders without images, such as those of LLVIP with ``train`` and ``test``, are matched by
    their subfolders, whose names then precede the names of the pairs.

    Raises:
        PairError: two images of a folder have the same name, or there is no pair.

    Warns:
        DatasetWarning: subfolders could be matched, but are not searched, since images lie beside them.

    >>> from irfuse import samples
    >>> [pair.name for pair in match(samples.FOLDER / "ir", samples.FOLDER / "vis").pairs][:2]
    ['msrs_00633D', 'msrs_00881N']
    """
    found = _match_folders(ir_folder, vis_folder, set())
    if not found.scenes:
        counts = [sum(1 for _ in images_below(folder)) for folder in (ir_folder, vis_folder)]
        for folder, count in zip((ir_folder, vis_folder), counts, strict=True):
            if not count:
                raise PairError(f"{folder}: the folder contains no images")
        raise PairError(
            f"no pair in {ir_folder} and {vis_folder}: the names of their {counts[0]} and {counts[1]} images "
            "do not match; name partners alike (1.png and 1.jpg, x_ir and x_vis, IR1 and VIS1), or list them in a CSV "
            "file"
        )
    return Pairing(_named(found.scenes), tuple(found.unpaired))


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

    The remaining images are matched without the words ``fused``, ``fusion`` and ``result`` and those for the sensor,
    and then without the leading zeros of numbers. What still remains may have the name of a method before or after the
    name of the scene, as in ``scene_method``, if it is the same for all images.

    Raises:
        PairError: two images of the folder have the same name, or none belongs to a pair.

    >>> from irfuse import samples
    >>> matched = match_fused(samples.FOLDER / "vis", samples.pairs()[1:])
    >>> len(matched.fused), [path.name for path in matched.unpaired]
    (4, ['msrs_00633D.png'])
    """
    files = images_by_stem(folder)
    stems: dict[str, str] = {}
    # The infrared image of one pair may have the name of another pair. So each rule is applied to all pairs in turn.
    for names in (
        {p.name: p.name for p in pairs},
        {p.name: p.vis.stem for p in pairs},
        {p.name: p.ir.stem for p in pairs},
    ):
        free = files.keys() - stems.values()
        stems |= {name: stem for name, stem in names.items() if name not in stems and stem in free}
    for fold in (plain, unpadded):
        rests = {stem: fold(_scene(stem)) for stem in files.keys() - stems.values()}
        scenes = {pair.name: fold(_scene(pair.name)) for pair in pairs if pair.name not in stems}
        stems |= _equal(scenes, rests)
    rests = {stem: plain(_scene(stem)) for stem in files.keys() - stems.values()}
    scenes = {pair.name: plain(_scene(pair.name)) for pair in pairs if pair.name not in stems}
    stems |= _equal(scenes, _without_method(rests, scenes.values()))
    if not stems:
        raise PairError(
            f"{folder}: no fused image of the {len(pairs)} pairs; name fused images like the visible ones, and give "
            "each method its own folder"
        )
    fused = {pair.name: files[stems[pair.name]] for pair in pairs if pair.name in stems}
    unpaired = tuple(path for _, path in sorted(files.items()) if path not in fused.values())
    return Matched(fused, unpaired, tuple(pair.name for pair in pairs if pair.name not in fused))


def _scene(name: str) -> str:
    """Return a name without the words for fused images and for sensors."""
    for listed in (FUSED_WORDS, IR_WORDS, VIS_WORDS):
        name = words(listed).sub("_", name)
    return name


def _equal(scenes: dict[str, str], rests: dict[str, str]) -> dict[str, str]:
    """Return the names of `scenes` with the names of `rests` that have the same value, if both are the only ones."""
    left, right = Counter(scenes.values()), Counter(rests.values())
    unique = {rest: stem for stem, rest in rests.items() if right[rest] == 1}
    return {name: unique[scene] for name, scene in scenes.items() if left[scene] == 1 and scene in unique}


def _without_method(rests: dict[str, str], scenes: Iterable[str]) -> dict[str, str]:
    """Return the scene of each name that consists of a scene and the commonest method; none if several are."""
    by_method: dict[tuple[str, str], dict[str, str]] = {}
    # The longest scene first: a_b_method may belong to the scene a_b and to the scene a.
    known = sorted(filter(None, set(scenes)), key=len, reverse=True)
    for stem, rest in rests.items():
        for scene in known:
            before, middle, after = f"_{rest}_".partition(f"_{scene}_")
            # A number is no method: it counts scenes.
            if middle and bool(before) != bool(after) and not (before or after).strip("_").isdigit():
                by_method.setdefault((before, after), {})[stem] = scene
                break
    most = max(map(len, by_method.values()), default=0)
    common = [found for found in by_method.values() if len(found) == most]
    return common[0] if len(common) == 1 else {}


def _search(source: Path) -> Pairing:
    """Find the pairs in a folder and below it."""
    scenes: list[_Scene] = []
    unpaired: list[Path] = []
    problems: list[str] = []
    folders = list(_parts(source, problems))
    for parts, ir, vis in folders:
        try:
            found = _match_folders(ir, vis, set())
        except PairError as error:
            problems.append(str(error))
            continue
        scenes += [_Scene((*parts, *scene.parts), scene.ir, scene.vis) for scene in found.scenes]
        unpaired += found.unpaired
    if not scenes:
        reason = "no two folders such as ir/ and vis/, and no images such as x_ir and x_vis"
        if folders:
            reason = f"{folders[0][1]} and {folders[0][2]} contain no images"
        if unpaired:
            reason = f"none of its images has a partner, such as {unpaired[0]}"
        if problems:
            reason = problems[0]
        raise PairError(
            f"{source}: no pair: {reason}; name partners alike (1.png and 1.jpg, x_ir and x_vis), name both folders "
            "(irfuse fuse IR VIS), or list the pairs in a CSV file"
        )
    for problem in problems:
        notices.warn(DatasetWarning(problem))
    return Pairing(_named(scenes), tuple(unpaired))


def _parts(source: Path, problems: list[str]) -> Iterator[tuple[tuple[str, ...], Path, Path]]:
    """Yield the folders of the infrared and the visible images, with what precedes the names of their pairs.

    What cannot be searched is appended to `problems`.
    """
    above = Path(os.path.realpath(source)).parents
    seen: set[str] = set()
    waiting, links = deque([source]), deque[Path]()
    while waiting or links:
        # Links come last, so that a folder is known by its own path.
        folder = (waiting or links).popleft()
        real = os.path.realpath(folder)
        # Folders above the source contain it, and belong to no data set in it.
        if real in seen or Path(real) in above:
            continue
        seen.add(real)
        try:
            content = entries(folder)
        except PairError as error:
            problems.append(str(error))
            continue
        below = [path for path in content if kind(path) == "folder"]
        problems += [
            f"{path}: the link is broken or leads into a closed folder"
            for path in content
            if kind(path) == "none" and not is_image(path)
        ]
        names = [path.name for path in below]
        found = partners(names, names, FOLDERS, one_folder=True)
        if found.ambiguous:
            several = " and ".join(sorted(found.ambiguous))
            problems.append(f"{folder}: only one subfolder may be named for each sensor; it has {several}")
        parents = folder.relative_to(source).parts
        # Other subfolders hold labels, results or other versions of the same images.
        for vis, ir in sorted(found.found.items()):
            # Several scenes may lie side by side: a_ir, a_vis, b_ir, b_vis.
            yield (*parents, vis) if len(found.found) > 1 else parents, folder / ir, folder / vis
        if not found.found:
            if any(is_image(path) for path in content):
                yield parents, folder, folder
            waiting.extendleft(reversed([path for path in below if not path.is_symlink()]))
            links.extend(path for path in below if path.is_symlink())


def _match_folders(ir_folder: Path, vis_folder: Path, seen: set[tuple[str, str]]) -> _Matches:
    """Match the images of two folders or, if there are none, those of their subfolders.

    Folders that are in `seen` are left out, and matched ones are added, since links may lead to them again.
    """
    real = os.path.realpath(ir_folder), os.path.realpath(vis_folder)
    if real in seen:
        return _Matches([], [])
    seen.add(real)
    one_folder = real[0] == real[1]
    ir_files = images_by_stem(ir_folder)
    vis_files = ir_files if one_folder else images_by_stem(vis_folder)
    if ir_files or vis_files or one_folder:
        if not one_folder:
            _name_unread_subfolders(ir_folder, vis_folder)
        return _match_files(ir_files, vis_files, one_folder)
    return _match_subfolders(ir_folder, vis_folder, seen)


def _match_files(ir_files: dict[str, Path], vis_files: dict[str, Path], one_folder: bool) -> _Matches:
    found = partners(ir_files, vis_files, FILES if one_folder else (SAME, *FILES), one_folder=one_folder).found
    scenes = [_Scene((vis,), ir_files[ir], vis_files[vis]) for vis, ir in sorted(found.items())]
    used = {path for scene in scenes for path in (scene.ir, scene.vis)}
    files = (ir_files,) if one_folder else (ir_files, vis_files)
    return _Matches(scenes, [path for part in files for _, path in sorted(part.items()) if path not in used])


def _match_subfolders(ir_folder: Path, vis_folder: Path, seen: set[tuple[str, str]]) -> _Matches:
    scenes: list[_Scene] = []
    ir_names, vis_names, found = _partner_subfolders(ir_folder, vis_folder)
    unpaired = [ir_folder / name for name in sorted(set(ir_names) - set(found.values()))]
    unpaired += [vis_folder / name for name in sorted(set(vis_names) - found.keys())]
    for vis, ir in sorted(found.items(), key=lambda names: ((vis_folder / names[0]).is_symlink(), names)):
        try:
            below = _match_folders(ir_folder / ir, vis_folder / vis, seen)
        except PairError as error:
            notices.warn(DatasetWarning(str(error)))
            continue
        scenes += [_Scene((vis, *scene.parts), scene.ir, scene.vis) for scene in below.scenes]
        unpaired += below.unpaired
    return _Matches(scenes, unpaired)


def _partner_subfolders(ir_folder: Path, vis_folder: Path) -> tuple[list[str], list[str], dict[str, str]]:
    """Return the names of the subfolders of both folders, and the infrared partners of the visible ones."""
    ir_names, vis_names = ([path.name for path in subfolders(folder)] for folder in (ir_folder, vis_folder))
    return ir_names, vis_names, partners(ir_names, vis_names, (SAME, WORDS)).found


def _name_unread_subfolders(ir_folder: Path, vis_folder: Path) -> None:
    """Warn of subfolders that could be fused, but lie beside images, so that they are not searched."""
    for vis, ir in _partner_subfolders(ir_folder, vis_folder)[2].items():
        below = ir_folder / ir, vis_folder / vis
        if all(any(images_below(folder)) for folder in below):
            beside = f"{below[0]} and {below[1]} are not searched, since images lie beside them; name both to use them"
            notices.warn(DatasetWarning(beside))


def _named(scenes: Sequence[_Scene]) -> tuple[Pair, ...]:
    """Name the pairs by the parts of their names, each differently, and so that a file can have the name."""
    names = ["_".join(scene.parts) for scene in scenes]
    # Folders a_b and a/b are told apart by another separator and, if that is not enough, by a hash.
    names = ["__".join(s.parts) if count > 1 else name for s, name, count in _counted(scenes, names)]
    names = [
        _hashed(name, s) if count > 1 or (len(s.parts) > 1 and len(os.fsencode(name)) > _LONGEST) else name
        for s, name, count in _counted(scenes, names)
    ]
    return tuple(Pair(name, scene.ir, scene.vis) for name, scene in zip(names, scenes, strict=True))


def _counted(scenes: Sequence[_Scene], names: Sequence[str]) -> Iterator[tuple[_Scene, str, int]]:
    """Yield each scene with its name, and how many have this name."""
    counts = Counter(names)
    for scene, name in zip(scenes, names, strict=True):
        yield scene, name, counts[name]


def _hashed(name: str, scene: _Scene) -> str:
    """Shorten a name, and add a hash of the path that keeps it unique."""
    digest = hashlib.sha256(os.fsencode("/".join(scene.parts))).hexdigest()[:8]
    return f"{os.fsencode(name)[: _LONGEST - 9].decode(errors='ignore')}-{digest}"
