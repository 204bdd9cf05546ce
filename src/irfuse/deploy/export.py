"""Export: methods as ONNX graphs, for other engines and as files for machines without PyTorch.

A graph takes ``ir``, (B, 1, H, W), and ``vis``, (B, C, H, W), and returns ``fused``, (B, C, H, W). All are float32 in
[0, 1], and B, H and W may be any number from 1 up: the graph pads to the size rule and crops inside.
"""

import copy
import io
import json
import math
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from irfuse import samples
from irfuse import weights as weight_files
from irfuse.choices import check_choice
from irfuse.deploy.runtime import METADATA_KEY, Float32, Graph
from irfuse.errors import ExportError, MissingDependencyError, ParameterError
from irfuse.imaging import planes
from irfuse.imaging.color import gray
from irfuse.installation import install
from irfuse.io import images
from irfuse.io.files import make_folder, sha256, write_atomic
from irfuse.methods import build, code_digest, values
from irfuse.methods.base import File, IterativeMethod, Method
from irfuse.progress import Progress, silent
from irfuse.weights import fetch

FilePrecision = Literal["fp32", "fp16"]
"""The precision in which a file computes. Its inputs and outputs are always float32."""

_EXPORTING = threading.Lock()
"""PyTorch's exporter keeps its state in globals."""
_FOLDING = "Constant folding - Only steps=1 can be constant folded"
_OPSET = 18
_EXAMPLE = (2, 70, 101)
"""Batch, height and width of the traced example: none is 1 and none fits a size rule, so that no step is left out."""
_MOST_DIFFERENCE = 1e-4
"""The largest difference between a float32 file and PyTorch, in [0, 1]."""
_LEAST_PSNR = 50.0
"""The smallest PSNR between an fp16 file and PyTorch in float32, in decibels."""
_LUMA = "BT.601: 0.299 R + 0.587 G + 0.114 B is fused; a color image becomes rgb + (fused - luma), clipped to [0, 1]"


@dataclass(frozen=True)
class Exported:
    """An exported file.

    Attributes:
        path: the file.
        difference: the largest difference from PyTorch in float32 over the sample pairs, in [0, 1].
        psnr: the smallest PSNR against PyTorch in float32 over the sample pairs, in decibels.
    """

    path: Path
    difference: float
    psnr: float


def export(spec: str, path: Path, *, precision: FilePrecision = "fp32", on_fetch: Progress = silent) -> Exported:
    """Write a method as an ONNX file, after a check against PyTorch on the sample pairs.

    Args:
        spec: the spec of a method that has a graph.
        path: the file. An existing file is replaced, and its folder is created.
        precision: the precision of the computation.
        on_fetch: as :func:`irfuse.methods.build` takes it.

    Raises:
        SpecError, WeightsError: as :func:`irfuse.methods.build` raises them.
        ParameterError: the method has no graph, or there is no such precision.
        MissingDependencyError: ONNX or ONNX Runtime is not installed.
        ExportError: the file's results differ from PyTorch's.
        OutputError: the file cannot be written.

    >>> export("encoder-decoder", Path("fuse.onnx")).difference < 1e-4  # doctest: +SKIP
    True
    """
    check_choice("precision", precision, FilePrecision)
    method = build(spec, on_fetch=on_fetch).eval()
    data = _described(graph(method, precision), {"spec": spec, "precision": precision, **facts(method, spec)})
    difference, psnr = _compare(Graph(data, name=str(path)), method)
    # NaN is neither.
    is_near = difference <= _MOST_DIFFERENCE if precision == "fp32" else psnr >= _LEAST_PSNR
    if not is_near:
        raise ExportError(
            f"{spec} in {precision} differs from PyTorch in float32 by up to {difference:.2g} ({psnr:.1f} dB) on the "
            "sample pairs, so nothing was written: export it in fp32, with the versions of constraints.txt"
        )
    make_folder(path.parent)
    write_atomic(path, data)
    return Exported(path, difference, psnr)


def graph(method: Method, precision: FilePrecision = "fp32") -> bytes:
    """Make a method's ONNX graph, without metadata; the module's text describes it.

    Raises:
        ParameterError: the method has no graph.
        MissingDependencyError: ONNX is not installed.
    """
    check_graph(method)
    if find_spec("onnx") is None:
        raise MissingDependencyError(f"ONNX is not installed: {install('onnx')}")
    # Modes of PyTorch, such as its counter of operations, belong to a thread, and spoil what is traced under them.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_trace, method, precision).result()


def _trace(method: Method, precision: FilePrecision) -> bytes:
    batch, height, width = _EXAMPLE
    # A copy on the CPU, contiguous, wherever the method itself is.
    wrapped = _AnySize(copy.deepcopy(method).to("cpu", memory_format=torch.contiguous_format), precision).eval()  # type: ignore[call-overload]
    example = torch.full((batch, 1, height, width), 0.5), torch.full((batch, method.vis_channels, height, width), 0.5)
    names = ("ir", "vis", "fused")
    data = io.BytesIO()
    # Tracing takes a small part of the time of PyTorch's newer exporter, and the first pair waits for it. The engines
    # fold constants themselves.
    with _EXPORTING, torch.no_grad():
        # PyTorch says this of the padding of every network. The filter names this one message and stays: taking it away
        # again would race with the filters of other threads.
        warnings.filterwarnings("ignore", message=_FOLDING, category=UserWarning)
        torch.onnx.export(
            wrapped,
            example,
            data,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=_OPSET,
            do_constant_folding=False,
            input_names=names[:2],
            output_names=names[2:],
            dynamic_axes={name: {0: "batch", 2: "height", 3: "width"} for name in names},
        )
    return data.getvalue()


