"""Time the methods, each engine and precision beside the straightforward implementation, and write the tables.

python perf/methods.py                    all, on the CPU; minutes, most of them for the large sizes
python perf/methods.py --device cuda --batch 16 --tile 4096
python perf/methods.py --size 640x480 --method encoder-decoder --print

The tables of a device, and of a batch, replace those of perf/README.md. The weights of a backbone that is not on
this machine are drawn at random, which takes the same time.
"""

import argparse
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import straightforward
from irfuse import backbones, samples
from irfuse.backbones.resnet import ResNet
from irfuse.device import free_memory, machine, resolve
from irfuse.engines.base import Precision
from irfuse.engines.choose import Way, ways
from irfuse.engines.torch import DTYPES
from irfuse.fuser import Fuser
from irfuse.imaging.color import luma
from irfuse.io import images
from irfuse.methods import resnet152
from irfuse.weights import fetch

README = Path(__file__).with_name("README.md")
SIZES = ("320x240", "640x480", "1280x1024", "3840x2160")
COMPILED = "640x480"
"""The size at which the compiler is timed: each further one takes it minutes."""
NETWORKS = tuple(straightforward.NETWORKS)
OTHERS = (
    "resnet152",
    "resnet152:variant=code",
    "resnet152:backbone=resnet50",
    "nst",
    "laplacian-pyramid",
    "average",
    "maximum",
)
OTHERS_SIZE = "640x480"
TURNS, MOST = 4, 8.0
"""Of one measurement: how often its turn comes; less often where so many seconds are over."""
RUNS, WARM_UP, COUNTED = 3, 0.5, 1.0
"""Of a turn: how many runs at least, for how many seconds runs do not count, and for how many they do."""
BYTES_PER_PIXEL = {"res2netfuse": 2600, "encoder-decoder": 600, "attention-ensemble": 2600}
"""What a straightforward implementation has in memory at once, about; it knows no tiles."""
SIDE = 4096
COPIED = 1 << 27
"""Numbers, far more than caches hold."""

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Peaks:
    """What the machine reaches: operations a second in a large matrix product, bytes a second in a large copy."""

    operations: dict[Precision, float]
    bytes: float


class ConvolutionBytes(TorchDispatchMode):
    """Counts the bytes of float32 that convolutions read and write, each tensor once."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution.default:
            self.total += sum(4 * tensor.numel() for tensor in (*args[:3], result) if tensor is not None)
        return result


def median_seconds(function: Callable[[], object], device: torch.device) -> float:
    """The median of some runs."""
    return medians([function], device)[0]


def medians(functions: Sequence[Callable[[], object]], device: torch.device) -> list[float]:
    """The median of some runs of each.

    They take turns, since a machine that is shared has better and worse minutes, and all are to have the same. The
    beginning of a turn does not count: what ran before has left its data in the caches, and its threads awake.
    """

    def run(function: Callable[[], object]) -> float:
        start = time.perf_counter()
        function()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    def turn(function: Callable[[], object], least: int, seconds: float) -> list[float]:
        times: list[float] = []
        while len(times) < least or sum(times) < seconds:
            times.append(run(function))
        return times

    every: list[list[float]] = [[] for _ in functions]
    for _ in range(TURNS):
        for function, times in zip(functions, every, strict=True):
            turn(function, 1, WARM_UP)
            times += turn(function, RUNS, COUNTED)
        if sum(map(sum, every)) > MOST * len(functions):
            break
    return [statistics.median(times) for times in every]


def peaks(device: torch.device, precisions: set[Precision]) -> Peaks:
    rates: dict[Precision, float] = {}
    for precision in sorted(precisions):
        matrix = torch.rand(SIDE, SIDE, device=device).to(DTYPES[precision])
        rates[precision] = 2 * SIDE**3 / median_seconds(lambda matrix=matrix: matrix @ matrix, device)
    source = torch.rand(COPIED, device=device)
    target = torch.empty_like(source)
    copied = 2 * source.numel() * source.element_size() / median_seconds(lambda: target.copy_(source), device)
    return Peaks(rates, copied)


def pair_of(size: str, batch: int, device: torch.device) -> Pair:
    """A sample pair's lumas, enlarged, (batch, 1, H, W)."""
    width, height = (int(side) for side in size.split("x"))
    pair = next(pair for pair in samples.pairs() if pair.name == "msrs_00633D")
    lumas = []
    for path in (pair.ir, pair.vis):
        image = torch.from_numpy(images.read(path)).float() / 255
        gray = luma(image[..., 0], image[..., 1], image[..., 2]) if image.ndim == 3 else image
        scaled = F.interpolate(gray[None, None], size=(height, width), mode="bilinear", align_corners=False)
        lumas.append(scaled.clamp(0, 1).repeat(batch, 1, 1, 1).to(device).contiguous())
    return lumas[0], lumas[1]


