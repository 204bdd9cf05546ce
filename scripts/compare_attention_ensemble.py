"""Compare `attention-ensemble` with the paper's table on TNO, and print Markdown. The test set: run it once.

python scripts/compare_attention_ensemble.py NAME=WEIGHTS ...     compares weights files instead, of the ablations say
python scripts/compare_attention_ensemble.py PICTURES             lays results side by side in that folder instead

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
from irfuse.metrics.protocols import PROTOCOLS

SPECS = {
    "attention-ensemble": "attention-ensemble",
    "encoder-decoder": "encoder-decoder",
    "res2netfuse": "res2netfuse",
    "average": "average",
}
METRICS = ("mi", "cc", "viff", "vif", "qabf", "scd", "ssim_a", "ssim")
"""The paper's six; its VIF is `viff`, and it does not say what its SSIM is."""
SHOWN = {"tno21": ("06", "17"), "vifb": ("carWhite", "fight", "labMan")}
PAPER = ("MI", "CC", "VIF", "Qabf", "SCD", "SSIM")


def print_paper(papers: Path) -> None:
    with papers.open() as file:
        table = [r for r in csv.DictReader(file) if (r["method"], r["table"]) == ("attention-ensemble", "Table 2")]
    rows = list(dict.fromkeys(r["row"] for r in table))
    printed = {(r["row"], r["metric"]): r["value"] for r in table}
    print(f"| the paper's Table 2 | {' | '.join(rows)} |\n|---|{'---:|' * len(rows)}")
    for metric in PAPER:
        print(f"| {metric} | {' | '.join(printed[row, metric] for row in rows)} |")


def write_pictures(data: Path, folder: Path) -> None:
    fusers = [Fuser(spec, engine="torch", precision="fp32") for spec in SPECS.values()]
    rows = []
    for data_set, names in SHOWN.items():
        for pair in (pair for pair in pairs.find(data / data_set).pairs if pair.name in names):
            ir, vis = images.read(pair.ir), images.read(pair.vis)
            rows.append([ir, vis, *(fuser(ir, vis) for fuser in fusers)])
    images.write(folder / "attention-ensemble.jpg", sheet.comparison(rows, ["infrared", "visible", *SPECS], 320))


def main() -> None:
    data = Path(os.environ.get("IRFUSE_DATA") or sys.exit("IRFUSE_DATA must name the folder of the larger data"))
    if sys.argv[1:] and "=" not in sys.argv[1]:
        write_pictures(data, Path(sys.argv[1]))
        return
    print_paper(data.parent / "papers.csv")
    tno = pairs.find(data / "tno21").pairs
    sources = {pair.name: (images.read(pair.ir), images.read(pair.vis)) for pair in tno}
    compared = dict(argument.split("=", 1) for argument in sys.argv[1:])
    specs = {name: f"attention-ensemble:weights={file}" for name, file in compared.items()} or SPECS
    means: dict[tuple[str, str], list[float]] = {}
    for spec in specs.values():
        fuser = Fuser(spec, engine="torch", precision="fp32")
        triples = [Triple(name, fuser(*pair), *pair) for name, pair in sources.items()]
        for protocol in PROTOCOLS:
            metrics = [metric for metric in METRICS if metric in protocol.readings]
            if not metrics:
                continue
            scores = [outcome.scores for outcome in run(triples, Evaluator(metrics, protocol.name), jobs=cores())]
            for metric in metrics:
                means.setdefault((metric, protocol.name), []).append(float(np.mean([s[metric] for s in scores])))
    print(f"\n| irfuse, {len(tno)} pairs | {' | '.join(specs)} |\n|---|{'---:|' * len(specs)}")
    for (metric, protocol_name), values in sorted(means.items(), key=lambda item: METRICS.index(item[0][0])):
        print(f"| {metric} (`{protocol_name}`) | {' | '.join(f'{value:.4f}' for value in values)} |")


if __name__ == "__main__":
    main()
