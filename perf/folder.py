"""Time `irfuse fuse` on a folder beside the most that its network and its codecs allow, and print Markdown.

    python perf/folder.py [--method METHOD] [--device DEVICE] [--pairs N] [--trial]

The folder repeats the two samples in color, 640x480. Each round first measures the network and the codecs by
themselves: their processor seconds, and for the network also the elapsed time. The figures are medians over the rounds.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

import torch

from irfuse import samples
from irfuse.device import cores, machine
from irfuse.fuser import Fuser
from irfuse.io import images
from irfuse.io.pairs import Pair, find
from irfuse.pipelines import folder

RUNS = 30
"""Runs of each part that is measured by itself."""
ROUNDS = 5


@dataclass(frozen=True)
class Seconds:
    """The result of one round, in seconds.

    Attributes:
        network, color, decoding, encoding: processor time per pair; color is everything else that the Fuser does.
        alone: elapsed time of the network per pair.
        folder: elapsed time of the whole folder.
    """

    network: float
    color: float
    decoding: float
    encoding: float
    alone: float
    folder: float


def folder_of(count: int, folder: Path) -> tuple[Pair, ...]:
    """Write this many pairs into an empty folder."""
    sources = [pair for pair in samples.pairs() if pair.name.startswith("msrs")]
    for name in ("ir", "vis"):
        (folder / name).mkdir()
    for number in range(count):
        pair = sources[number % len(sources)]
        shutil.copy(pair.ir, folder / "ir" / f"{number:04}.png")
        shutil.copy(pair.vis, folder / "vis" / f"{number:04}.png")
    return find(folder).pairs


def spent(function: Callable[[], object], runs: int) -> tuple[float, float]:
    """The processor seconds and the elapsed seconds of a run, after as many runs that do not count."""
    for _ in range(runs):
        # The threads of the function before stay awake for a while, and would count as this one's.
        function()
    start, processors = time.perf_counter(), time.process_time()
    for _ in range(runs):
        function()
    return (time.process_time() - processors) / runs, (time.perf_counter() - start) / runs


def measure(fuser: Fuser, pairs: Sequence[Pair], output: Path, runs: int) -> Seconds:
    """Measure every part by itself, `runs` times, and then the folder."""
    ir, vis = images.read(pairs[0].ir), images.read(pairs[0].vis)
    fused = fuser(ir, vis)
    planes = torch.rand(1, 1, *ir.shape[:2], device=fuser.device)
    network, alone = spent(lambda: fuser(planes, planes).cpu(), runs)
    whole, _ = spent(lambda: fuser(ir, vis), runs)
    decoding, _ = spent(lambda: (images.read(pairs[0].ir), images.read(pairs[0].vis)), runs)
    encoding, _ = spent(lambda: images.encode(fused, ".png"), runs)
    start = time.perf_counter()
    report = folder.run(pairs, output, fuser)
    seconds = time.perf_counter() - start
    assert len(report.fused) == len(pairs), report.failures
    return Seconds(network, whole - network, decoding, encoding, alone, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a folder of pairs.")
    parser.add_argument("--method", default="encoder-decoder")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--trial", action="store_true", help="only see whether everything runs, once")
    given = parser.parse_args()
    rounds_of, runs = (1, 1) if given.trial else (ROUNDS, RUNS)
    fuser = Fuser(given.method, device=given.device)
    with tempfile.TemporaryDirectory() as name:
        pairs = folder_of(given.pairs, Path(name))
        rounds = [measure(fuser, pairs, Path(name) / "fused", runs) for _ in range(rounds_of)]
    used = f"{fuser.choice.engine}, {fuser.choice.precision}"
    print(f"{date.today()}, {machine(fuser.device)}: `{given.method}` ({used}),")
    print(f"{len(pairs)} pairs of 640x480 in color, PNG to PNG, {rounds_of} times.\n")
    print("| | processor ms a pair |\n|---|---:|")
    print(f"| the network | {1000 * median(r.network for r in rounds):.1f} |")
    print(f"| color and the rest of the Fuser | {1000 * median(r.color for r in rounds):.1f} |")
    print(f"| decoding | {1000 * median(r.decoding for r in rounds):.1f} |")
    print(f"| encoding | {1000 * median(r.encoding for r in rounds):.1f} |")
    rates = [len(pairs) / r.folder for r in rounds]
    allowed = [cores() / (r.network + r.decoding + r.encoding) for r in rounds]
    print("\n| | pairs/s |\n|---|---:|")
    print(f"| the folder | {median(rates):.1f} |")
    print(f"| what the network's and the codecs' processor time allow on {cores()} cores | {median(allowed):.1f} |")
    print(f"| the network alone, one pair after the other | {1 / median(r.alone for r in rounds):.1f} |")
    print("\nThe folders, one after the other and their median:")
    print(f"{shares([rate / most for rate, most in zip(rates, allowed, strict=True)])} of what processor time allows,")
    print(f"{shares([rate * r.alone for rate, r in zip(rates, rounds, strict=True)])} of the network's rate.")


def shares(values: Sequence[float]) -> str:
    return f"{', '.join(f'{value:.0%}' for value in values)}; {median(values):.0%}"


if __name__ == "__main__":
    main()
