"""Print where OpenVINO spends the time of a method at 640x480, layer by layer, as Markdown.

python scripts/profile_openvino.py [METHOD] [PRECISION]      by default encoder-decoder in bf16

GFLOP are those of the method's own layers, whatever they were rewritten into.
"""

import sys

import openvino
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from irfuse.device import cores
from irfuse.engines.base import Precision
from irfuse.engines.openvino import settings
from irfuse.engines.rewrites import for_openvino
from irfuse.export import graph
from irfuse.methods import build
from irfuse.methods.base import Method

HEIGHT, WIDTH = 480, 640
RUNS = 20
LEAST = 0.01
"""The share of the time from which on a layer gets a row of its own."""


def operations(method: Method, pair: tuple[Tensor, Tensor]) -> dict[str, float]:
    """Those of each convolution, by its name."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        method(*pair)
    counts = {name.partition(".")[2]: sum(kinds.values()) for name, kinds in counter.get_flop_counts().items()}
    convolutions = [name for name, layer in method.named_modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    return {name: counts[name] for name in convolutions if name in counts}


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "encoder-decoder"
    precision: Precision = "fp32" if "fp32" in sys.argv[2:] else "bf16"
    pair = torch.rand(1, 1, HEIGHT, WIDTH), torch.rand(1, 1, HEIGHT, WIDTH)
    core = openvino.Core()
    model = core.read_model(model=graph(for_openvino(build(name).eval(), precision)))
    model.reshape({key: list(image.shape) for key, image in zip(("ir", "vis"), pair, strict=True)})
    request = core.compile_model(
        model, "CPU", {**settings(precision, cores()), "PERF_COUNT": True}
    ).create_infer_request()
    milliseconds: dict[tuple[str, str], float] = {}
    for _ in range(RUNS):
        request.infer([image.numpy() for image in pair])
        for node in request.get_profiling_info():
            key = node.node_name.replace("/", ".").removeprefix(".method."), node.node_type
            milliseconds[key] = milliseconds.get(key, 0) + 1000 * node.real_time.total_seconds() / RUNS
    print_table(milliseconds, operations(build(name).eval(), pair))


def print_table(milliseconds: dict[tuple[str, str], float], counts: dict[str, float]) -> None:
    total, rest = sum(milliseconds.values()), 0.0
    print("| layer | | ms | GFLOP | GFLOP/s |\n|---|---|---:|---:|---:|")
    for (name, kind), spent in sorted(milliseconds.items(), key=lambda item: -item[1]):
        if spent < LEAST * total:
            rest += spent
            continue
        done = next((count for layer, count in counts.items() if name.startswith(f"{layer}.")), None)
        rate = ("", "") if done is None else (f"{done / 1e9:.2f}", f"{done / 1e6 / spent:.0f}")
        print(f"| `{name}` | {kind} | {spent:.2f} | {rate[0]} | {rate[1]} |")
    print(f"| all others | | {rest:.2f} | | |")
    print(f"| together | | {total:.2f} | {sum(counts.values()) / 1e9:.2f} | {sum(counts.values()) / 1e6 / total:.0f} |")


if __name__ == "__main__":
    main()
