"""Print how steady fused clips are, for methods and for ways to hold the thermal levels.

    python scripts/flicker.py METHOD ...

`IRFUSE_DATA` names the folder of the data. The clips are those of M3SVD in it. Their infrared frames have 8 bits, so
they are turned into raw counts of a camera: with noise, whose seed is fixed, and with a hot object that passes through
the scene for a while. The levels of such counts are what flickers. The scores see the infrared clip at fixed levels.

The controls are the sources themselves, and the frames of the first method at fixed levels with every second one 3 %
brighter.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irfuse.evaluation.video import ClipScores, VideoEvaluator
from irfuse.fuser import Fuser
from irfuse.imaging.levels import DEFAULT_THERMAL, Levels
from irfuse.io import images

CLIPS = ("0111_1716", "0115_1834")
METRICS = ("warp_error", "warp_ratio", "level_jump", "biswe_dis", "ms2r_dis", "flowd_dis")
OFFSET, GAIN, NOISE = 21_000, 8, 6
"""The counts of black, the counts of a gray level, and the standard deviation of the noise in counts."""
BRIGHTER = 1.03

Image = NDArray[np.uint8]
Counts = NDArray[np.uint16]


@dataclass(frozen=True)
class Clip:
    """The frames of a clip: infrared counts, and visible images."""

    name: str
    ir: list[Counts]
    vis: list[Image]


@dataclass(frozen=True)
class Policy:
    """A way to hold levels: its name, and the levels of each frame of a clip."""

    name: str
    levels: Callable[[Sequence[Counts]], list[Levels]]


def per_frame(frames: Sequence[Counts]) -> list[Levels]:
    return [DEFAULT_THERMAL.levels(frame) for frame in frames]


def fixed(frames: Sequence[Counts]) -> list[Levels]:
    return [Levels(OFFSET, OFFSET + 255 * GAIN)] * len(frames)


POLICIES = (Policy("frame", per_frame), Policy("fixed", fixed))


def main() -> None:
    methods = sys.argv[1:] or sys.exit("usage: python scripts/flicker.py METHOD ...")
    data = Path(os.environ.get("IRFUSE_DATA") or sys.exit("IRFUSE_DATA must name the folder of the larger data"))
    for clip in (read(data / "m3svd" / name) for name in CLIPS):
        print(f"\n{clip.name}\n")
        print("| frames | levels |", " | ".join(f"`{name}`" for name in METRICS), "| highest jump |")
        print("|---|---|" + "---:|" * (len(METRICS) + 1))
        for name, source in (("the visible clip", clip.vis), ("the infrared clip", on_fixed_levels(clip.ir))):
            print_row(name, "", score(source, clip))
        for method in methods:
            fuser = Fuser(method, device="cpu")
            for policy in POLICIES:
                frames = list(fuse(fuser, clip, policy))
                print_row(f"`{method}`", policy.name, score(frames, clip))
            if method == methods[0]:
                # The last policy is that of fixed levels.
                print_row(f"`{method}`, every second frame 3 % brighter", policy.name, score(brightened(frames), clip))


def read(folder: Path) -> Clip:
    rng = np.random.default_rng(0)
    ir, vis = ([images.read(path) for path in sorted((folder / role).iterdir())] for role in ("ir", "vis"))
    counts = []
    for t, image in enumerate(ir):
        frame = OFFSET + GAIN * image[..., 0].astype(np.float64) + rng.normal(0, NOISE, image.shape[:2])
        if len(ir) * 3 // 10 <= t < len(ir) * 7 // 10:
            # The hot object, which warms up while it passes.
            frame[200:240, 40 + 12 * t : 80 + 12 * t] = OFFSET + 3500 + 20 * t
        counts.append(frame.astype(np.uint16))
    return Clip(folder.name, counts, vis)


def fuse(fuser: Fuser, clip: Clip, policy: Policy) -> Iterator[Image]:
    levels = policy.levels(clip.ir)
    scaled = (one.apply(ir.astype(np.float32)) for one, ir in zip(levels, clip.ir, strict=True))
    return fuser.stream(zip(scaled, clip.vis, strict=True))


def score(fused: Sequence[Image], clip: Clip) -> ClipScores:
    evaluator = VideoEvaluator(METRICS)
    triples = zip(fused, on_fixed_levels(clip.ir), clip.vis, strict=True)
    return evaluator.score(evaluator.frame(*triple) for triple in triples)


def on_fixed_levels(ir: Sequence[Counts]) -> list[Image]:
    """Scale counts by levels that hold for the whole clip, as the scores see them."""
    unit = [one.apply(frame.astype(np.float32)) for one, frame in zip(fixed(ir), ir, strict=True)]
    return [np.rint(255 * frame).astype(np.uint8) for frame in unit]


def brightened(frames: Sequence[Image]) -> list[Image]:
    """Make every second frame brighter."""
    bright = [np.rint(np.clip(frame * BRIGHTER, 0, 255)).astype(np.uint8) for frame in frames]
    return [bright[t] if t % 2 else frame for t, frame in enumerate(frames)]


def print_row(name: str, levels: str, scores: ClipScores) -> None:
    highest = np.nanmax([row["level_jump"] for row in scores.frames])
    print(f"| {name} | {levels} |", " | ".join(f"{scores.clip[name]:.3f}" for name in METRICS), f"| {highest:.2f} |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
