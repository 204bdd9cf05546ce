"""Time every engine and precision of the methods beside the straightforward implementation, and write the tables.

    python perf/methods.py                    everything, on the CPU; takes minutes, mostly for the large sizes
    python perf/methods.py --device cuda --batch 16 --tile 4096
    python perf/methods.py --size 640x480 --method encoder-decoder --print

The tables replace those of the same device and batch in perf/README.md. Backbones get random weights, which take the
same time as trained ones.
"""

import argparse
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import straightforward
from commit import commit
from irfuse import backbones, samples
from irfuse.backbones.resnet import ResNet
from irfuse.device import free_memory, machine, resolve
from irfuse.engines.base import EngineName, Precision
from irfuse.engines.choose import Way, ways
from irfuse.engines.torch import DTYPES
from irfuse.fuser import Fuser
from irfuse.imaging import planes
from irfuse.imaging.color import gray
from irfuse.io import images
from irfuse.methods import resnet152
from irfuse.weights import fetch

README = Path(__file__).with_name("README.md")
SIZES = ("320x240", "640x480", "1280x1024", "3840x2160")
COMPILED = "640x480"
"""The only size at which the compiler is timed, because it takes minutes for each."""
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
BYTES_PER_PIXEL = {
    "ember": 200,
    "ember:weights=nano": 50,
    "res2netfuse": 2600,
    "encoder-decoder": 600,
    "attention-ensemble": 2600,
}
"""The memory that a straightforward implementation needs at once, roughly. It does not cut images into tiles."""

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Effort:
    """How thoroughly to measure.

    Attributes:
        turns: how often each function gets its turn.
        most: seconds per function after which no further turn begins.
        runs: the least number of runs in a turn.
        warm_up: seconds at the start of a turn that do not count.
        counted: seconds of a turn that count.
        side: of the square matrices whose product gives the peak rate of operations.
        copied: how many float32 values are copied for the peak rate of bytes; far more than caches hold.
    """

    turns: int = 4
    most: float = 8.0
    runs: int = 3
    warm_up: float = 0.5
    counted: float = 1.0
    side: int = 4096
    copied: int = 1 << 27


TRIAL = Effort(turns=1, runs=1, warm_up=0, counted=0, side=64, copied=1 << 10)
"""Enough to see whether everything runs; the figures mean nothing."""


@dataclass(frozen=True)
class Peaks:
    """The machine's peak rates: operations a second in a large matrix product, bytes a second in a large copy."""

    operations: dict[Precision, float]
    bytes: float


@dataclass(frozen=True)
class Setup:
    """What all measurements of a run share.

    Attributes:
        device: that the methods run on.
        tile: the Fuser's, in pixels, which also bounds how much is fused at once; None leaves it to the method.
        ways: the engines and precisions to time.
        peak: of the device.
        effort: how thoroughly to measure.
        size: at which the networks' work is counted, and the other methods are timed.
    """

    device: torch.device
    tile: int | None
    ways: list[Way]
    peak: Peaks
    effort: Effort
    size: str = OTHERS_SIZE


class ConvolutionBytes(TorchDispatchMode):
    """Count the bytes of float32 that convolutions read and write, each tensor once."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution.default:
            self.total += sum(4 * tensor.numel() for tensor in (*args[:3], result) if tensor is not None)
        return result


def median_seconds(function: Callable[[], object], device: torch.device, effort: Effort) -> float:
    """The median time of a run, in seconds."""
    return medians([function], device, effort)[0]


def medians(functions: Sequence[Callable[[], object]], device: torch.device, effort: Effort) -> list[float]:
    """The median time of a run of each function, in seconds.

    The functions take turns, so that all meet the better and the worse minutes of a shared machine. The beginning of a
    turn does not count, because the function before has left its data in the caches and its threads awake.
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
    for _ in range(effort.turns):
        for function, times in zip(functions, every, strict=True):
            turn(function, 1, effort.warm_up)
            times += turn(function, effort.runs, effort.counted)
        if sum(map(sum, every)) > effort.most * len(functions):
            break
    return [statistics.median(times) for times in every]


def peaks(device: torch.device, precisions: set[Precision], effort: Effort) -> Peaks:
    """Measure the machine's peak rates."""
    rates: dict[Precision, float] = {}
    for precision in sorted(precisions):
        matrix = torch.rand(effort.side, effort.side, device=device).to(DTYPES[precision])
        seconds = median_seconds(lambda matrix=matrix: matrix @ matrix, device, effort)
        rates[precision] = 2 * effort.side**3 / seconds
    source = torch.rand(effort.copied, device=device)
    target = torch.empty_like(source)
    seconds = median_seconds(lambda: target.copy_(source), device, effort)
    return Peaks(rates, 2 * source.numel() * source.element_size() / seconds)


