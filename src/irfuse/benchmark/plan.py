"""The plan of a benchmark: what is compared, on which pairs, by which metrics.

All errors in the input are found here, before the work starts.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from irfuse import datasets, notices, weights
from irfuse.benchmark.result import EVERY_METHOD, Failure
from irfuse.errors import ImageError, PairError, ParameterError, naming, reason
from irfuse.evaluation.evaluator import Evaluator
from irfuse.imaging import misregistration, sizes
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.imaging.misregistration import Signs
from irfuse.io import images
from irfuse.io.files import sha256
from irfuse.io.formats import is_image
from irfuse.io.images import Array
from irfuse.io.pairs import Pair, match_fused
from irfuse.methods import Spec, build, code_digest, find, values
from irfuse.methods.base import File
from irfuse.metrics.protocols.canonical import CANONICAL
from irfuse.progress import Progress

Function = Callable[[Array, Array], Array]
"""Fuses an infrared and a visible image as :func:`irfuse.io.images.read` returns them."""


COMMON_METRICS = ("en", "sd", "sf", "mi", "scd", "vif", "qabf", "ssim")
"""The metrics of the tables of CDDFuse (CVPR 2023), which many later papers copied."""


@dataclass(frozen=True)
class MethodEntry:
    """A method that a spec describes.

    Attributes:
        spec: the spec, which is also the name in tables.
        digest: the digest of its weights and of their headers, in hexadecimal.
        code: the digest of its code; empty if it ships with irfuse.
        parameters: the number of learned values.
        trained_on, validated_on: the SHA-256 of image files, as far as the weights list them.
    """

    spec: str
    digest: str
    code: str
    parameters: int
    trained_on: frozenset[str]
    validated_on: frozenset[str]

    @property
    def name(self) -> str:
        return self.spec


@dataclass(frozen=True)
class FunctionEntry:
    """A function of the user's own. It is called in each run, since its code is unknown."""

    name: str
    function: Function


@dataclass(frozen=True)
class ExternalEntry:
    """Fused images that another program made.

    Attributes:
        name: the name in tables.
        fused: the files by the names of the pairs.
    """

    name: str
    fused: Mapping[str, Path]


Entry = MethodEntry | FunctionEntry | ExternalEntry
"""What a benchmark compares, one row in its tables."""


@dataclass(frozen=True)
class Scene:
    """A pair and the facts about its files.

    Attributes:
        pair: the files.
        ir_sha256, vis_sha256: the SHA-256 of their content.
        size: (height, width) of both.
        signs: that the pair is not registered; None if they cannot be measured.
    """

    pair: Pair
    ir_sha256: str
    vis_sha256: str
    size: tuple[int, int]
    signs: Signs | None

    @property
    def name(self) -> str:
        return self.pair.name


@dataclass(frozen=True)
class Plan:
    """A benchmark that is ready to start.

    Attributes:
        data: the name of the data.
        scenes: the pairs that can be read.
        entries: what is compared.
        evaluators: the evaluators by the names of the protocols.
        remarks: what the user should know before it starts.
        failures: the pairs that cannot be read, and external images that cannot.
    """

    data: str
    scenes: tuple[Scene, ...]
    entries: tuple[Entry, ...]
    evaluators: Mapping[str, Evaluator]
    remarks: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()


