"""Print the time that OpenVINO spends in each layer of a method at 640x480, as Markdown.

    python perf/openvino_layers.py [METHOD] [PRECISION]      by default encoder-decoder in bf16

GFLOP counts the method's own layers, whatever irfuse rewrites them into.
"""

import math
import sys
from typing import Any

import numpy as np
import openvino

from irfuse.deploy.export import graph
from irfuse.device import cores
from irfuse.engines.base import Precision
from irfuse.engines.openvino import read, settings
from irfuse.engines.rewrites import for_openvino
from irfuse.methods import build
from irfuse.methods.base import Method

HEIGHT, WIDTH = 480, 640
RUNS = 20
LEAST = 0.01
"""The least share of the time for which a layer gets a row of its own."""


def read_at_size(core: Any, method: Method) -> Any:
    model = read(core, graph(method))
    model.reshape({"ir": [1, 1, HEIGHT, WIDTH], "vis": [1, method.vis_channels, HEIGHT, WIDTH]})
    return model


def operations(model: Any) -> dict[str, float]:
    """The operations of each convolution, by its name. A transposed one has a product for each input pixel."""
    counts = {}
    for layer in model.get_ops():
        if "Convolution" in layer.get_type_name():
            pixels = layer.input(0) if "Backprop" in layer.get_type_name() else layer.output(0)
            products = math.prod(layer.input(1).get_shape()) * math.prod(list(pixels.get_shape())[2:])
            counts[readable(layer.get_friendly_name()).partition(".Conv")[0]] = 2 * products
    return counts


def readable(name: str) -> str:
    return name.replace("/", ".").removeprefix(".method.")


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "encoder-decoder"
    precision: Precision = "fp32" if "fp32" in sys.argv[2:] else "bf16"
    method, core = build(name).eval(), openvino.Core()
    model = read_at_size(core, for_openvino(method, precision))
    request = core.compile_model(
        model, "CPU", {**settings(precision, cores()), "PERF_COUNT": True}
    ).create_infer_request()
    pair = [np.random.default_rng(0).random(entry.get_shape(), np.float32) for entry in model.inputs]
    milliseconds: dict[tuple[str, str], float] = {}
    for _ in range(RUNS):
        request.infer(pair)
        for node in request.get_profiling_info():
            key = readable(node.node_name), node.node_type
            milliseconds[key] = milliseconds.get(key, 0) + 1000 * node.real_time.total_seconds() / RUNS
    print_table(milliseconds, operations(read_at_size(core, method)))


def print_table(milliseconds: dict[tuple[str, str], float], counts: dict[str, float]) -> None:
    total, rest = sum(milliseconds.values()), 0.0
    print("| layer | | ms | GFLOP | GFLOP/s |\n|---|---|---:|---:|---:|")
    for (name, kind), spent in sorted(milliseconds.items(), key=lambda item: -item[1]):
        if spent < LEAST * total:
            rest += spent
            continue
        own = (count for layer, count in counts.items() if "Convolution" in kind and name.startswith(f"{layer}."))
        done = next(own, None)
        rate = ("", "") if done is None else (f"{done / 1e9:.2f}", f"{done / 1e6 / spent:.0f}")
        print(f"| `{name}` | {kind} | {spent:.2f} | {rate[0]} | {rate[1]} |")
    print(f"| all others | | {rest:.2f} | | |")
    print(f"| together | | {total:.2f} | {sum(counts.values()) / 1e9:.2f} | {sum(counts.values()) / 1e6 / total:.0f} |")


if __name__ == "__main__":
    main()
