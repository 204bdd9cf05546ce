"""Compare readings and settings of `nst` on validation pairs of RoadScene and MSRS, and print a Markdown table.

python scripts/ablation_nst.py

The data lie in the folder that IRFUSE_DATA names. TNO is not looked at: it is the test set.
"""

import os
import sys
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from irfuse.device import cores
from irfuse.evaluation.batch import Triple, run
from irfuse.evaluation.evaluator import Evaluator
from irfuse.imaging.color import luma
from irfuse.io import images, pairs
from irfuse.methods import nst
from irfuse.methods.nst import NST

SIDE = 256
METRICS = ["qabf", "qw", "ff", "sf", "nabf", "ssim_a", "scd", "vif"]
SETTINGS = {
    "`energy`, stride 1 (default)": NST(),
    "20 steps": NST(iterations=20, tolerance=0),
    "60 steps": NST(iterations=60, tolerance=0),
    "400 steps": NST(iterations=400, tolerance=0),
    "learning rate 0.003": NST(learning_rate=0.003),
    "learning rate 0.03": NST(learning_rate=0.03),
    "`magnitude`": NST(reading="magnitude"),
    "`energy`, stride 2": NST(stride=2),
    "`energy`, stride 2, 400 steps": NST(stride=2, iterations=400, tolerance=0),
    "`magnitude`, stride 2": NST(stride=2, reading="magnitude"),
    "`literal`, stride 2": NST(reading="literal", stride=2),
    "`literal`, stride 2, 400 steps": NST(reading="literal", stride=2, iterations=400, tolerance=0),
    "`literal`, stride 1": NST(reading="literal"),
}
CONSTANTS: dict[str, dict[str, float]] = {
    "the energy, not its square": {"_SHARPNESS": 1},
    "the one source of more energy": {"_SHARPNESS": 64},
    "no floor": {"_FLOOR": 0},
    "floor 10": {"_FLOOR": 10},
    "floor 250": {"_FLOOR": 250},
    "energy of one place": {"_AROUND": 1},
    "energy over 15x15 places": {"_AROUND": 15},
    "contrast over 255x255 pixels": {"_CONTRAST": 255},
}
"""What the default's own constants do, each changed alone."""


def grey(path: Path) -> NDArray[np.uint8]:
    image = images.read(path).astype(np.float64)
    image = luma(*np.moveaxis(image[..., :3], 2, 0)) if image.ndim == 3 else image
    return np.asarray(cv2.resize(np.rint(image).astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def batch(stack: list[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(stack)[:, None] / np.float32(255))


def main() -> None:
    data = Path(os.environ.get("IRFUSE_DATA") or sys.exit("IRFUSE_DATA must name the folder of the larger data"))
    chosen = (*pairs.find(data / "roadscene").pairs[::18], *pairs.find(data / "msrs55").pairs[::7])
    irs, viss = [grey(pair.ir) for pair in chosen], [grey(pair.vis) for pair in chosen]
    print(f"{len(chosen)} pairs at {SIDE}x{SIDE}: {', '.join(pair.name for pair in chosen)}\n")
    print(
        "| setting | steps | "
        + " | ".join(f"`{name}`" for name in METRICS)
        + " |\n"
        + "|---" * (len(METRICS) + 2)
        + "|"
    )
    for setting in ["mean of both", *SETTINGS, *CONSTANTS]:
        if setting == "mean of both":
            fused, steps = (batch(irs) + batch(viss)) / 2, 0.0
        else:
            with mock.patch.dict(vars(nst), CONSTANTS.get(setting, {})):
                fused, losses = SETTINGS.get(setting, NST()).solve(batch(irs), batch(viss))
            steps = float((~losses.isnan()).sum(dim=0).float().mean())
        results = [np.rint(image.numpy() * 255).astype(np.uint8) for image in fused[:, 0]]
        triples = [Triple(str(k), *triple) for k, triple in enumerate(zip(results, irs, viss, strict=True))]
        scores = [outcome.scores for outcome in run(triples, Evaluator(METRICS), jobs=cores())]
        means = " | ".join(f"{np.mean([score[name] for score in scores]):.4f}" for name in METRICS)
        print(f"| {setting} | {steps:.0f} | {means} |", flush=True)


if __name__ == "__main__":
    main()