def make(
    data: str | Path | Sequence[Pair],
    methods: Sequence[str],
    functions: Mapping[str, Function],
    fused: Mapping[str, str | Path],
    protocols: Sequence[str],
    metrics: Sequence[str] | None,
    thermal: Levels | Percentiles,
    on_fetch: Progress,
) -> Plan:
    """Check the input, and make a plan of it.

    A file that cannot be read costs only its own pair.

    Args:
        data: a named set, a folder of pairs, a CSV manifest, or pairs.
        methods: specs.
        functions, fused: functions, and folders of fused images, by their names in tables.
        protocols: the names of the protocols.
        metrics: the names of the metrics, as :func:`irfuse.benchmark.run` takes them.
        thermal: how infrared values become [0, 1].
        on_fetch: called while the weights of a backbone are fetched.

    Raises:
        IrfuseError: an argument is wrong, or arguments do not fit each other. The message says what to do.
    """
    for what, given in (("methods", methods), ("protocols", protocols), ("metrics", metrics)):
        if isinstance(given, str):
            raise ParameterError(f"{what} must be a list of names, such as [{given!r}]")
    for what, named in (("functions", functions), ("fused", fused)):
        if not isinstance(named, Mapping):
            raise ParameterError(f"{what} must be a dict with names as keys, not {type(named).__name__}")
    for name, function in functions.items():
        if not callable(function):
            raise ParameterError(f"{name}: {type(function).__name__} is not a function of two images")
    _check_names([*methods, *functions, *fused])
    evaluators = {name: Evaluator(_metrics(metrics, name), name, thermal=thermal) for name in protocols}
    if not evaluators:
        raise ParameterError("protocols is empty; name at least one")
    pairs, remarks = _pairs(data)
    with notices.collected() as of_files:
        scenes, failures = _scenes(pairs)
    remarks += misregistration.remarks([(scene.name, scene.signs) for scene in scenes if scene.signs])
    smallest = min(scenes, key=lambda scene: min(scene.size))
    for evaluator in evaluators.values():
        with naming(smallest.name, ImageError):
            evaluator.check_side(min(smallest.size))
    external: list[Entry] = []
    for name, folder in fused.items():
        with notices.collected() as of_fused:
            found, remark, unreadable = _external(name, Path(folder), scenes)
        of_files += of_fused
        external.append(found)
        remarks += remark
        failures += unreadable
    remarks += notices.first_of_each(notices.about("", warning) for warning in of_files)
    entries: list[Entry] = [_method(spec, on_fetch) for spec in methods]
    for entry in entries:
        for verb, knows in (("trained", is_trained_on), ("validated", is_validated_on)):
            known = [scene.name for scene in scenes if knows(entry, scene)]
            if known:
                remarks.append(f"{entry.name} was {verb} on {len(known)} of the {len(scenes)} pairs: {_some(known)}")
    entries += (FunctionEntry(name, function) for name, function in functions.items())
    entries += external
    return Plan(
        data if isinstance(data, str) else str(data) if isinstance(data, Path) else f"{len(scenes)} pairs",
        scenes,
        tuple(entries),
        evaluators,
        tuple(remarks),
        tuple(failures),
    )


def external_folders(text: str) -> dict[str, Path]:
    """Read ``NAME=FOLDER``, or a folder, as folders of fused images by their names in tables.

    A folder without a name has its own name. If it contains only folders, each of them has its own name.

    Raises:
        PairError: the folder does not exist, or it is empty.
    """
    name, equals, place = ("", "", "") if Path(text).is_dir() else text.partition("=")
    folder = Path(place if equals else text)
    if not folder.is_dir() or (equals and not place):
        raise PairError(f"{text}: there is no folder {folder}; give NAME=FOLDER, or a folder of such folders")
    if equals:
        return {name.strip(): folder}
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if any(is_image(path) for path in paths):
        return {folder.resolve().name: folder}
    found = {path.name: path for path in paths if path.is_dir()}
    if not found:
        raise PairError(f"{folder}: the folder contains neither images nor folders of images")
    return found


def is_trained_on(entry: Entry, scene: Scene) -> bool:
    """Tell whether the weights of a method were trained on an image of a pair, as far as they list their images."""
    return isinstance(entry, MethodEntry) and bool(entry.trained_on & {scene.ir_sha256, scene.vis_sha256})


def is_validated_on(entry: Entry, scene: Scene) -> bool:
    """Tell whether the training of a method was validated on an image of a pair, as far as the weights list it."""
    return isinstance(entry, MethodEntry) and bool(entry.validated_on & {scene.ir_sha256, scene.vis_sha256})


def _metrics(metrics: Sequence[str] | None, protocol: str) -> Sequence[str] | None:
    """Choose the metrics of a protocol; None stands for all.

    By default, `canonical` computes only a common choice. Many of its metrics measure the same, so a rank over all of
    them would count some properties several times.
    """
    if metrics is None and protocol == CANONICAL.name:
        return COMMON_METRICS
    return None if metrics is not None and list(metrics) == ["all"] else metrics


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise ParameterError("nothing to compare; name methods, or folders of fused images")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ParameterError(f"two methods are named {' and '.join(twice)}; give each its own name")
    if any(not name.strip() for name in names):
        raise ParameterError("the name of a method is empty")