def work(spec: str, pair: Pair, tile: int = 1024) -> tuple[float, float]:
    """The operations that a method's convolutions take for a batch, and the bytes that they move, halos and all."""
    fuser = Fuser(spec, device=str(pair[0].device), engine="torch", precision="fp32", tile=tile)
    with FlopCounterMode(display=False) as operations:
        fuser(*pair)
    with ConvolutionBytes() as moved:
        fuser(*pair)
    return operations.get_total_flops(), moved.total


def limit(operations: float, moved: float, peak: Peaks, precision: Precision) -> float:
    """The seconds below which the machine's peaks do not let a network come, computed layer by layer."""
    return max(operations / peak.operations[precision], moved * DTYPES[precision].itemsize / 4 / peak.bytes)


def plain(name: str, pair: Pair) -> Callable[[], object] | None:
    """The straightforward implementation, of one pair; None where it would not fit into memory."""
    device = pair[0].device
    free = free_memory(device)
    single = tuple(image[:1].contiguous() for image in pair)
    if free is not None and BYTES_PER_PIXEL[name] * single[0].numel() > 0.7 * free:
        return None
    network = straightforward.load(name).to(device)
    return lambda: straightforward.fuse(network, *single)


def network_table(
    names: list[str], sizes: list[str], batch: int, tile: int, device: torch.device, peak: Peaks, every: list[Way]
) -> Iterator[str]:
    yield "| method | size | engine | precision | ms a pair | pairs/s | times as fast | share of the limit |"
    yield "|---|---|---|---|---:|---:|---:|---:|"
    for name in names:
        for size in sizes:
            yield from rows(name, size, pair_of(size, batch, device), tile, device, peak, every)


def rows(
    name: str, size: str, pair: Pair, tile: int, device: torch.device, peak: Peaks, every: list[Way]
) -> Iterator[str]:
    operations, moved = work(name, pair, tile)
    timed = [way for way in every if way[0] != "compile" or size == COMPILED]
    fusers = [Fuser(name, device=str(device), engine=e, precision=p, tile=tile) for e, p in timed]
    functions: list[Callable[[], object]] = [lambda fuser=fuser: fuser(*pair) for fuser in fusers]
    straight = plain(name, pair)
    if straight is None:
        compared, seconds = None, medians(functions, device)
        yield f"| `{name}` | {size} | straightforward | fp32 | does not fit into memory | | | |"
    else:
        compared, *seconds = medians([straight, *functions], device)
        yield f"| `{name}` | {size} | straightforward | fp32 | {' | '.join(cells(compared, compared))} | |"
    chosen = Fuser(name, device=str(device)).choice
    for (engine, precision), needed in zip(timed, seconds, strict=True):
        share = limit(operations, moved, peak, precision) / needed
        star = " (auto)" if (engine, precision) == (chosen.engine, chosen.precision) else ""
        row = " | ".join(cells(needed / len(pair[0]), compared))
        yield f"| `{name}` | {size} | {engine}{star} | {precision} | {row} | {share:.0%} |"


def cells(seconds: float, compared: float | None) -> tuple[str, str, str]:
    """The milliseconds and the rate of a pair, and how many times as fast as the straightforward one that is."""
    return f"{1000 * seconds:.1f}", f"{1 / seconds:.1f}", "" if compared is None else f"{compared / seconds:.1f}"


