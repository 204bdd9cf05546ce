"""Compare `resnet152` with the paper and with the authors' own results on TNO, and print Markdown.

python scripts/compare_resnet152.py [PICTURES]      also shows the weights as pictures in the folder PICTURES

IRFUSE_DATA names the folder of the larger data, and IRFUSE_WEIGHTS that of ResNet-50's weights: the page's figures are
those of resnet50_msra_bgr255.safetensors, layout `msra`.
"""

import csv
import os
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from irfuse import backbones
from irfuse.backbones.resnet import ResNet
from irfuse.device import cores
from irfuse.evaluation.batch import Triple, run
from irfuse.evaluation.evaluator import Evaluator
from irfuse.fuser import Fuser
from irfuse.imaging import sheet
from irfuse.io import images
from irfuse.methods import resnet152
from irfuse.methods.resnet152 import ResNet152

NAMES = [f"{number:02d}" for number in range(1, 22)]
OF_THE_PAPER = {"a": "01", "b": "12", "c": "13", "d": "16", "e": "08"}
AUTHORS = "authors' own run"
PAPER_METRICS = {
    "FMI_pixel": "fmi_edge",
    "FMI_dct": "fmi_dct",
    "FMI_w": "fmi_wavelet",
    "Nabf": "nabf",
    "SSIM": "ssim",
}
METRICS = ["qabf", "fmi_edge", "fmi_dct", "fmi_wavelet", "nabf", "scd", "ssim_a", "ms_ssim", "ssim"]
VARIANTS = {variant: f"resnet152:variant={variant},backbone=resnet50" for variant in ("paper", "code")}


def main() -> None:
    data = Path(os.environ.get("IRFUSE_DATA") or sys.exit("IRFUSE_DATA must name the folder of the larger data"))
    pairs = {name: [images.read(data / "tno21" / role / f"{name}.png") for role in ("ir", "vis")] for name in NAMES}
    fused = {AUTHORS: {name: images.read(data / "resnet152_authors" / f"{name}.png") for name in NAMES}}
    for variant, spec in VARIANTS.items():
        fuser = Fuser(spec, engine="torch", precision="fp32")
        fused[f"`variant={variant}`"] = {name: fuser(*pairs[name]) for name in NAMES}
        print(f"`variant={variant}` has ResNet-50's weights of layout `{fuser.method.network.layout}`.\n")
    scores = {}
    for who, results in fused.items():
        triples = [Triple(name, results[name], *pairs[name]) for name in NAMES]
        scores[who] = {outcome.name: outcome.scores for outcome in run(triples, Evaluator(METRICS, "li"), jobs=cores())}

    print("| mean over 21 pairs, `li` | PSNR to the authors' |" + "".join(f" `{metric}` |" for metric in METRICS))
    print("|---|" + "---:|" * (1 + len(METRICS)))
    for who, rows in scores.items():
        closeness = "" if who == AUTHORS else likeness(fused[who], fused[AUTHORS])
        means = (np.mean([row[metric] for row in rows.values()]) for metric in METRICS)
        print(f"| {who} | {closeness} |" + "".join(f" {mean:.4f} |" for mean in means))

    torch.manual_seed(0)
    network = backbones.Backbone(ResNet(50, variant="v1", eps=1e-3), backbones.MSRA, "untrained")
    with mock.patch.object(resnet152, "pretrained", lambda name: network):
        fuser = Fuser(ResNet152(variant="code", backbone="resnet50"))
    untrained = {name: fuser(*pairs[name]) for name in NAMES}
    print(f"\nWith an untrained ResNet-50, `variant=code`: {likeness(untrained, fused[AUTHORS])}.")

    with (data.parent / "papers.csv").open() as file:
        table = [row for row in csv.DictReader(file) if row["method"] == "resnet152" and row["row"] == "proposed"]
    print("\n| image | |" + "".join(f" {metric} |" for metric in PAPER_METRICS) + "\n|---|---|" + "---:|" * 5)
    for letter, name in OF_THE_PAPER.items():
        printed = {row["metric"]: row["value"] for row in table if row["data"] == f"{letter} (TNO {name})"}
        print(f"| {letter} (TNO {name}) | paper |" + "".join(f" {printed.get(m, '')} |" for m in PAPER_METRICS))
        for who, rows in scores.items():
            print(f"| | {who} |" + "".join(f" {rows[name][ours]:.4f} |" for ours in PAPER_METRICS.values()))
    if len(sys.argv) > 1:
        show(Path(sys.argv[1]), pairs, fused)


def likeness(results: dict[str, images.Array], others: dict[str, images.Array]) -> str:
    """The PSNR between images, in words."""
    errors = [np.square(results[name].astype(float) - others[name]).mean() for name in NAMES]
    psnr = [10 * np.log10(255**2 / error) for error in errors]
    return f"{np.mean(psnr):.1f} dB (least {min(psnr):.1f}, most {max(psnr):.1f})"


def show(folder: Path, pairs: dict[str, list[images.Array]], fused: dict[str, dict[str, images.Array]]) -> None:
    rows = []
    for name in ("01", "13", "16"):
        row = [*pairs[name]]
        batch = [torch.from_numpy(image / np.float32(255))[None, None] for image in pairs[name]]
        for variant in VARIANTS:
            with torch.no_grad():
                weight, _ = ResNet152(variant=variant, backbone="resnet50").weights(*batch)
            row += [np.rint(weight[0, 0].numpy() * 255).astype(np.uint8), fused[f"`variant={variant}`"][name]]
        rows.append([*row, fused[AUTHORS][name]])
    titles = ["infrared", "visible"]
    titles += [title for variant in VARIANTS for title in (f"{variant}: weight of infrared", f"{variant}: fused")]
    images.write(folder / "resnet152.jpg", sheet.comparison(rows, [*titles, AUTHORS], width=260))


if __name__ == "__main__":
    main()
