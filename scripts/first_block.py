"""Make the weights file of ResNet-50's first block, which ships, from the whole network with the MSRA weights.

The preprocessing (RGB in [0, 1] to BGR in [0, 255] minus the mean), the convolution and the batch normalization become
one convolution, computed in float64.

    python scripts/first_block.py FOLDER/resnet50_msra_bgr255.safetensors \\
        src/irfuse/weights/resnet50-msra-first-block-v1.safetensors
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from irfuse import weights
from irfuse.backbones import MSRA, first_block
from irfuse.io.files import sha256
from irfuse.weights import fetch

EPS = 1e-3
"""Of the batch normalization in the networks of the ResNet paper."""
INPUT = (
    "RGB in [0, 1]; minus `mean`, then padded by 3 zeros, then convolved by `conv.weight`, plus `conv.bias`: the "
    "response after bn1, before the ReLU"
)
CONVERSION = (
    "mean: MSRA mean / 255, BGR to RGB; conv.weight: conv1.weight, BGR to RGB, * 255 * s; conv.bias: bn1.bias - "
    "bn1.running_mean * s; s = bn1.weight / sqrt(bn1.running_var + 1e-3)"
)


def fold(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of :class:`irfuse.backbones.first_block.FirstBlock` from that of the whole network."""
    kernels, gain, bias, mean, variance = (
        tensors[name].double()
        for name in ("conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var")
    )
    factor = gain / (variance + EPS).sqrt()
    return {
        "mean": torch.tensor(MSRA.mean, dtype=torch.float64).flip(0).view(1, 3, 1, 1) / MSRA.scale,
        "conv.weight": kernels.flip(1) * MSRA.scale * factor.view(-1, 1, 1, 1),
        "conv.bias": bias - mean * factor,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the whole network's weights")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    (file,) = (file for file in fetch.backbone_files() if file.layout == "msra")
    fetch.verify(fetch.Found(file, arguments.source))
    block = first_block.FirstBlock()
    block.load_state_dict(fold(fetch.read(arguments.source)))
    header = {
        "method": first_block.METHOD,
        "input": INPUT,
        "conversion": CONVERSION,
        "licence": file.license,
        "source": file.source,
        "made from": {file.file: file.sha256},
        "command": f"python scripts/first_block.py {file.file} {arguments.out.name}",
    }
    weights.save(block, header, arguments.out)
    print(sha256(arguments.out), arguments.out)


if __name__ == "__main__":
    main()