def pair_of(size: str, batch: int, device: torch.device) -> Pair:
    """The lumas of a sample pair, scaled to `size` (WIDTHxHEIGHT), (batch, 1, H, W) each."""
    width, height = (int(side) for side in size.split("x"))
    pair = next(pair for pair in samples.pairs() if pair.name == "msrs_00633D")
    lumas = []
    for path in (pair.ir, pair.vis):
        luma = torch.from_numpy(gray(planes.from_array(images.read(path), "visible").unit()))
        scaled = F.interpolate(luma, size=(height, width), mode="bilinear", align_corners=False)
        lumas.append(scaled.clamp(0, 1).repeat(batch, 1, 1, 1).to(device).contiguous())
    return lumas[0], lumas[1]


def work(spec: str, pair: Pair, tile: int | None = None) -> tuple[float, float]:
    """The operations of a method's convolutions for a batch, and the bytes that they move, halos included."""
    fuser = Fuser(spec, device=str(pair[0].device), engine="torch", precision="fp32", tile=tile)
    with FlopCounterMode(display=False) as operations:
        fuser(*pair)
    with ConvolutionBytes() as moved:
        fuser(*pair)
    return operations.get_total_flops(), moved.total


def limit(operations: float, moved: float, peak: Peaks, precision: Precision) -> float:
    """The least seconds that the machine's peaks allow for a network that is computed layer by layer."""
    return max(operations / peak.operations[precision], moved * DTYPES[precision].itemsize / 4 / peak.bytes)


def plain(name: str, pair: Pair) -> Callable[[], object] | None:
    """The straightforward implementation on one pair; None where it would not fit into memory."""
    device = pair[0].device
    free = free_memory(device)
    single = tuple(image[:1].contiguous() for image in pair)
    if free is not None and BYTES_PER_PIXEL[name] * single[0].numel() > 0.7 * free:
        return None
    network = straightforward.load(name).to(device)
    return lambda: straightforward.fuse(network, *single)


def network_table(names: list[str], sizes: list[str], batch: int, setup: Setup) -> Iterator[str]:
    yield "| method | size | engine | precision | ms a pair | pairs/s | times as fast | share of the limit |"
    yield "|---|---|---|---|---:|---:|---:|---:|"
    for name in names:
        for size in sizes:
            yield from rows(name, size, pair_of(size, batch, setup.device), setup)


def rows(name: str, size: str, pair: Pair, setup: Setup) -> Iterator[str]:
    device, tile = setup.device, setup.tile
    operations, moved = work(name, pair, tile)
    timed = [way for way in setup.ways if way[0] != "compile" or size == COMPILED]
    fusers = [Fuser(name, device=str(device), engine=e, precision=p, tile=tile) for e, p in timed]
    functions: list[Callable[[], object]] = [lambda fuser=fuser: fuser(*pair) for fuser in fusers]
    straight = plain(name, pair)
    # PyTorch's default on a GPU, which the straightforward implementation leaves alone.
    plainly = "tf32" if device.type == "cuda" else "fp32"
    if straight is None:
        compared, seconds = None, medians(functions, device, setup.effort)
        yield f"| `{name}` | {size} | straightforward | {plainly} | does not fit into memory | | | |"
    else:
        compared, *seconds = medians([straight, *functions], device, setup.effort)
        yield f"| `{name}` | {size} | straightforward | {plainly} | {' | '.join(cells(compared, compared))} | |"
    chosen = Fuser(name, device=str(device)).choice
    for (engine, precision), needed in zip(timed, seconds, strict=True):
        share = limit(operations, moved, setup.peak, precision) / needed
        star = " (auto)" if (engine, precision) == (chosen.engine, chosen.precision) else ""
        row = " | ".join(cells(needed / len(pair[0]), compared))
        yield f"| `{name}` | {size} | {engine}{star} | {precision} | {row} | {share:.0%} |"


def cells(seconds: float, compared: float | None) -> tuple[str, str, str]:
    """Milliseconds per pair, pairs per second, and the speed as a multiple of the straightforward implementation's."""
    return f"{1000 * seconds:.1f}", f"{1 / seconds:.1f}", "" if compared is None else f"{compared / seconds:.1f}"


def work_table(names: list[str], setup: Setup) -> Iterator[str]:
    yield "| method | GFLOP a pair | GB that its convolutions move in float32 |"
    yield "|---|---:|---:|"
    for name in names:
        operations, moved = work(name, pair_of(setup.size, 1, setup.device))
        yield f"| `{name}` | {operations / 1e9:.1f} | {moved / 1e9:.2f} |"


