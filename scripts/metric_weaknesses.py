"""Measure what each metric rewards wrongly, and print Markdown.

    python scripts/metric_weaknesses.py > docs/metrics/weaknesses.md

The table holds the scores of an average fusion, of the same spoiled in several ways, and of copied sources: means over
the TNO pairs 01 to 20 of IRFUSE_DATA/tno21, protocol `canonical`.
"""

import os
import platform
import warnings
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from irfuse.errors import UndefinedScoreWarning
from irfuse.evaluation.evaluator import Evaluator
from irfuse.io import images
from irfuse.metrics import METRICS, MetricInfo

TEXT = """# What the metrics reward wrongly

Means over {pairs} TNO pairs (01 to 20), protocol `canonical`, rounded to 9 decimals. Written by
`OMP_NUM_THREADS=1 python scripts/metric_weaknesses.py` on {day} ({machine}, one thread,
PyTorch {torch}).

- **average**: half of the infrared and half of the visible image.
- **noise**: the average with Gaussian noise of 10 grey levels (standard deviation), seed 0.
- **sharpened**: the average plus its difference from its blur (Gaussian, sigma 2), an unsharp mask of amount 1.
- **negative**: 255 less the average.
- **flat**: the grey level 128 everywhere.
- **ir**, **vis**: the infrared or the visible image itself, as if it were the fused one.

A score in **bold** is better than the average fusion's in the metric's own direction; of `qsf`, the one whose mean is
nearer to 0. The small figure behind it is the number of pairs where it is better. A dash: undefined, since the fused
image equals a source or is constant. A metric that is undefined on some pairs is averaged over the others; their number
stands behind its name.

| metric | | average | noise | sharpened | negative | flat | ir | vis |
|---|---|---|---|---|---|---|---|---|"""


def versions(ir: NDArray[np.uint8], vis: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    average, flat = (ir / 2 + vis / 2).round(), np.full(ir.shape, 128)
    noisy = average + np.random.default_rng(0).normal(0, 10, average.shape)
    sharpened = 2 * average - cv2.GaussianBlur(average, (0, 0), 2)
    fused = (average, noisy, sharpened, 255 - average, flat, ir, vis)
    return [image.round().clip(0, 255).astype(np.uint8) for image in fused]


def loss(metric: MetricInfo, score: NDArray[np.float64]) -> NDArray[np.float64]:
    return {"higher": -score, "lower": score, "zero": np.abs(score)}[metric.direction]


def row(metric: MetricInfo, scores: NDArray[np.float64]) -> str:
    """A line of the table, from scores of shape (pairs, versions)."""
    # On a few pairs, the score of a constant image may be defined only by a rounding error.
    possible = np.isfinite(scores).mean(axis=0) > 0.5
    scores = np.where(possible, scores.round(9) + 0, np.nan)
    defined = np.isfinite(scores[:, possible]).all(axis=1)
    means, losses = scores[defined].mean(axis=0), loss(metric, scores[defined])
    better = loss(metric, means) < loss(metric, means[0])
    wins = (losses < losses[:, :1]).sum(axis=0)
    name = f"`{metric.name}`" if defined.all() else f"`{metric.name}` ({defined.sum()} pairs)"
    cells = [f"| {name} | {metric.arrow} | {means[0]:.4g} "]
    for mean, bold, count in zip(means[1:], better[1:], wins[1:], strict=True):
        text = f"**{mean:.4g}**" if bold else f"{mean:.4g}"
        cells.append("| — " if np.isnan(mean) else f"| {text} <sub>{count}</sub> ")
    return "".join(cells) + "|"


def main() -> None:
    warnings.simplefilter("ignore", UndefinedScoreWarning)
    folder = Path(os.environ["IRFUSE_DATA"]) / "tno21"
    names = [f"{number:02d}.png" for number in range(1, 21)]
    pairs = [[images.read(folder / kind / name) for kind in ("ir", "vis")] for name in names]
    evaluator = Evaluator()
    scores = []
    for ir, vis in pairs:
        sources = evaluator.sources(ir, vis)
        scores.append([list(sources.score(fused).values()) for fused in versions(ir, vis)])
    machine = f"{platform.machine()}, {os.cpu_count()} CPU cores"
    print(TEXT.format(pairs=len(pairs), day=date.today(), machine=machine, torch=torch.__version__))
    table = dict(zip(evaluator.metrics, np.moveaxis(np.array(scores), 2, 0), strict=True))
    for metric in METRICS:
        print(row(metric, table[metric.name]))


if __name__ == "__main__":
    main()
