"""What 8-bit integers would cost the network methods, by ONNX Runtime's static quantisation; print Markdown.

python scripts/try_int8.py

Convolutions are quantised a channel at a time, and the ranges of what flows between them are taken from the very crops
that are compared afterwards, which flatters the result. docs/deploy.md has the numbers, and why int8 is not offered.
"""

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from irfuse import samples
from irfuse.deploy.export import graph
from irfuse.imaging.color import luma
from irfuse.io import images
from irfuse.methods import build

SPECS = ("res2netfuse", "encoder-decoder", "attention-ensemble")
HEIGHT, WIDTH = 192, 256

Crops = dict[str, NDArray[np.float32]]


def crops() -> Iterator[Crops]:
    """The upper left corner of each sample pair's lumas, (1, 1, H, W) in [0, 1]."""
    for pair in samples.pairs():
        lumas = []
        for path in (pair.ir, pair.vis):
            image = images.read(path)[:HEIGHT, :WIDTH].astype(np.float32) / 255
            lumas.append(luma(image[..., 0], image[..., 1], image[..., 2]) if image.ndim == 3 else image)
        yield {name: gray[None, None] for name, gray in zip(("ir", "vis"), lumas, strict=True)}


class Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        self._crops = crops()

    def get_next(self) -> Crops | None:
        return next(self._crops, None)


def quantised(data: bytes, folder: Path) -> Path:
    plain, prepared, result = (folder / name for name in ("plain.onnx", "prepared.onnx", "int8.onnx"))
    plain.write_bytes(data)
    quant_pre_process(plain, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        result,
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "ConvTranspose"],
    )
    return result


def main() -> None:
    print("| method | PSNR of int8 against float32, the smallest and the largest of five crops |\n|---|---:|")
    for spec in SPECS:
        method = build(spec).eval().requires_grad_(False)
        with tempfile.TemporaryDirectory() as folder:
            path = quantised(graph(method), Path(folder))
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        psnrs = []
        for crop in crops():
            expected = method(*[torch.from_numpy(image) for image in crop.values()]).numpy()
            errors = session.run(None, crop)[0].astype(np.float64) - expected
            psnrs.append(-10 * math.log10(float((errors**2).mean())))
        print(f"| `{spec}` | {min(psnrs):.1f} to {max(psnrs):.1f} dB |", flush=True)


if __name__ == "__main__":
    main()
