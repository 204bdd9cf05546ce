"""Compare `nst` with the paper's table on TNO at 256x256, and print Markdown. The test set: run it once.

python scripts/compare_nst.py [PICTURES]      also lays results side by side in the folder PICTURES

IRFUSE_DATA names the folder of the larger data.
"""

import csv
import os
import sys
from pathlib import Path

import cv2
import numpy as np

from irfuse.device import cores
from irfuse.evaluation.batch import Triple, run
from irfuse.evaluation.evaluator import Evaluator
from irfuse.fuser import Fuser
from irfuse.imaging import sheet
from irfuse.io import images

NAMES = [f"{number:02d}" for number in range(1, 22)]
SPECS = ["nst", "nst:reading=magnitude", "nst:stride=2", "nst:reading=literal,stride=2"]
PAPER_METRICS = {
    "Qabf": ("qabf", "canonical"),
    "Qcb": ("qcb", "liu"),
    "Qw": ("qw", "liu"),
    "Q": ("q", "liu"),
    "Qe": ("qe", "liu"),
    "FF": ("ff", "canonical"),
    "H": ("en", "canonical"),
    "MG": ("mg", "canonical"),
    "SD": ("sd", "canonical"),
    "SF": ("sf", "canonical"),
    "": ("qw", "canonical"),
}
SIZE = (256, 256)
SHOWN = ("01", "12", "13", "15", "16")


def main() -> None:
    data = Path(os.environ.get("IRFUSE_DATA") or sys.exit("IRFUSE_DATA must name the folder of the larger data"))
    pairs = {
        name: [
            np.asarray(
                cv2.resize(images.read(data / "tno21" / role / f"{name}.png"), SIZE, interpolation=cv2.INTER_AREA)
            )
            for role in ("ir", "vis")
        ]
        for name in NAMES
    }
    with (data.parent / "papers.csv").open() as file:
        table = [row for row in csv.DictReader(file) if row["method"] == "nst" and row["row"] == "proposed"]
    printed = {row["metric"]: row["value"] for row in table}
    columns = [f"{symbol or 'Q_W'} (`{protocol}`)" for symbol, (_, protocol) in PAPER_METRICS.items()]
    print("| |" + "".join(f" {column} |" for column in columns) + "\n|---|" + "---:|" * len(columns))
    print("| paper, ten pairs that it does not name |" + "".join(f" {printed.get(s, '')} |" for s in PAPER_METRICS))
    shown = [list(pairs[name]) for name in SHOWN]
    for spec in SPECS:
        fuser = Fuser(spec, engine="torch", precision="fp32")
        fused = {name: fuser(*pairs[name]) for name in NAMES}
        triples = [Triple(name, fused[name], *pairs[name]) for name in NAMES]
        scores = {}
        for protocol in ("canonical", "liu"):
            metrics = [metric for metric, of in PAPER_METRICS.values() if of == protocol]
            outcomes = [outcome.scores for outcome in run(triples, Evaluator(metrics, protocol), jobs=cores())]
            scores |= {(m, protocol): np.mean([outcome[m] for outcome in outcomes]) for m in metrics}
        print(
            f"| `{spec}`, 21 pairs |" + "".join(f" {scores[key]:.4f} |" for key in PAPER_METRICS.values()), flush=True
        )
        for row, name in zip(shown, SHOWN, strict=True):
            row.append(fused[name])
    if len(sys.argv) > 1:
        picture = sheet.comparison(shown, ["infrared", "visible", *SPECS], width=256)
        images.write(Path(sys.argv[1]) / "nst.jpg", picture)


if __name__ == "__main__":
    main()
