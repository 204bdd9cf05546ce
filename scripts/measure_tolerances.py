"""Compare each engine and precision with float32 PyTorch on the sample pairs, and write the table that `auto` uses.

    python scripts/measure_tolerances.py

It writes src/irfuse/engines/tolerances.toml. Half precision on a GPU is measured on the CPU, whose sums are at least
as exact. The script needs a CPU that computes in bfloat16, and takes minutes, mostly for the compiler.
"""

import math
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from irfuse import engines, samples
from irfuse.deploy.export import facts
from irfuse.device import computes_in, cores
from irfuse.engines.base import TENSOR_ENGINES, Engine, EngineName, Precision
from irfuse.engines.choose import Choice
from irfuse.engines.tolerances import PATH
from irfuse.imaging import planes, sizes, tiling
from irfuse.imaging.color import gray
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.methods import build
from irfuse.methods.base import Method

SPECS = (
    "ember",
    "ember:weights=nano",
    "res2netfuse",
    "res2netfuse:weights=many",
    "encoder-decoder",
    "attention-ensemble",
)
WAYS: tuple[tuple[EngineName, Precision], ...] = (
    ("torch", "fp16"),
    ("torch", "bf16"),
    ("compile", "fp32"),
    ("compile", "bf16"),
    ("onnx", "fp32"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
)


def sources(pair: Pair, method: Method) -> tuple[Tensor, Tensor]:
    """Read the lumas of a pair, padded to the method's size rule."""
    info = method.info
    padded = []
    for path in (pair.ir, pair.vis):
        image = gray(planes.from_array(images.read(path), "visible").unit())
        below, right = (sizes.padded(side, info.multiple, info.minimum) - side for side in image.shape[2:])
        padded.append(torch.from_numpy(np.ascontiguousarray(tiling.pad(image, below, right))))
    return padded[0], padded[1]


def fuse(name: EngineName, engine: Engine, ir: Tensor, vis: Tensor) -> Tensor:
    """Fuse tensors by an engine, also by one that takes arrays."""
    return engine(ir, vis) if name in TENSOR_ENGINES else torch.from_numpy(engine(ir.numpy(), vis.numpy()))


def main() -> None:
    if not computes_in(torch.device("cpu"), "bf16"):
        raise SystemExit("this CPU does not compute in bfloat16")
    torch.set_grad_enabled(False)
    lines = [
        "# How near engines come to float32 PyTorch on the sample pairs: the smallest PSNR of their fused lumas, in",
        "# decibels, and the largest difference of a pixel, in [0, 1]. Written by scripts/measure_tolerances.py.",
    ]
    for spec in SPECS:
        method = build(spec).eval().to(memory_format=torch.channels_last)
        pairs = [sources(pair, method) for pair in samples.pairs()]
        expected = [method(*pair) for pair in pairs]
        for name, precision in WAYS:
            engine = engines.make(Choice(name, precision, "to measure"), method, cores())
            errors = [(fuse(name, engine, *pair) - fused).double() for pair, fused in zip(pairs, expected, strict=True)]
            psnr = -10 * math.log10(max(float(error.square().mean()) for error in errors))
            difference = max(float(error.abs().max()) for error in errors)
            # Mean errors of the even and of the odd rows, in gray levels: they show what is systematic.
            even, odd = (255 * fmean(float(error[:, :, row::2].mean()) for error in errors) for row in (0, 1))
            systematic = f"even rows {even:+.3f}, odd rows {odd:+.3f}"
            print(spec, name, precision, f"{psnr:.1f} dB, {difference:.2g}, {systematic}", flush=True)
            lines += [
                "",
                "[[tolerances]]",
                f'spec = "{spec}"',
                f'weights_sha256 = "{facts(method, spec)["weights_sha256"]}"',
                f'engine = "{name}"',
                f'precision = "{precision}"',
                # Rounded to the worse side.
                f"psnr = {math.floor(10 * psnr) / 10}",
                f"difference = {math.ceil(1e7 * difference) / 1e7:.7f}",
            ]
    PATH.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
