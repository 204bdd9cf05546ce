"""What is compared on which pairs by which metrics; all that can be wrong with it is found before the work starts."""

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from irfuse import datasets, weights
from irfuse.errors import ImageError, PairError, ParameterError
from irfuse.evaluation.evaluator import Evaluator
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.io import images
from irfuse.io.files import sha256
from irfuse.io.images import Array
from irfuse.io.pairs import Pair, match_fused
from irfuse.methods import Spec, build, find, parameters
from irfuse.progress import Progress

Function = Callable[[Array, Array], Array]
"""Fuses an infrared and a visible image as :func:`irfuse.io.images.read` returns them."""


@dataclass(frozen=True)
class Method:
    """A method of irfuse that is compared.

    Attributes:
        spec: which is its name in tables.
        digest: of its weights and of what their header says, in hexadecimal.
        parameters: how many numbers it has learnt.
        trained_on, validated_on: the SHA-256 of image files, as far as its weights name them.
    """

    spec: str
    digest: str
    parameters: int
    trained_on: frozenset[str]
    validated_on: frozenset[str]

    @property
    def name(self) -> str:
        return self.spec


@dataclass(frozen=True)
class Own:
    """A function that is compared. What it does is not known, so that it is called in each run."""

    name: str
    function: Function


@dataclass(frozen=True)
class Guest:
    """Fused images that another program made.

    Attributes:
        name: in tables.
        fused: the files by the pairs' names.
    """

    name: str
    fused: Mapping[str, Path]


Entrant = Method | Own | Guest


@dataclass(frozen=True)
class Scene:
    """A pair with what is known of its files.

    Attributes:
        pair: the files.
        ir_sha256, vis_sha256: of their content.
        size: (height, width), of both.
    """

    pair: Pair
    ir_sha256: str
    vis_sha256: str
    size: tuple[int, int]

    @property
    def name(self) -> str:
        return self.pair.name


@dataclass(frozen=True)
class Plan:
    """A benchmark that can start.

    Attributes:
        data: what the pairs are called.
        scenes: the pairs.
        entrants: what is compared.
        evaluators: by the protocols' names.
        remarks: what its user should know before it starts.
    """

    data: str
    scenes: tuple[Scene, ...]
    entrants: tuple[Entrant, ...]
    evaluators: Mapping[str, Evaluator]
    remarks: tuple[str, ...] = ()


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
    """Check everything.

    Args:
        data: a named set, a folder of pairs, a CSV manifest, or pairs.
        methods: specs.
        functions, fused: functions, and folders of fused images, by their names in tables.
        protocols: names.
        metrics: their names; None means all that a protocol has.
        thermal: how infrared values become [0, 1].
        on_fetch: told how far the fetching of a backbone's weights is.

    Raises:
        IrfuseError: one of these is wrong, or does not go with the others; the message says what to do.
    """
    for what, given in (("methods", methods), ("protocols", protocols), ("metrics", metrics)):
        if isinstance(given, str):
            raise ParameterError(f"{what}: a list of names is needed, such as [{given!r}]")
    for what, named in (("functions", functions), ("fused", fused)):
        if not isinstance(named, Mapping):
            raise ParameterError(f"{what}: a dict by names is needed, not {type(named).__name__}")
    for name, function in functions.items():
        if not callable(function):
            raise ParameterError(f"{name}: {type(function).__name__} is no function of two images")
    _check_names([*methods, *functions, *fused])
    evaluators = {name: Evaluator(metrics, name, thermal=thermal) for name in protocols}
    if not evaluators:
        raise ParameterError("no protocol is named")
    pairs, remarks = _pairs(data)
    scenes = tuple(_scene(pair) for pair in pairs)
    smallest = min(scenes, key=lambda scene: min(scene.size))
    for evaluator in evaluators.values():
        try:
            evaluator.check_side(min(smallest.size))
        except ImageError as error:
            raise ImageError(f"{smallest.name}: {error}") from None
    guests: list[Entrant] = []
    for name, folder in fused.items():
        guest, remark = _guest(name, Path(folder), scenes)
        guests.append(guest)
        remarks += remark
    entrants: list[Entrant] = [_method(spec, on_fetch) for spec in methods]
    for entrant in entrants:
        for verb, knows in (("trained", is_trained_on), ("validated", is_validated_on)):
            known = [scene.name for scene in scenes if knows(entrant, scene)]
            if known:
                remarks.append(f"{entrant.name} was {verb} on {len(known)} of the {len(scenes)} pairs: {_some(known)}")
    entrants += (Own(name, function) for name, function in functions.items())
    entrants += guests
    return Plan(
        data if isinstance(data, str) else str(data) if isinstance(data, Path) else f"{len(scenes)} pairs",
        scenes,
        tuple(entrants),
        evaluators,
        tuple(remarks),
    )


