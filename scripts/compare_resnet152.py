"""Compare `resnet152` with its authors' own results on TNO, and print Markdown.

    python scripts/compare_resnet152.py                        print the scores that docs/methods/resnet152.md shows
    python scripts/compare_resnet152.py --pictures FOLDER      write the page's picture of weights and results

IRFUSE_DATA names the folder of the larger data, and IRFUSE_WEIGHTS that of ResNet-50's weights: the page's figures are
those of resnet50_msra_bgr255.safetensors, layout `msra`. The tables with the paper's own figures come from
`irfuse reproduce`.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from compare import Sources, data_folder, mean_scores, read
from irfuse import backbones
from irfuse.backbones.resnet import ResNet
from irfuse.fuser import Fuser
from irfuse.imaging import sheet
from irfuse.io import images
from irfuse.methods import resnet152
from irfuse.methods.resnet152 import ResNet152

AUTHORS = "authors' own run"
METRICS = ("qabf", "fmi_edge", "fmi_dct", "fmi_wavelet", "nabf", "scd", "ssim_a", "ms_ssim", "ssim")
VARIANTS = {variant: f"resnet152:variant={variant},backbone=resnet50" for variant in ("paper", "code")}
SHOWN = ("01", "13", "16")

Results = Mapping[str, images.Array]
"""The fused image of each pair, by its name."""


def fuse(fuser: Fuser, sources: Sources) -> Results:
    return {name: fuser(*pair) for name, pair in sources.items()}


def authors_results(sources: Sources) -> Results:
    return {name: images.read(data_folder() / "resnet152_authors" / f"{name}.png") for name in sources}


def variant_fusers() -> dict[str, Fuser]:
    return {variant: Fuser(spec, engine="torch", precision="fp32") for variant, spec in VARIANTS.items()}


def untrained() -> Fuser:
    """The code variant with a ResNet-50 that nobody trained."""
    torch.manual_seed(0)
    network = backbones.Backbone(ResNet(50, variant="v1", eps=1e-3), backbones.MSRA, "untrained")
    with mock.patch.object(resnet152, "pretrained", lambda name: network):
        return Fuser(ResNet152(variant="code", backbone="resnet50"))


def likeness(results: Results, others: Results) -> str:
    """The PSNR between images, in words."""
    errors = [np.square(image.astype(float) - others[name]).mean() for name, image in results.items()]
    psnr = [10 * np.log10(255**2 / error) for error in errors]
    return f"{np.mean(psnr):.1f} dB (least {min(psnr):.1f}, most {max(psnr):.1f})"


def print_scores(sources: Sources) -> None:
    theirs = authors_results(sources)
    rows = [(AUTHORS, theirs, "")]
    for variant, fuser in variant_fusers().items():
        print(f"`variant={variant}` has ResNet-50's weights of layout `{fuser.method.network.layout}`.\n")
        results = fuse(fuser, sources)
        rows.append((f"`variant={variant}`", results, likeness(results, theirs)))
    print(f"| mean over {len(sources)} pairs, `li` | PSNR to the authors' | {' | '.join(f'`{m}`' for m in METRICS)} |")
    print(f"|---|{'---:|' * (1 + len(METRICS))}")
    for name, results, closeness in rows:
        means = mean_scores(results, sources, [(metric, "li") for metric in METRICS])
        print(f"| {name} | {closeness} | {' | '.join(f'{mean:.4f}' for mean in means.values())} |")
    print(f"\nWith an untrained ResNet-50, `variant=code`: {likeness(fuse(untrained(), sources), theirs)}.")


def picture(sources: Sources) -> images.Array:
    fusers = variant_fusers()
    rows = []
    for name in SHOWN:
        row = [*sources[name]]
        batch = [torch.from_numpy(image / np.float32(255))[None, None] for image in sources[name]]
        for variant, fuser in fusers.items():
            with torch.no_grad():
                weight, _ = ResNet152(variant=variant, backbone="resnet50").weights(*batch)
            row += [np.rint(weight[0, 0].numpy() * 255).astype(np.uint8), fuser(*sources[name])]
        rows.append([*row, authors_results({name: sources[name]})[name]])
    titles = [title for variant in VARIANTS for title in (f"{variant}: weight of infrared", f"{variant}: fused")]
    return sheet.comparison(rows, ["infrared", "visible", *titles, AUTHORS], width=260)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare resnet152 with its authors' own results on TNO.")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="write the picture and score nothing")
    given = parser.parse_args()
    sources = read(data_folder() / "tno21")
    if given.pictures:
        images.write(given.pictures / "resnet152.jpg", picture(sources))
    else:
        print_scores(sources)


if __name__ == "__main__":
    main()
