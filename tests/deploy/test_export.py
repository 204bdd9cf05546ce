"""An exported file equals the method at any size and describes itself, or it is not written."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from irfuse.deploy import export as exporting
from irfuse.deploy.export import export, graph
from irfuse.deploy.runtime import Float32, Graph, Model
from irfuse.errors import ExportError, MissingDependencyError, ParameterError, SpecError
from irfuse.fuser import Fuser
from irfuse.io import images
from irfuse.io.files import sha256
from irfuse.io.pairs import Pair
from irfuse.methods import METHODS, build
from irfuse.methods.encoder_decoder import Network
from irfuse.weights import manifest, save

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SPECS = ["ember", "res2netfuse", "encoder-decoder", "attention-ensemble"]
SIZES = ((1, 1), (1, 7), (7, 1), (12, 13), (33, 97))
FLOAT32 = 1e-5


@pytest.mark.parametrize("spec", [*SPECS, "resnet152:backbone=resnet50"])
def test_file_equals_the_fuser(spec: str, tmp_path: Path, real_batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    if "backbone" in spec and "IRFUSE_WEIGHTS" not in os.environ:
        pytest.skip("IRFUSE_WEIGHTS does not name the folder of the backbones' weights")
    path = tmp_path / "fuse.onnx"
    done = export(spec, path)
    assert done.difference < FLOAT32
    assert [file.name for file in tmp_path.iterdir()] == ["fuse.onnx"]
    run, fuser = Graph(path), Fuser(build(spec), device="cpu")
    # Every size works, as single pairs and as a batch. The Fuser pads and crops outside the method.
    for height, width in SIZES:
        for batch in (1, 3):
            images = [np.random.default_rng(0).random((batch, 1, height, width), np.float32) for _ in range(2)]
            expected = fuser(*[torch.from_numpy(image) for image in images]).numpy()
            np.testing.assert_allclose(run(*images), expected, rtol=0, atol=FLOAT32)
    expected = fuser(*real_batch).numpy()
    np.testing.assert_allclose(run(*[image.numpy() for image in real_batch]), expected, rtol=0, atol=FLOAT32)


def test_every_method_with_a_graph_is_tested() -> None:
    assert [method.info.name for method in METHODS if method.has_graph] == [*SPECS, "resnet152"]


@pytest.mark.parametrize("spec", SPECS)
def test_half_precision(spec: str, tmp_path: Path) -> None:
    done = export(spec, tmp_path / "fuse.onnx", precision="fp16")
    assert 50 < done.psnr < 90
    model = onnx.load(tmp_path / "fuse.onnx")
    kinds = {tensor.data_type for tensor in model.graph.initializer if len(tensor.dims) == 4}
    assert kinds == {onnx.TensorProto.FLOAT16}
    taken = {value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)}
    assert taken == {onnx.TensorProto.FLOAT}
    assert model.graph.output[0].type.tensor_type.shape.dim[1].dim_value == 1


def test_file_describes_itself(tmp_path: Path) -> None:
    export("res2netfuse:weights=many", tmp_path / "fuse.onnx")
    entry = next(entry for entry in manifest() if entry.file == "res2netfuse-many-v1.safetensors")
    facts = Graph(tmp_path / "fuse.onnx").metadata
    assert facts["spec"] == "res2netfuse:weights=many"
    assert (facts["method"], facts["precision"], facts["vis_channels"]) == ("res2netfuse", "fp32", 1)
    assert (facts["weights"], facts["weights_sha256"], facts["license"]) == (entry.file, entry.sha256, "MIT")
    assert facts["range"] == "float32 in [0, 1]"
    assert "0.299 R + 0.587 G + 0.114 B" in facts["luma"]
    model = onnx.load(tmp_path / "fuse.onnx")
    for value in (*model.graph.input, *model.graph.output):
        batch, channels, height, width = value.type.tensor_type.shape.dim
        assert channels.dim_value == 1
        assert (batch.dim_param, height.dim_value, width.dim_value) == ("batch", 0, 0)


def test_weights_of_the_user(tmp_path: Path) -> None:
    path = next(entry for entry in manifest() if entry.file == "res2netfuse-many-v1.safetensors").path
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(path.read_bytes())
    export(f"res2netfuse:weights={mine}", tmp_path / "fuse.onnx")
    facts = Graph(tmp_path / "fuse.onnx").metadata
    assert (facts["weights"], facts["weights_sha256"], facts["license"]) == ("mine.safetensors", sha256(mine), "")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("average", "average cannot be exported: it has no network"),
        ("nst", "nst cannot be exported: it optimizes each pair"),
        ("res2netfuse:strategy=mean", "with these parameters it needs statistics of the whole image"),
        ("resnet152:backbone=resnet50,variant=code", "with these parameters it does what ONNX cannot express"),
    ],
)
def test_methods_without_a_graph(spec: str, reason: str, tmp_path: Path) -> None:
    if "backbone" in spec and "IRFUSE_WEIGHTS" not in os.environ:
        pytest.skip("IRFUSE_WEIGHTS does not name the folder of the backbones' weights")
    with pytest.raises(ParameterError, match=reason):
        export(spec, tmp_path / "fuse.onnx")


def test_unknown_method_and_precision(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="did you mean 'res2netfuse'"):
        export("res2netfus", tmp_path / "fuse.onnx")
    with pytest.raises(ParameterError, match="precision cannot be 'int8'; choose one of fp32, fp16"):
        export("res2netfuse", tmp_path / "fuse.onnx", precision="int8")  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_wrong_results_are_not_written(
    precision: exporting.FilePrecision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has other weights than the method that it is checked against, so it is close but wrong."""
    other = build("res2netfuse:weights=many").eval()
    monkeypatch.setattr(exporting, "graph", lambda method, precision: graph(other, precision))
    with pytest.raises(ExportError, match=r"differs from PyTorch in float32 by up to .* nothing was written"):
        export("res2netfuse", tmp_path / "fuse.onnx", precision=precision)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_nan_is_not_written(
    precision: exporting.FilePrecision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half precision gives NaN where sums overflow, here in one pixel of one pair."""
    run = Graph.__call__
    calls = []

    def overflowing(self: Graph, ir: Float32, vis: Float32) -> Float32:
        fused = run(self, ir, vis)
        calls.append(1)
        fused[..., 0, 0] = np.nan if len(calls) == 2 else fused[..., 0, 0]
        return fused

    monkeypatch.setattr(Graph, "__call__", overflowing)
    with pytest.raises(ExportError, match="nothing was written"):
        export("encoder-decoder", tmp_path / "new" / "fuse.onnx", precision=precision)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_color_network(precision: exporting.FilePrecision, tmp_path: Path, msrs_day: Pair) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "color.safetensors"
    network = Network(4, 3)
    for parameter in network.parameters():
        parameter.data *= 2
    save(network, {"method": "encoder-decoder", "width": 4, "channels": 3}, weights)
    spec = f"encoder-decoder:weights={weights}"
    export(spec, tmp_path / "fuse.onnx", precision=precision)
    ir, vis = images.read(msrs_day.ir), images.read(msrs_day.vis)
    fused = Model(tmp_path / "fuse.onnx")(ir, vis)
    expected = Fuser(spec, device="cpu", engine="torch", precision="fp32")(ir, vis)
    np.testing.assert_allclose(fused.astype(int), expected.astype(int), atol=1 if precision == "fp32" else 2)
    assert len(np.unique(fused[..., 0].astype(int) - fused[..., 2])) > 10


def test_the_method_is_unchanged() -> None:
    method = build("encoder-decoder").to(memory_format=torch.channels_last).eval()
    before = {name: (tensor.dtype, tensor.stride()) for name, tensor in method.state_dict().items()}
    graph(method, "fp16")
    assert {name: (tensor.dtype, tensor.stride()) for name, tensor in method.state_dict().items()} == before


def test_a_graph_made_while_operations_are_counted() -> None:
    method = build("encoder-decoder")
    with FlopCounterMode(display=False) as counter:
        counted = exporting.graph(method)
    assert counter.get_total_flops() == 0
    assert counted == exporting.graph(method)


def test_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r"pip install .*\[onnx\]"):
        export("encoder-decoder", tmp_path / "fuse.onnx")
