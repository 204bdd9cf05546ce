"""Time the methods on a 640x480 pair, and print Markdown.

python benchmarks/methods.py > benchmarks/methods.md

The weights of a backbone that is not on this machine are drawn at random, which takes the same time.
"""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import date
from unittest import mock

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from irfuse import backbones, images, samples
from irfuse.backbones.resnet import ResNet
from irfuse.fuser import Fuser
from irfuse.methods import resnet152
from irfuse.weights import fetch

RUNS = 5
SPECS = [
    "encoder-decoder",
    "res2netfuse",
    "attention-ensemble",
    "resnet152",
    "resnet152:variant=code",
    "resnet152:backbone=resnet50",
    "nst",
    "laplacian-pyramid",
]
NETWORKS = ("encoder-decoder", "res2netfuse", "attention-ensemble")
"""Whose convolutions can be computed in half precision."""
SIDE = 4096


def seconds(function: Callable[[], object]) -> float:
    """The median of some runs, after one that does not count."""
    function()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peaks() -> dict[str, float]:
    """What the machine reaches in large products and convolutions, in GFLOP/s."""
    matrix = torch.rand(SIDE, SIDE)
    images, kernels = torch.rand(2, 256, 60, 80), torch.rand(256, 256, 3, 3)
    images = images.to(memory_format=torch.channels_last)
    with torch.no_grad():
        product = seconds(lambda: matrix @ matrix)
        convolution = seconds(lambda: F.conv2d(images, kernels, padding=1))
    operations = 2 * images.numel() * kernels[0].numel()
    return {
        f"a product of two {SIDE}x{SIDE} matrices": 2 * SIDE**3 / product / 1e9,
        "a 3x3 convolution of 256 channels": operations / convolution / 1e9,
    }


def untrained(name: str) -> backbones.Backbone:
    depth = {"resnet50": 50, "resnet101": 101, "resnet152": 152}[name]
    return backbones.Backbone(ResNet(depth), backbones.TORCHVISION, "untrained")


def main() -> None:
    reached = peaks()
    peak = max(reached.values())
    rates = ", ".join(f"{rate:.0f} GFLOP/s in {what}" for what, rate in reached.items())
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    print(f"""# Speed of the methods

A grey infrared and a colour visible image of 640x480, float32, the median of {RUNS} runs after a first one, from arrays
to an array. Printed by `python benchmarks/methods.py` on {date.today()}: {platform.machine()}, {os.cpu_count()} CPU
cores, {torch.get_num_threads()} threads, PyTorch {torch.__version__}, commit {commit.stdout.strip()}. The machine's
speed is the largest that it reaches here: {rates}.
The backbones' weights are random.

| method | seconds | frames/s | GFLOP | share of the machine's speed | frames/s in bfloat16 |
|---|---:|---:|---:|---:|---:|""")
    pair = next(pair for pair in samples.pairs() if pair.name == "msrs_00633D")
    ir, vis = images.read(pair.ir), images.read(pair.vis)
    with mock.patch.object(fetch, "fetch"), mock.patch.object(resnet152, "pretrained", untrained):
        for spec in SPECS:
            fuser = Fuser(spec, device="cpu")
            taken = seconds(lambda fuser=fuser: fuser(ir, vis))
            with FlopCounterMode(display=False) as counter:
                fuser(ir, vis)
            operations = counter.get_total_flops() / 1e9
            half = ""
            if spec in NETWORKS:
                with torch.autocast("cpu", torch.bfloat16):
                    half = f"{1 / seconds(lambda fuser=fuser: fuser(ir, vis)):.1f}"
            print(
                f"| `{spec}` | {taken:.3f} | {1 / taken:.1f} | {operations:.1f} | {operations / taken / peak:.0%} "
                f"| {half} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