def guests(text: str) -> dict[str, Path]:
    """The folders of fused images that ``NAME=FOLDER`` means, or a folder alone, by their names in tables.

    A folder alone goes by its own name; if it holds no image but folders, each of these goes by its own.

    Raises:
        PairError: there is no such folder, or nothing in it.
    """
    name, equals, place = ("", "", "") if Path(text).is_dir() else text.partition("=")
    folder = Path(place if equals else text)
    if not folder.is_dir() or (equals and not place):
        raise PairError(f"{text}: there is no folder {folder}; give NAME=FOLDER, or a folder of such folders")
    if equals:
        return {name.strip(): folder}
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if any(images.is_image(path) for path in entries):
        return {folder.resolve().name: folder}
    found = {path.name: path for path in entries if path.is_dir()}
    if not found:
        raise PairError(f"{folder}: holds neither images nor folders of them")
    return found


def is_trained_on(entrant: Entrant, scene: Scene) -> bool:
    """Whether an image of a pair is one that the entrant's weights were trained on, as far as these say it."""
    return isinstance(entrant, Method) and bool(entrant.trained_on & {scene.ir_sha256, scene.vis_sha256})


def is_validated_on(entrant: Entrant, scene: Scene) -> bool:
    """Whether an image of a pair is one that the entrant's training was validated on, likewise."""
    return isinstance(entrant, Method) and bool(entrant.validated_on & {scene.ir_sha256, scene.vis_sha256})


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise ParameterError("nothing to compare: name methods, or folders of fused images")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ParameterError(f"two entrants are named {' and '.join(twice)}; give each its own name")
    if any(not name.strip() for name in names):
        raise ParameterError("the name of an entrant is empty")


def _pairs(data: str | Path | Sequence[Pair]) -> tuple[tuple[Pair, ...], list[str]]:
    """The pairs, whose names differ, and what has no partner."""
    if isinstance(data, str | Path):
        pairing = datasets.pairs(str(data))
        pairs, remarks = pairing.pairs, [f"no partner: {path}" for path in pairing.alone]
    else:
        pairs, remarks = tuple(data), []
    names = [pair.name for pair in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PairError(f"two pairs are named {_some(twice)}; give each its own name, in a CSV manifest say")
    if not pairs:
        raise PairError("there is no pair to compare on")
    return pairs, remarks


def _scene(pair: Pair) -> Scene:
    ir, vis = (images.read(path).shape[:2] for path in (pair.ir, pair.vis))
    if ir != vis:
        raise PairError(
            f"{pair.name}: the sizes differ: infrared {ir[1]}x{ir[0]}, visible {vis[1]}x{vis[0]}; register the pair "
            "first, or leave it out"
        )
    return Scene(pair, sha256(pair.ir), sha256(pair.vis), (ir[0], ir[1]))


def _guest(name: str, folder: Path, scenes: Sequence[Scene]) -> tuple[Guest, list[str]]:
    if not folder.is_dir():
        raise PairError(f"{name}: there is no folder {folder}")
    matched = match_fused(folder, [scene.pair for scene in scenes])
    for scene in scenes:
        if scene.name not in matched.fused:
            continue
        path = matched.fused[scene.name]
        height, width = images.read(path).shape[:2]
        if (height, width) != scene.size:
            raise PairError(
                f"{name}: {path} is of {width}x{height}, its pair of {scene.size[1]}x{scene.size[0]}; make it anew, "
                "or remove it to leave a hole"
            )
    if not matched.missing:
        return Guest(name, matched.fused), []
    remark = f"{name} lacks {len(matched.missing)} of {len(scenes)} images: {_some(matched.missing)}"
    return Guest(name, matched.fused), [remark]


def _method(spec: str, on_fetch: Progress) -> Method:
    built = build(spec, on_fetch=on_fetch)
    count = sum(parameter.numel() for parameter in built.parameters())
    header = _header(spec)
    trained, validated = (
        frozenset(image["sha256"] for image in header.get(role, [])) for role in ("images", "validation")
    )
    return Method(spec, _digest(built, header), count, trained, validated)


def _digest(network: nn.Module, header: dict[str, Any]) -> str:
    """The SHA-256 of all that a network holds, wherever it came from, and of the header, which may hold switches."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _header(spec: str) -> dict[str, Any]:
    """The header of a spec's weights; empty where the method has no such file."""
    parsed = Spec.parse(spec)
    method = find(parsed.name)
    if "weights" not in parameters(method):
        return {}
    default = inspect.signature(method.__init__).parameters["weights"].default
    return weights.header(weights.find(parsed.name, dict(parsed.parameters).get("weights", default)))


def _some(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 6 else ""
    return ", ".join(names[:5] if more else names) + more
