"""Compare auto-encoders of Res2NetFuse by what they lose when they reconstruct natural images.

Prints, as means over a named set, the scores of each weights file and its sharpness: the mean gradient of the
reconstruction over that of the image (below 1: blurred). Shows a detail of one image beside its reconstructions.

    python scripts/ablation_scales.py coco20 PICTURE.png single=SINGLE.safetensors scales=SCALES.safetensors
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from irfuse import datasets, weights
from irfuse.imaging import sheet
from irfuse.io import images
from irfuse.methods.res2netfuse import AutoEncoder
from irfuse.training.reading import Grey, read_grey
from irfuse.training.validation import reconstruction

DETAIL = (slice(140, 260), slice(180, 340))


def mean_gradient(image: Grey) -> float:
    rows, columns = np.gradient(image)
    return float(np.hypot(rows, columns).mean())


@torch.inference_mode()
def reconstruct(network: AutoEncoder, image: Grey) -> Grey:
    rebuilt: Grey = network(torch.from_numpy(image)[None, None])[0, 0].clamp(0, 1).numpy()
    return rebuilt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", help="a named set, a file or a folder")
    parser.add_argument("picture", type=Path)
    parser.add_argument("weights", nargs="+", metavar="NAME=FILE")
    arguments = parser.parse_args()
    sources = [read_grey(path) for path in datasets.images(arguments.images)]
    row, captions = [sources[0][DETAIL]], ["original"]
    print("| trained on | mse | ssim | psnr | sharpness |\n|---|---|---|---|---|")
    for name, file in (pair.split("=") for pair in arguments.weights):
        network = AutoEncoder()
        weights.load(network, "res2netfuse", file)
        rebuilt = [reconstruct(network, image) for image in sources]
        pairs = zip(rebuilt, sources, strict=True)
        sharpness = np.mean([mean_gradient(one) / mean_gradient(other) for one, other in pairs])
        scores = reconstruction(network, sources, torch.device("cpu"))
        print(f"| {name} | {scores['mse']:.5f} | {scores['ssim']:.5f} | {scores['psnr']:.2f} | {sharpness:.3f} |")
        row.append(rebuilt[0][DETAIL])
        captions.append(name)
    cells = [(image * 255).round().astype(np.uint8) for image in row]
    images.write(arguments.picture, sheet.comparison([cells], captions))


if __name__ == "__main__":
    main()