def _pairs(data: str | Path | Sequence[Pair]) -> tuple[tuple[Pair, ...], list[str]]:
    """Find the pairs, check that their names differ, and remark on files without a partner."""
    if isinstance(data, str | Path):
        pairing = datasets.pairs(str(data))
        pairs, remarks = pairing.pairs, [f"no partner: {path}" for path in pairing.unpaired]
    else:
        pairs, remarks = tuple(data), []
    names = [pair.name for pair in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PairError(f"two pairs are named {_some(twice)}; give each its own name, for example in a CSV manifest")
    if not pairs:
        raise PairError("there are no pairs to compare on")
    return pairs, remarks


def _scenes(pairs: Sequence[Pair]) -> tuple[tuple[Scene, ...], list[Failure]]:
    """Read all pairs, and list those that cannot be read or whose sizes differ."""
    scenes, failures = [], []
    for pair in pairs:
        try:
            scenes.append(_scene(pair))
        except (ImageError, PairError, MemoryError) as error:
            failures.append(Failure(EVERY_METHOD, pair.name, reason(error)))
    if not scenes:
        first = failures[0]
        raise PairError(f"none of the {len(pairs)} pairs can be read; the first: {first.pair}: {first.reason}")
    return tuple(scenes), failures


def _scene(pair: Pair) -> Scene:
    ir, vis = images.read(pair.ir), images.read(pair.vis, "visible")
    sizes.check_equal(ir.shape[:2], vis.shape[:2])
    size = (ir.shape[0], ir.shape[1])
    return Scene(pair, sha256(pair.ir), sha256(pair.vis), size, misregistration.measure_images(ir, vis))


def _external(name: str, folder: Path, scenes: Sequence[Scene]) -> tuple[ExternalEntry, list[str], list[Failure]]:
    if not folder.is_dir():
        raise PairError(f"{name}: there is no folder {folder}")
    matched = match_fused(folder, [scene.pair for scene in scenes])
    fused, failures = dict(matched.fused), []
    for scene in scenes:
        if scene.name not in matched.fused:
            continue
        path = matched.fused[scene.name]
        try:
            height, width = images.read(path, "picture").shape[:2]
        except (ImageError, MemoryError) as error:
            failures.append(Failure(name, scene.name, reason(error)))
            del fused[scene.name]
            continue
        if (height, width) != scene.size:
            raise PairError(
                f"{name}: {path} is {width}x{height}, but its pair is {scene.size[1]}x{scene.size[0]}; replace the "
                "image, or remove it"
            )
    if not matched.missing:
        return ExternalEntry(name, fused), [], failures
    remark = f"{name} lacks {len(matched.missing)} of {len(scenes)} images: {_some(matched.missing)}"
    return ExternalEntry(name, fused), [remark], failures


def _method(spec: str, on_fetch: Progress) -> MethodEntry:
    built = build(spec, on_fetch=on_fetch)
    count = sum(parameter.numel() for parameter in built.parameters())
    headers = _headers(spec)
    # A training may have started from weights that know further images.
    parts = [*headers, *(header.get("init", {}) for header in headers)]
    trained, validated = (
        frozenset(image["sha256"] for part in parts for image in part.get(role, []))
        for role in ("images", "validation")
    )
    return MethodEntry(spec, _digest(built, headers), code_digest(type(built)), count, trained, validated)


def _digest(network: nn.Module, headers: Sequence[dict[str, Any]]) -> str:
    """The SHA-256 of a network's whole state, and of the headers of its weights, which may hold switches."""
    digest = hashlib.sha256()
    for header in headers or [{}]:
        digest.update(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _headers(spec: str) -> list[dict[str, Any]]:
    """Read the headers of a spec's weights files."""
    name = find(Spec.parse(spec).name).info.name
    return [weights.header(weights.find(name, value)) for value in values(spec, File.WEIGHTS)]


def _some(names: Sequence[str]) -> str:
    """List a few names, and count the others."""
    more = f" and {len(names) - 5} more" if len(names) > 6 else ""
    return ", ".join(names[:5] if more else names) + more
