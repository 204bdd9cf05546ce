"""Print how much noise methods pass on: the change from frame to frame of M3SVD's clips, and flat noisy pairs.

    python scripts/noise.py METHOD ...

IRFUSE_DATA names the folder of the larger data. The change of a clip is the mean absolute difference of consecutive
frames, in gray levels; the noise of a flat pair is the standard deviation. Both are divided by that of the source that
has more.
"""

import argparse
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from compare import data_folder, read
from irfuse.fuser import Fuser
from irfuse.imaging.color import gray
from irfuse.imaging.planes import eight_bits, from_array
from irfuse.io.images import Array

CLIPS = ("0111_1716", "0115_1834")
LEVELS = ((0.3, 0.6), (0.6, 0.3), (0.5, 0.5))
"""Of the infrared and the visible image."""
NOISE = ((0.03, 0.01), (0.01, 0.03), (0.02, 0.02))
"""Standard deviations of the infrared's and the visible image's noise."""


def change(frames: Sequence[Array]) -> float:
    """The mean absolute difference of the lumas of consecutive frames."""
    values = [gray(eight_bits(from_array(frame, "visible"))[None]) for frame in frames]
    return float(np.mean([np.abs(after - before).mean() for before, after in pairwise(values)]))


def flat_pairs() -> dict[str, tuple[Array, Array]]:
    """Pairs of one gray level each, with noise."""
    random = np.random.default_rng(0)
    noise = random.standard_normal((2, 256, 256), np.float32)
    return {
        f"{ir_level}, {vis_level}; noise {ir_noise}, {vis_noise}": (
            (ir_level + ir_noise * noise[0]).clip(0, 1),
            (vis_level + vis_noise * noise[1]).clip(0, 1),
        )
        for ir_level, vis_level in LEVELS
        for ir_noise, vis_noise in NOISE
    }


def flat_noise(fuser: Fuser) -> dict[str, float]:
    """The noise of each fused flat pair, divided by that of the source that has more."""
    return {
        name: float(fuser(*pair).std()) / max(float(source.std()) for source in pair)
        for name, pair in flat_pairs().items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Print how much noise methods pass on.")
    parser.add_argument("methods", nargs="+", metavar="METHOD")
    specs = parser.parse_args().methods
    fusers = [Fuser(spec, engine="torch", precision="fp32") for spec in specs]
    print(f"| | {' | '.join(specs)} |")
    print(f"|---|{'---:|' * len(specs)}")
    for clip in CLIPS:
        pairs = list(read(data_folder() / "m3svd" / clip).values())
        larger = max(change([pair[source] for pair in pairs]) for source in (0, 1))
        ratios = " | ".join(f"{change([fuser(*pair) for pair in pairs]) / larger:.2f}" for fuser in fusers)
        print(f"| change of clip {clip} | {ratios} |", flush=True)
    flat = [flat_noise(fuser) for fuser in fusers]
    for name in flat_pairs():
        print(f"| flat pair {name} | {' | '.join(f'{ratios[name]:.2f}' for ratios in flat)} |")


if __name__ == "__main__":
    main()