def work_table(names: list[str], device: torch.device) -> Iterator[str]:
    yield "| method | GFLOP a pair | GB that its convolutions move in float32 |"
    yield "|---|---:|---:|"
    for name in names:
        operations, moved = work(name, pair_of(OTHERS_SIZE, 1, device))
        yield f"| `{name}` | {operations / 1e9:.1f} | {moved / 1e9:.2f} |"


def others_table(device: torch.device, peak: Peaks) -> Iterator[str]:
    yield "| method | ms a pair | pairs/s | GFLOP | share of the machine's peak |"
    yield "|---|---:|---:|---:|---:|"
    pair = pair_of(OTHERS_SIZE, 1, device)
    for spec in OTHERS:
        fuser = Fuser(spec, device=str(device), engine="torch", precision="fp32")
        seconds = median_seconds(lambda fuser=fuser: fuser(*pair), device)
        operations, _ = work(spec, pair)
        reached = operations / seconds / peak.operations["fp32"]
        row = f"{1000 * seconds:.1f} | {1 / seconds:.1f} | {operations / 1e9:.1f} | {reached:.0%}"
        yield f"| `{spec}` | {row} |"


@contextmanager
def any_backbone() -> Iterator[None]:
    """Backbones without their trained weights, for the time that they take."""

    def untrained(name: str) -> backbones.Backbone:
        depth = {"resnet50": 50, "resnet101": 101, "resnet152": 152}[name]
        return backbones.Backbone(ResNet(depth), backbones.TORCHVISION, "untrained")

    with mock.patch.object(fetch, "fetch"), mock.patch.object(resnet152, "pretrained", untrained):
        yield


def section(
    names: list[str], sizes: list[str], batch: int, tile: int, device: torch.device, others: bool
) -> Iterator[str]:
    """What the README says of a device, line by line."""
    every = ways(device)
    peak = peaks(device, {precision for _, precision in every})
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    rates = ", ".join(f"{rate / 1e9:.0f} GFLOP/s in {precision}" for precision, rate in peak.operations.items())
    yield f"## {device.type}, batches of {batch}, tiles of {tile}"
    yield ""
    yield f"{date.today()}, commit {commit.stdout.strip()}: {machine(device)}, {platform.machine()}, Python "
    yield f"{platform.python_version()}, PyTorch {torch.__version__}. Measured here: {rates} in a product of two"
    yield f"{SIDE}x{SIDE} matrices, {peak.bytes / 1e9:.0f} GB/s read and written in a copy of {COPIED >> 18} MB."
    yield ""
    yield from network_table(names, sizes, batch, tile, device, peak, every)
    yield ""
    yield f"What the networks take at {OTHERS_SIZE}:"
    yield ""
    yield from work_table(names, device)
    if others:
        yield ""
        yield f"All other methods, engine torch, fp32, {OTHERS_SIZE}, one pair; the backbones' weights are random:"
        yield ""
        with any_backbone():
            yield from others_table(device, peak)


def put(device: str, batch: int, text: str) -> None:
    """Put a section into the README, in the place of an older one."""
    begin, end = f"<!-- {device} {batch} -->", f"<!-- end of {device} {batch} -->"
    old = README.read_text(encoding="utf-8")
    block = f"{begin}\n{text}\n{end}"
    found = re.search(re.escape(begin) + ".*?" + re.escape(end), old, re.DOTALL)
    new = old.replace(found.group(), block) if found else f"{old.rstrip()}\n\n{block}\n"
    README.write_text(new, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the methods, and write the tables of perf/README.md.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--tile", type=int, default=1024, help="the Fuser's; it also bounds how much is fused at once")
    parser.add_argument("--size", action="append", help=f"one of {', '.join(SIZES)}, or another; repeat for several")
    parser.add_argument("--method", action="append", choices=NETWORKS, help="repeat for several")
    parser.add_argument("--print", action="store_true", help="print the tables and leave the README as it is")
    given = parser.parse_args()
    device = resolve(given.device)
    lines = []
    # The other methods come along where all is measured.
    others = not (given.size or given.method)
    names, sizes = given.method or list(NETWORKS), given.size or list(SIZES)
    for line in section(names, sizes, given.batch, given.tile, device, others):
        print(line, flush=True)
        lines.append(line)
    if not given.print:
        put(device.type, given.batch, "\n".join(lines))


if __name__ == "__main__":
    main()