def check_graph(method: Method | type[Method]) -> None:
    """Refuse a method that has no graph.

    Raises:
        ParameterError: it has none; the error says why.
    """
    if not method.has_graph:
        raise ParameterError(f"{method.info.name} cannot be exported: {why_no_graph(method)}")


def why_no_graph(method: Method | type[Method]) -> str:
    """Say why a method has no graph.

    >>> from irfuse.methods.average import Average
    >>> why_no_graph(Average)
    'it has no network'
    """
    if isinstance(method, IterativeMethod) or (isinstance(method, type) and issubclass(method, IterativeMethod)):
        return "it optimizes each pair"
    if method.needs_statistics:
        return "with these parameters it needs statistics of the whole image"
    if isinstance(method, Method) and any(True for _ in method.parameters()):
        return "with these parameters it does what ONNX cannot express"
    return "it has no network"


def facts(method: Method, spec: str) -> dict[str, Any]:
    """Describe a file: its method, its weights, and its inputs.

    Texts are empty where they do not apply: those of the weights if the method has none, the license if the weights are
    the user's own, and the digest of the code if the method ships with irfuse.
    """
    info = method.info
    weights = _weights(method, spec)
    return {
        "method": info.name,
        "title": info.title,
        "weights": ", ".join(path.name for path in weights),
        "weights_sha256": ", ".join(map(sha256, weights)),
        "license": ", ".join(filter(None, weights.values())),
        "code_digest": code_digest(type(method)),
        "range": "float32 in [0, 1]",
        "luma": _LUMA,
        "vis_channels": method.vis_channels,
        "tiling": info.tiling,
        "multiple": info.multiple,
        "halo": info.halo,
        "irfuse": version("irfuse"),
    }


class _AnySize(nn.Module):
    """A method that pads to its size rule and crops inside the graph, as the Fuser does outside."""

    def __init__(self, method: Method, precision: FilePrecision) -> None:
        super().__init__()
        self.in_half = precision == "fp16"
        self.method = method.half() if self.in_half else method

    def forward(self, ir: Tensor, vis: Tensor) -> Tensor:
        rows, columns = (self._places(side) for side in ir.shape[2:])
        padded = [image[:, :, rows][..., columns] for image in (ir, vis)]
        fused: Tensor = self.method(*[image.half() if self.in_half else image for image in padded])
        return fused[..., : ir.shape[2], : ir.shape[3]].float()

    def _places(self, side: int | Tensor) -> Tensor:
        """Return the rows or columns to take: all, then the last one repeated up to the padded size."""
        info = self.method.info
        # A side is a tensor while it is traced, and only operations on tensors get into the graph.
        count = side if isinstance(side, Tensor) else torch.tensor(side)
        padded = (count.clamp(min=info.minimum) + info.multiple - 1) // info.multiple * info.multiple
        return torch.arange(padded).minimum(count - 1)  # type: ignore[call-overload, no-any-return]


def _weights(method: Method, spec: str) -> dict[Path, str]:
    """The files of a spec's weights with their licenses. The license of a user's own file is empty."""
    backbones = [fetch.places(name)[0] for name in values(spec, File.BACKBONE)]
    paths = [weight_files.find(method.info.name, name) for name in values(spec, File.WEIGHTS)]
    licenses = {shipped.path: shipped.license for shipped in weight_files.manifest()}
    return {found.path: found.file.license for found in backbones} | {path: licenses.get(path, "") for path in paths}


def _described(data: bytes, metadata: dict[str, Any]) -> bytes:
    # Imported here, since only exports to files need it.
    import onnx

    model = onnx.load_from_string(data)
    model.producer_name, model.producer_version = "irfuse", version("irfuse")
    # Tracing does not always find out how many channels come out.
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = metadata["vis_channels"]
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def _compare(exported: Graph, method: Method) -> tuple[float, float]:
    """Return the largest difference from a method and the smallest PSNR over the sample pairs."""
    differences, errors = [], []
    for pair in samples.pairs():
        ir, vis = (_gray(path) for path in (pair.ir, pair.vis))
        vis = vis.repeat(method.vis_channels, axis=1)
        # A quarter of the image is enough, at a size that fits no rule.
        ir, vis = (image[..., : image.shape[2] // 2 - 1, : image.shape[3] // 2 - 1] for image in (ir, vis))
        with torch.no_grad():
            expected = _AnySize(method, "fp32")(torch.from_numpy(ir), torch.from_numpy(vis)).numpy()
        difference = np.abs(exported(ir, vis).astype(np.float64) - expected)
        differences.append(float(difference.max()))
        errors.append(float((difference**2).mean()))
    # NumPy's maximum is NaN where one is.
    worst = float(np.max(errors))
    return float(np.max(differences)), math.inf if worst == 0 else -10 * math.log10(worst)


def _gray(path: Path) -> Float32:
    """Read the luma of an image file, (1, 1, H, W) in [0, 1]."""
    return gray(planes.from_array(images.read(path), "visible").unit())
