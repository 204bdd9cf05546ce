"""Compare readings and settings of `nst` on validation pairs of RoadScene and MSRS, and print a Markdown table.

python scripts/ablation_nst.py

The data lie in the folder that IRFUSE_DATA names. TNO is not looked at: it is the test set.
"""

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from irfuse import images, pairs
from irfuse.color import luma
from irfuse.evaluation import Evaluator
from irfuse.methods.nst import NST
from irfuse.scoring import Triple, cores, run

SIDE = 256
METRICS = ["qabf", "qw", "ff", "sf", "nabf", "ssim_a", "scd", "vif"]
SETTINGS = {
    "energy, stride 1 (default)": NST(),
    "energy, 20 steps": NST(iterations=20, tolerance=0),
    "energy, 60 steps": NST(iterations=60, tolerance=0),
    "energy, 200 steps": NST(iterations=200, tolerance=0),
    "energy, rate 0.003": NST(learning_rate=0.003),
    "energy, rate 0.03": NST(learning_rate=0.03),
    "magnitude, stride 1": NST(reading="magnitude"),
    "energy, stride 2": NST(stride=2),
    "energy, stride 2, 200 steps": NST(stride=2, iterations=200, tolerance=0),
    "magnitude, stride 2": NST(stride=2, reading="magnitude"),
    "literal, stride 2": NST(reading="literal", stride=2),
    "literal, stride 2, 200 steps": NST(reading="literal", stride=2, iterations=200, tolerance=0),
    "literal, stride 1": NST(reading="literal"),
}


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
    for setting, method in {"mean of both": None, **SETTINGS}.items():
        if method is None:
            fused, steps = (batch(irs) + batch(viss)) / 2, 0.0
        else:
            fused, losses = method.solve(batch(irs), batch(viss))
            steps = float((~losses.isnan()).sum(dim=0).float().mean())
        results = [np.rint(image.numpy() * 255).astype(np.uint8) for image in fused[:, 0]]
        triples = [Triple(str(k), *triple) for k, triple in enumerate(zip(results, irs, viss, strict=True))]
        scores = [outcome.scores for outcome in run(triples, Evaluator(METRICS), jobs=cores())]
        means = " | ".join(f"{np.mean([score[name] for score in scores]):.4f}" for name in METRICS)
        print(f"| {setting} | {steps:.0f} | {means} |", flush=True)


if __name__ == "__main__":
    main()