def others_table(setup: Setup) -> Iterator[str]:
    yield "| method | ms a pair | pairs/s | GFLOP | share of the machine's peak |"
    yield "|---|---:|---:|---:|---:|"
    pair = pair_of(setup.size, 1, setup.device)
    for spec in OTHERS:
        fuser = Fuser(spec, device=str(setup.device), engine="torch", precision="fp32")
        seconds = median_seconds(lambda fuser=fuser: fuser(*pair), setup.device, setup.effort)
        operations, _ = work(spec, pair)
        reached = operations / seconds / setup.peak.operations["fp32"]
        row = f"{1000 * seconds:.1f} | {1 / seconds:.1f} | {operations / 1e9:.1f} | {reached:.0%}"
        yield f"| `{spec}` | {row} |"


@contextmanager
def any_backbone() -> Iterator[None]:
    """Give every backbone random weights, which take the same time as trained ones."""

    def untrained(name: str) -> backbones.Backbone:
        depth = {"resnet50": 50, "resnet101": 101, "resnet152": 152}[name]
        return backbones.Backbone(ResNet(depth), backbones.TORCHVISION, "untrained")

    with mock.patch.object(fetch, "fetch"), mock.patch.object(resnet152, "pretrained", untrained):
        yield


def section(names: list[str], sizes: list[str], batch: int, setup: Setup, *, others: bool) -> Iterator[str]:
    """The README's section about a device and a batch, line by line."""
    rates = ", ".join(f"{rate / 1e9:.0f} GFLOP/s in {precision}" for precision, rate in setup.peak.operations.items())
    side, megabytes = setup.effort.side, setup.effort.copied >> 18
    yield f"## {setup.device.type}, batches of {batch}, tiles of {setup.tile or 'the default size'}"
    yield ""
    yield f"{date.today()}, commit {commit()}: {machine(setup.device)}, {platform.machine()}, Python"
    yield f"{platform.python_version()}, PyTorch {torch.__version__}. Measured here: {rates} in a product of two"
    yield f"{side}x{side} matrices, {setup.peak.bytes / 1e9:.0f} GB/s read and written in a copy of {megabytes} MB."
    yield ""
    yield from network_table(names, sizes, batch, setup)
    yield ""
    yield f"What the networks take at {setup.size}:"
    yield ""
    yield from work_table(names, setup)
    if others:
        yield ""
        yield f"All other methods, engine torch, fp32, {setup.size}, one pair; the backbones' weights are random:"
        yield ""
        with any_backbone():
            yield from others_table(setup)


def put(file: Path, device: str, batch: int, text: str) -> None:
    """Put a section into a Markdown file, in place of an older one of the same device and batch."""
    begin, end = f"<!-- {device} {batch} -->", f"<!-- end of {device} {batch} -->"
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    block = f"{begin}\n{text}\n{end}"
    found = re.search(re.escape(begin) + ".*?" + re.escape(end), old, re.DOTALL)
    new = old.replace(found.group(), block) if found else f"{old.rstrip()}\n\n{block}\n".lstrip()
    file.write_text(new, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the methods, and write the tables of perf/README.md.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--tile", type=int, help="the Fuser's; it also bounds how much is fused at once")
    parser.add_argument("--size", action="append", help=f"one of {', '.join(SIZES)}, or another; repeat for several")
    parser.add_argument("--method", action="append", choices=NETWORKS, help="repeat for several")
    parser.add_argument("--engine", action="append", choices=get_args(EngineName), help="repeat for several")
    parser.add_argument("--others", action="store_true", help="also the other methods; implied without a choice")
    parser.add_argument("--turns", type=int, default=Effort.turns, help="of each measurement; a quiet machine needs 1")
    parser.add_argument(
        "--trial", action="store_true", help="only see whether everything runs, and leave the README as it is"
    )
    parser.add_argument("--print", action="store_true", help="print the tables and leave the README as it is")
    parser.add_argument("--output", type=Path, help="a Markdown file to put the section into instead of the README")
    given = parser.parse_args()
    device = resolve(given.device)
    effort = TRIAL if given.trial else Effort(turns=given.turns)
    names, sizes = given.method or list(NETWORKS), given.size or list(SIZES)
    timed = [way for way in ways(device) if given.engine is None or way[0] in given.engine]
    # Shares of the limit need the peak of float32 even where no engine runs in it.
    peak = peaks(device, {"fp32", *(precision for _, precision in timed)}, effort)
    setup = Setup(device, given.tile, timed, peak, effort, sizes[0] if given.trial else OTHERS_SIZE)
    others = given.others or not (given.size or given.method or given.engine)
    lines = []
    for line in section(names, sizes, given.batch, setup, others=others):
        print(line, flush=True)
        lines.append(line)
    if given.output or not (given.print or given.trial):
        put(given.output or README, device.type, given.batch, "\n".join(lines))


if __name__ == "__main__":
    main()
