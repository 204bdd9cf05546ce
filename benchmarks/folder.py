"""Time `irfuse fuse` on a folder, beside what its network and its codecs alone would allow, and print Markdown.

python benchmarks/folder.py [--method METHOD] [--device DEVICE] [--pairs N]

The pairs are the two samples in colour, 640x480, over and over. What the network and the codecs take is measured alone:
their processor seconds, shared among the cores, and on a GPU the time of the network itself.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import torch

from irfuse import images, pipeline, samples
from irfuse.device import cores, machine
from irfuse.fuser import Fuser
from irfuse.pairs import Pair, find

ALONE = 30
"""Runs of what is measured alone."""


def folder_of(count: int, folder: Path) -> tuple[Pair, ...]:
    """So many pairs in a new folder."""
    sources = [pair for pair in samples.pairs() if pair.name.startswith("msrs")]
    for name in ("ir", "vis"):
        (folder / name).mkdir()
    for number in range(count):
        pair = sources[number % len(sources)]
        shutil.copy(pair.ir, folder / "ir" / f"{number:04}.png")
        shutil.copy(pair.vis, folder / "vis" / f"{number:04}.png")
    return find(folder).pairs


def spent(function: Callable[[], object]) -> tuple[float, float]:
    """The processor seconds and the seconds that a run takes, after some that do not count."""
    for _ in range(ALONE):
        # The threads of what ran before are awake for a while, and their time is not this function's.
        function()
    start, processors = time.perf_counter(), time.process_time()
    for _ in range(ALONE):
        function()
    return (time.process_time() - processors) / ALONE, (time.perf_counter() - start) / ALONE


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a folder of pairs.")
    parser.add_argument("--method", default="encoder-decoder")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--pairs", type=int, default=200)
    given = parser.parse_args()
    fuser = Fuser(given.method, device=given.device)
    with tempfile.TemporaryDirectory() as name:
        pairs = folder_of(given.pairs, Path(name))
        ir, vis = images.read(pairs[0].ir), images.read(pairs[0].vis)
        fused = fuser(ir, vis)
        planes = torch.rand(1, 1, *ir.shape[:2], device=fuser.device)
        network, network_seconds = spent(lambda: fuser(planes, planes).cpu())
        whole, _ = spent(lambda: fuser(ir, vis))
        decoding, _ = spent(lambda: (images.read(pairs[0].ir), images.read(pairs[0].vis)))
        encoding, _ = spent(lambda: images.encode(fused, ".png"))
        start = time.perf_counter()
        report = pipeline.run(pairs, Path(name) / "fused", fuser)
        seconds = time.perf_counter() - start
    assert len(report.fused) == len(pairs), report.failures
    rate = len(pairs) / seconds
    allowed = cores() / (network + decoding + encoding)
    print(
        f"{date.today()}, {machine(fuser.device)}: `{given.method}` ({fuser.choice.engine}, {fuser.choice.precision}),"
    )
    print(f"{len(pairs)} pairs of 640x480 in colour, PNG to PNG.\n")
    print("| | processor ms a pair |\n|---|---:|")
    print(f"| the network | {1000 * network:.1f} |")
    print(f"| colour and the rest of the Fuser | {1000 * (whole - network):.1f} |")
    print(f"| decoding | {1000 * decoding:.1f} |")
    print(f"| encoding | {1000 * encoding:.1f} |")
    print("\n| | pairs/s |\n|---|---:|")
    print(f"| the folder | {rate:.1f} |")
    print(f"| what the network's and the codecs' processor time allow on {cores()} cores | {allowed:.1f} |")
    print(f"| the network alone, one pair after the other | {1 / network_seconds:.1f} |")
    shares = (
        f"{rate / allowed:.0%} of what processor time allows, and {rate * network_seconds:.0%} of the network's rate"
    )
    print(f"\nThat is {shares}.")


if __name__ == "__main__":
    main()
