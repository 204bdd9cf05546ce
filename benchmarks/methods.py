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
from torch.utils.flop_counter import FlopCounterMode

from irfuse import backbones, images, samples
from irfuse.backbones.resnet import ResNet
from irfuse.fuser import Fuser
from irfuse.methods import resnet152

RUNS = 5
SPECS = [
    "res2netfuse",
    "resnet152",
    "resnet152:variant=code",
    "resnet152:backbone=resnet50",
    "nst",
    "laplacian-pyramid",
]
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


def untrained(name: str) -> backbones.Backbone:
    depth = {"resnet50": 50, "resnet101": 101, "resnet152": 152}[name]
    return backbones.Backbone(ResNet(depth), backbones.TORCHVISION, "untrained")


def main() -> None:
    matrix = torch.rand(SIDE, SIDE)
    peak = 2 * SIDE**3 / seconds(lambda: matrix @ matrix) / 1e9
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    print(f"""# Speed of the methods

A grey infrared and a colour visible image of 640x480, float32, the median of {RUNS} runs after a first one, from arrays
to an array. Printed by `python benchmarks/methods.py` on {date.today()}: {platform.machine()}, {os.cpu_count()} CPU
cores, {torch.get_num_threads()} threads, PyTorch {torch.__version__}, commit {commit.stdout.strip()}. A product of two
{SIDE}x{SIDE} matrices reaches {peak:.0f} GFLOP/s here.

| method | seconds | GFLOP | share of that peak |
|---|---:|---:|---:|""")
    pair = next(pair for pair in samples.pairs() if pair.name == "msrs_00633D")
    ir, vis = images.read(pair.ir), images.read(pair.vis)
    with mock.patch.object(resnet152, "pretrained", untrained):
        for spec in SPECS:
            fuser = Fuser(spec, device="cpu")
            taken = seconds(lambda fuser=fuser: fuser(ir, vis))
            with FlopCounterMode(display=False) as counter:
                fuser(ir, vis)
            operations = counter.get_total_flops() / 1e9
            print(f"| `{spec}` | {taken:.2f} | {operations:.1f} | {operations / taken / peak:.0%} |", flush=True)
    print(
        "\nA share above 100 % is no mistake of the clock: operations are counted as a convolution is defined, and the"
    )
    print("library's 3x3 convolutions need fewer. The backbones' weights are random here.")


if __name__ == "__main__":
    main()
