"""Measure automatic registration on pairs whose true registration is known, and print the table of docs/cameras.md.

    python perf/registration.py                    # about ten minutes
    python perf/registration.py starainj synthetic # only some sets, with a line for each pair

`IRFUSE_DATA` names the folder of the data. The truths are:

- `starainj`: landmarks, which come with the data.
- `synthetic`: the registered infrared image, found again in the warped one by SIFT and optical flow.
- `roadscene_raw`: the registered images of the same scenes, found again in both raw images by SIFT.
- `warps`: registered pairs, of which one image is cut, and the infrared image is turned and tilted.

The error of a pair is the median distance between where points are mapped to and where they belong, in pixels of the
visible image and relative to its diagonal. Times are those of one thread.
"""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from json import loads
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from commit import commit
from irfuse.imaging import planes
from irfuse.io import images, pairs
from irfuse.io.pair import Pair
from irfuse.registration import geometry
from irfuse.registration.automatic import Found, find, judged
from irfuse.registration.channels import View
from irfuse.registration.geometry import Matrix, Points, map_points
from irfuse.registration.registering import doubt_about, views
from irfuse.registration.search import Field

Gray = NDArray[np.uint8]

REGISTERED = {"msrs55": 7, "roadscene": 22, "tno21": 12, "vifb": 12}
"""How many registered pairs of each data set are warped."""
MISMATCHED = {"msrs55": 8, "roadscene": 11, "tno21": 6, "vifb": 6}
POINTS = 14
SEED = 20
NARROWEST, LARGEST_TURN, LARGEST_TILT, LEAST_SHARE = 0.55, 5.0, 0.06, 0.3


@dataclass(frozen=True)
class Case:
    """A pair, and points of both images that show the same."""

    name: str
    ir: Gray
    vis: Gray
    ir_points: Points
    vis_points: Points


@dataclass(frozen=True)
class Outcome:
    """What registration made of a pair.

    Attributes:
        pixels: the median error, in pixels of the visible image.
        percent: the same, in percent of its diagonal.
        seconds: of one thread.
    """

    name: str
    found: Found
    pixels: float
    percent: float
    seconds: float

    @property
    def accepted(self) -> bool:
        return not doubt_about(self.found)


