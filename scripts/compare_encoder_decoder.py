"""Compare `encoder-decoder` with the paper's table on TNO, and print Markdown. The test set: run it once.

python scripts/compare_encoder_decoder.py [PICTURES]      also lays results side by side in the folder PICTURES

IRFUSE_DATA names the folder of the larger data.
"""

import csv
import os
import sys
from pathlib import Path

import numpy as np

from irfuse.device import cores
from irfuse.evaluation.batch import Triple, run
from irfuse.evaluation.evaluator import Evaluator
from irfuse.fuser import Fuser
from irfuse.imaging import sheet
from irfuse.io import images, pairs

SPECS = ["encoder-decoder", "res2netfuse", "average"]
READINGS = [
    ("qw", "ataman"),
    ("qw", "canonical"),
    ("qw_edge", "canonical"),
    ("qw", "liu"),
    ("qe", "liu"),
    ("qabf", "canonical"),
    ("ssim_a", "canonical"),
    ("scd", "canonical"),
]
VIFB = ("carWhite", "fight", "labMan")


def main() -> None:
    data = Path(os.environ.get("IRFUSE_DATA") or sys.exit("IRFUSE_DATA must name the folder of the larger data"))
    tno = pairs.find(data / "tno21").pairs
    sources = {pair.name: (images.read(pair.ir), images.read(pair.vis)) for pair in tno}
    with (data.parent / "papers.csv").open() as file:
        table = [row for row in csv.DictReader(file) if row["method"] == "encoder-decoder"]
    printed = {(row["row"], row["metric"]): row["value"] for row in table}
    print("| the paper's table | Qw | Qe | Qe*Qw |\n|---|---:|---:|---:|")
    for name in dict.fromkeys(row["row"] for row in table):
        print(f"| {name} | " + " | ".join(printed[name, metric] for metric in ("Qw", "Qe", "Qe*Qw")) + " |")
    columns = [f"{metric} (`{protocol}`)" for metric, protocol in READINGS]
    print(f"\n| irfuse, {len(tno)} pairs | {' | '.join(columns)} | product |\n|---|" + "---:|" * (len(columns) + 1))
    for spec in SPECS:
        fuser = Fuser(spec, engine="torch", precision="fp32")
        triples = [Triple(name, fuser(*pair), *pair) for name, pair in sources.items()]
        means = {}
        for protocol in dict.fromkeys(protocol for _, protocol in READINGS):
            metrics = [metric for metric, of in READINGS if of == protocol]
            scores = [outcome.scores for outcome in run(triples, Evaluator(metrics, protocol), jobs=cores())]
            means |= {(metric, protocol): np.mean([score[metric] for score in scores]) for metric in metrics}
        product = means["qw", "canonical"] * means["qw_edge", "canonical"]
        print(f"| `{spec}` | {' | '.join(f'{means[key]:.4f}' for key in READINGS)} | {product:.4f} |", flush=True)
    if len(sys.argv) > 1:
        chosen = [pair for pair in pairs.find(data / "vifb").pairs if pair.name in VIFB]
        rows = [[images.read(pair.ir), images.read(pair.vis)] for pair in chosen]
        rows = [[*row, *(Fuser(spec, engine="torch", precision="fp32")(*row) for spec in SPECS)] for row in rows]
        images.write(Path(sys.argv[1]) / "encoder-decoder.jpg", sheet.comparison(rows, ["infrared", "visible", *SPECS]))


if __name__ == "__main__":
    main()