def main() -> None:
    cv2.setNumThreads(1)
    data = Path(os.environ.get("IRFUSE_DATA") or sys.exit("IRFUSE_DATA must name the folder of the larger data"))
    wanted = sys.argv[1:]
    sets: dict[str, tuple[Callable[[Path], Iterator[Case]], str, Callable[[Outcome], bool]]] = {
        "starainj": (_starainj, "3 pixels", lambda outcome: outcome.pixels <= 3),
        "synthetic": (_synthetic, "0.6 %", lambda outcome: outcome.percent <= 0.6),
        "roadscene_raw": (_roadscene_raw, "1 %", lambda outcome: outcome.percent <= 1),
        "warps": (_warps, "2 %", lambda outcome: outcome.percent <= 2),
    }
    print(f"`python perf/registration.py`, {date.today()}, {platform.machine()}, one thread, commit {commit()}.\n")
    print("| pairs | right | of these accepted | wrong, but accepted | median error | seconds a pair |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, (cases, limit, is_right) in sets.items():
        if not wanted or name in wanted:
            _print_row(name, limit, [_outcome(case) for case in cases(data)], is_right, bool(wanted))
    if not wanted or "mismatched" in wanted:
        _print_mismatched([_outcome(case) for case in _mismatched(data)], bool(wanted))
    if not wanted or "msrs55" in wanted:
        _print_split(data)


def _outcome(case: Case) -> Outcome:
    ir, vis = _views(case.ir, case.vis)
    start = time.process_time()
    found = find(ir, vis, "homography", Field())
    seconds = time.process_time() - start
    if not len(case.ir_points):
        return Outcome(case.name, found, np.nan, np.nan, seconds)
    error = float(np.median(np.linalg.norm(map_points(found.matrix, case.ir_points) - case.vis_points, axis=1)))
    return Outcome(case.name, found, error, 100 * error / float(np.hypot(*vis.size)), seconds)


def _print_row(
    name: str, limit: str, outcomes: Sequence[Outcome], is_right: Callable[[Outcome], bool], each: bool
) -> None:
    right = [outcome for outcome in outcomes if is_right(outcome)]
    accepted = sum(outcome.accepted for outcome in right)
    wrong = sum(outcome.accepted for outcome in outcomes if not is_right(outcome))
    error = f"{np.median([outcome.pixels for outcome in outcomes]):.1f} pixels"
    seconds = np.mean([outcome.seconds for outcome in outcomes])
    count = f"{len(right)} of {len(outcomes)} within {limit}"
    print(f"| `{name}` | {count} | {accepted} | {wrong} | {error} | {seconds:.1f} |", flush=True)
    _print_each(outcomes if each else [])


def _print_mismatched(outcomes: Sequence[Outcome], each: bool) -> None:
    accepted = sum(outcome.accepted for outcome in outcomes)
    seconds = np.mean([outcome.seconds for outcome in outcomes])
    print(f"| `mismatched` | none of {len(outcomes)} | | {accepted} | | {seconds:.1f} |", flush=True)
    _print_each(outcomes if each else [])


def _print_each(outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        blocks = one.found.blocks
        print(
            f"    {one.name:34} {one.pixels:7.2f} px {one.percent:6.2f} % support {blocks.support:.2f} "
            f"of {len(blocks.weights):3} common {one.found.common:.2f} {'' if one.accepted else 'refused'}"
        )


def _print_split(data: Path) -> None:
    """Print how well the support of the identity tells the warped pairs of msrs55 from the registered ones."""
    support: dict[bool, list[float]] = {True: [], False: []}
    for pair in pairs.find(data / "msrs55").pairs:
        ir, vis = _read(pair)
        support[_is_warped(pair)].append(judged(*_views(ir, vis), np.eye(3)).blocks.support)
    warped, registered = (np.array(support[key]) for key in (True, False))
    # The threshold that errs least often.
    thresholds = np.unique([*warped, *registered])
    errors = [(warped >= limit).sum() + (registered < limit).sum() for limit in thresholds]
    best = thresholds[int(np.argmin(errors))]
    print(
        f"\n`msrs55` has {len(warped)} warped and {len(registered)} registered pairs. By the support of the identity, "
        f"{(warped < best).sum()} warped pairs lie below {best:.2f}, and {(registered >= best).sum()} registered ones "
        "do not."
    )


def _read(pair: Pair) -> tuple[Gray, Gray]:
    return _gray(pair.ir), _gray(pair.vis)


def _gray(path: Path) -> Gray:
    image = images.read(path)
    return np.asarray(image if image.ndim == 2 else cv2.cvtColor(image[..., :3], cv2.COLOR_RGB2GRAY), np.uint8)


def _views(ir: Gray, vis: Gray) -> tuple[View, View]:
    return views(planes.from_array(ir, "infrared"), planes.from_array(vis, "visible"))[0]


def _is_warped(pair: Pair) -> bool:
    """Whether a pair of `msrs55` was warped: 00001 to 00039, except the numbers that 4 divides."""
    number = int(pair.ir.stem[:5])
    return number < 40 and number % 4 != 0


def _starainj(data: Path) -> Iterator[Case]:
    for pair in pairs.match(data / "misaligned/starainj/ir", data / "misaligned/starainj/vis").pairs:
        truth = loads((data / f"misaligned/starainj/gt/{pair.ir.stem}.json").read_text(encoding="utf-8"))
        fixed, moving = (np.array(truth[key], float) for key in ("LMfix", "LMmov"))
        ir, vis = (moving, fixed) if truth["fix"] == "vis" else (fixed, moving)
        yield Case(pair.name, *_read(pair), ir, vis)


def _synthetic(data: Path) -> Iterator[Case]:
    for name in ("MSRS", "RoadScene"):
        folder = data / "misaligned/synthetic" / name
        for pair in pairs.match(folder / "ir", folder / "vis").pairs:
            ir, vis = _read(pair)
            registered = _gray(folder / "ir_registered" / pair.ir.name)
            matrix = _same_camera(registered, ir)
            # The warps are not only projective.
            unwarped = cv2.warpPerspective(ir, geometry.inverse(matrix), registered.shape[::-1])
            flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            moved = flow.calc(cv2.equalizeHist(registered), cv2.equalizeHist(unwarped), None)  # type: ignore[call-overload]
            points = _grid(registered, 0.05).round()
            shifts = moved[points[:, 1].astype(int), points[:, 0].astype(int)]
            yield Case(f"{name} {pair.name}", ir, vis, map_points(matrix, points + shifts), points)


def _roadscene_raw(data: Path) -> Iterator[Case]:
    registered = {pair.vis.stem: pair for pair in pairs.match(data / "roadscene/ir", data / "roadscene/vis").pairs}
    for pair in pairs.match(data / "roadscene_raw/ir", data / "roadscene_raw/vis").pairs:
        raw, truth = _read(pair), _read(registered[pair.vis.stem])
        points = _grid(truth[0], 0.05)
        ir, vis = (map_points(_same_camera(image, other), points) for image, other in zip(truth, raw, strict=True))
        yield Case(pair.name, *raw, ir, vis)


def _warps(data: Path) -> Iterator[Case]:
    random = np.random.default_rng(SEED)
    for name, count in REGISTERED.items():
        for pair in _spread(data, name, count, registered=True):
            yield _warped(f"{name} {pair.name}", *_read(pair), random)


def _mismatched(data: Path) -> Iterator[Case]:
    for name, count in MISMATCHED.items():
        found = pairs.find(data / name).pairs
        for pair in _spread(data, name, count, registered=False):
            other = found[(found.index(pair) + len(found) // 2) % len(found)]
            nothing = np.empty((0, 2))
            yield Case(f"{name} {pair.name} {other.name}", _gray(pair.ir), _gray(other.vis), nothing, nothing)


def _spread(data: Path, name: str, count: int, *, registered: bool) -> list[Pair]:
    found = pairs.find(data / name).pairs
    if name == "msrs55" and registered:
        found = [pair for pair in found if not _is_warped(pair)]
    return [found[round(at)] for at in np.linspace(0, len(found) - 1, count)]


def _warped(name: str, ir: Gray, vis: Gray, random: np.random.Generator) -> Case:
    """Cut one image of a registered pair, and turn and tilt the infrared one, so that they overlap enough."""
    height, width = vis.shape
    size = (height * max(320, width) // width, max(320, width))
    while True:
        shares = (float(random.uniform(NARROWEST, 1)), 1.0)
        ir_share, vis_share = shares if random.random() < 0.5 else shares[::-1]
        turn, tilt = random.uniform(-LARGEST_TURN, LARGEST_TURN), random.uniform(-LARGEST_TILT, LARGEST_TILT, 2)
        to_ir = _window(vis.shape, size, ir_share, float(turn), tilt, random)
        to_vis = _window(vis.shape, size, vis_share, 0.0, np.zeros(2), random)
        points = geometry.grid(size, POINTS)
        in_ir = map_points(to_ir @ geometry.inverse(to_vis), points)
        inside = ((in_ir >= 0) & (in_ir <= np.array(size[::-1]) - 1)).all(axis=1)
        if inside.mean() > LEAST_SHARE:
            cut = [
                np.asarray(cv2.warpPerspective(image, matrix, size[::-1], flags=cv2.INTER_LINEAR), np.uint8)
                for image, matrix in ((ir, to_ir), (vis, to_vis))
            ]
            return Case(name, cut[0], cut[1], in_ir[inside], points[inside])


def _window(
    shape: geometry.Size,
    size: geometry.Size,
    share: float,
    turn: float,
    tilt: NDArray[np.float64],
    random: np.random.Generator,
) -> Matrix:
    """Make the matrix of a scene to a camera that sees a share of its width, somewhere in it."""
    height, width = shape
    middle = np.array([width, height]) * random.uniform(share / 2, 1 - share / 2, 2)
    scale, angle = size[1] / (share * width), np.radians(turn)
    to_middle = np.array([[1, 0, -middle[0]], [0, 1, -middle[1]], [0, 0, 1]])
    turned = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear, tilted, back = np.eye(3), np.eye(3), np.eye(3)
    linear[:2, :2] = turned
    tilted[2, :2] = tilt / np.array(size[::-1])
    back[:2, 2] = np.array(size[::-1]) / 2
    return np.asarray(back @ tilted @ linear @ to_middle)


def _same_camera(image: Gray, other: Gray) -> Matrix:
    """Find one image of a camera in another one by SIFT, as a matrix."""
    equalize = cv2.createCLAHE(6, (8, 8)).apply
    found = [cv2.SIFT.create(8000).detectAndCompute(equalize(one), None) for one in (image, other)]  # type: ignore[call-overload]
    (keys, descriptors), (other_keys, other_descriptors) = found
    matches = cv2.BFMatcher().knnMatch(descriptors, other_descriptors, k=2)
    good = [first for first, second in matches if first.distance < 0.8 * second.distance]
    source = np.array([keys[match.queryIdx].pt for match in good])
    target = np.array([other_keys[match.trainIdx].pt for match in good])
    matrix, _ = cv2.findHomography(source, target, cv2.USAC_MAGSAC, 2.0, maxIters=20000, confidence=0.9999)
    return np.asarray(matrix, np.float64)


def _grid(image: Gray, margin: float) -> Points:
    height, width = image.shape
    x, y = (np.linspace(side * margin, side * (1 - margin) - 1, POINTS) for side in (width, height))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


if __name__ == "__main__":
    main()
