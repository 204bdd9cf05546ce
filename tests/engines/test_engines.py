"""Every engine equals float32 PyTorch on real pairs and at any size, as closely as its precision allows."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from irfuse import engines
from irfuse.device import computes_in
from irfuse.engines import openvino, tolerances
from irfuse.engines.base import Engine, EngineName, Precision
from irfuse.engines.choose import Choice, ways, why_missing
from irfuse.engines.onnx import OnnxRuntime
from irfuse.engines.openvino import _SIZES, OpenVINO
from irfuse.engines.rewrites import InBlocks, for_openvino
from irfuse.engines.tolerances import LEAST
from irfuse.fuser import Fuser
from irfuse.methods import build
from irfuse.methods.average import Average
from irfuse.methods.base import Method

CPU = torch.device("cpu")
SPECS = ("res2netfuse", "encoder-decoder", "attention-ensemble")
FLOAT32 = 1e-5
"""The tolerance of engines in float32, in [0, 1]. They add in another order."""
FLOAT32_PSNR = 90.0
"""The PSNR in decibels that only float32 reaches. A higher value means that half precision was not used."""

Batch = tuple[Tensor, Tensor]


def make(name: EngineName, precision: Precision, method: Method) -> Engine:
    missing = why_missing(name, CPU)
    if missing is not None:
        pytest.skip(missing)
    return engines.make(Choice(name, precision, "a test"), method, 2)


def fuse(engine: Engine, ir: Tensor, vis: Tensor) -> Tensor:
    """Fuse tensors, also with engines that take arrays."""
    if isinstance(engine, OnnxRuntime | OpenVINO):
        fused = engine(ir.numpy(), vis.numpy())
        assert isinstance(fused, np.ndarray)
        return torch.from_numpy(fused)
    return engine(ir, vis)


def psnr(fused: Tensor, expected: Tensor) -> float:
    return -10 * math.log10(float((fused - expected).double().square().mean()))


@pytest.fixture(scope="module", params=SPECS)
def method(request: pytest.FixtureRequest) -> Method:
    return build(request.param).eval().requires_grad_(False)


@pytest.mark.parametrize("name", ["torch", "onnx", "openvino"])
def test_float32_on_real_pairs(name: EngineName, method: Method, real_batch: Batch) -> None:
    fused = fuse(make(name, "fp32", method), *real_batch)
    assert fused.dtype == torch.float32
    torch.testing.assert_close(fused, method(*real_batch), rtol=0, atol=FLOAT32)


@pytest.mark.skipif(not computes_in(CPU, "bf16"), reason="this CPU does not compute in bfloat16")
@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_bfloat16_on_real_pairs(name: EngineName, method: Method, real_batch: Batch) -> None:
    fused = fuse(make(name, "bf16", method), *real_batch)
    assert fused.dtype == torch.float32
    stated = tolerances.psnr(method.info.name, name, "bf16")
    assert stated is not None
    # The limit was measured on whole pairs, while these are crops of two.
    assert stated - 2 < psnr(fused, method(*real_batch)) < FLOAT32_PSNR


def test_float16_on_real_pairs(method: Method, real_batch: Batch) -> None:
    """The CPU computes it, because there may be no GPU. It is slow there, so `choose` does not offer it."""
    pair = [image[:1, :, :64, :96] for image in real_batch]
    fused = make("torch", "fp16", method)(*pair)
    assert fused.dtype == torch.float32
    assert LEAST <= psnr(fused, method(*pair)) < FLOAT32_PSNR


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_any_size_one_after_the_other(name: EngineName, method: Method, real_batch: Batch) -> None:
    """More sizes and batches than are compiled separately work, and earlier results stay unchanged."""
    engine = make(name, "fp32", method)
    given = []
    for batch, height, width in ((1, 32, 32), (2, 32, 32), (1, 64, 96), (1, 96, 64), (2, 96, 160), (1, 96, 128)):
        # Parts of a batch are not contiguous, like the Fuser's tiles.
        ir, vis = (image[:batch, :, :height, :width] for image in real_batch)
        given.append((fuse(engine, ir, vis), method(ir, vis)))
    for fused, expected in given:
        torch.testing.assert_close(fused, expected, rtol=0, atol=FLOAT32)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_rewritten_layers_compute_the_same(precision: Precision, method: Method, real_batch: Batch) -> None:
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    # The width is not a multiple of the layers' block, if the method allows this.
    ir, vis = (image[..., : 160 if method.info.multiple > 1 else 155] for image in real_batch)
    rewritten = for_openvino(method, precision)
    assert any(isinstance(layer, InBlocks) for layer in rewritten.modules())
    torch.testing.assert_close(rewritten(ir, vis), method(ir, vis), rtol=0, atol=FLOAT32)
    assert all(torch.equal(tensor, before[name]) for name, tensor in method.state_dict().items())


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 4), (8, 13), (14, 7)])
def test_a_layer_in_blocks_is_the_same_at_any_size(height: int, width: int) -> None:
    layer = nn.Conv2d(5, 1, 3, padding=1)
    features = torch.rand(2, 5, height, width)
    with torch.no_grad():
        torch.testing.assert_close(InBlocks(layer)(features), layer(features), rtol=0, atol=FLOAT32)


def test_openvino_compiles_separately_for_few_sizes() -> None:
    engine = make("openvino", "fp32", build("encoder-decoder").eval())
    assert isinstance(engine, OpenVINO)
    for columns in range(1, 2 * _SIZES + 1):
        fuse(engine, torch.rand(1, 1, 32, 32 * columns), torch.rand(1, 1, 32, 32 * columns))
    assert len(engine._compiled) == _SIZES + 1


def test_openvino_does_not_keep_the_memory_of_many_large_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "_PIXELS", 2 * 64 * 64)
    method = build("encoder-decoder").eval().requires_grad_(False)
    engine = make("openvino", "fp32", method)
    assert isinstance(engine, OpenVINO)
    for height, width in ((64, 64), (64, 96), (64, 32), (96, 96)):
        pair = torch.rand(1, 1, height, width), torch.rand(1, 1, height, width)
        torch.testing.assert_close(fuse(engine, *pair), method(*pair), rtol=0, atol=FLOAT32)
    assert [None if key is None else key[0][2:] for key in engine._compiled] == [(64, 64), None, (64, 32)]


def test_openvino_computes_biases_and_relus_within_convolutions() -> None:
    """This also holds in an encoder that both images pass through."""
    engine = make("openvino", "fp32", build("res2netfuse").eval())
    assert isinstance(engine, OpenVINO)
    fuse(engine, torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32))
    (network,) = engine._compiled.values()
    layers = [layer.get_rt_info() for layer in network.get_runtime_model().get_ops()]
    for part in ("/Conv", "/Relu"):
        computed_in = {facts["layerType"].value for facts in layers if part in facts["originalLayersNames"].value}
        assert computed_in == {"Convolution"}


class OneLayer(Average):
    """A method that compiles quickly."""

    has_graph = True

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return self.layer(torch.cat([ir, vis], dim=1)).sigmoid()


# PyTorch's compiler uses deprecated functions of PyTorch.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_one_layer_compiled(real_batch: Batch) -> None:
    method = OneLayer().eval().requires_grad_(False)
    torch.testing.assert_close(make("compile", "fp32", method)(*real_batch), method(*real_batch), rtol=0, atol=FLOAT32)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled(real_batch: Batch) -> None:
    method = build("encoder-decoder").eval().requires_grad_(False)
    engine = make("compile", "fp32", method)
    for height in (96, 64):
        ir, vis = (image[:, :, :height] for image in real_batch)
        torch.testing.assert_close(engine(ir, vis), method(ir, vis), rtol=0, atol=FLOAT32)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
@pytest.mark.parametrize(
    "spec", [pytest.param(spec, marks=[] if spec == "encoder-decoder" else [pytest.mark.slow]) for spec in SPECS]
)
def test_fuser_pads_and_tiles_for_every_engine(spec: str, name: EngineName, real_batch: Batch) -> None:
    missing = why_missing(name, CPU)
    if missing is not None:
        pytest.skip(missing)
    ir, vis = (image[..., :91, :155] for image in real_batch)
    expected = Fuser(spec, device="cpu", engine="torch", precision="fp32")(ir, vis)
    for tile in (1024, 64):
        fuser = Fuser(spec, device="cpu", engine=name, precision="fp32", tile=tile)
        assert (fuser.choice.engine, fuser.choice.precision) == (name, "fp32")
        torch.testing.assert_close(fuser(ir, vis), expected, rtol=0, atol=FLOAT32)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_creating_an_engine_draws_no_random_numbers(name: EngineName) -> None:
    method = build("encoder-decoder").eval()
    before = torch.get_rng_state()
    make(name, "fp32", method)
    assert torch.equal(torch.get_rng_state(), before)


class Spy:
    """An engine that records the types of its inputs."""

    def __init__(self) -> None:
        self.seen: list[type] = []

    def __call__(self, ir: Any, vis: Any, statistics: Tensor | None = None) -> Any:
        self.seen.append(type(ir))
        return vis


@pytest.mark.parametrize(("name", "kind"), [("onnx", np.ndarray), ("openvino", np.ndarray), ("torch", Tensor)])
def test_engines_with_their_own_threads_get_arrays(
    name: EngineName, kind: type, monkeypatch: pytest.MonkeyPatch, real_batch: Batch
) -> None:
    """No thread of PyTorch runs beside theirs. They get as many threads, and PyTorch's number stays unchanged."""
    if why_missing(name, CPU) is not None:
        pytest.skip("it is not installed")
    engine, given = Spy(), []
    monkeypatch.setattr(engines, "make", lambda choice, method, threads: given.append(threads) or engine)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        fuser = Fuser("encoder-decoder", device="cpu", engine=name, precision="fp32")
        fused = fuser(*real_batch)
        assert isinstance(fused, Tensor)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert (given, engine.seen) == ([3], [kind])


# PyTorch's compiler uses deprecated functions of PyTorch.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.gpu
@pytest.mark.parametrize("name", ["torch", "compile"])
def test_every_precision_of_a_gpu(name: EngineName, real_batch: Batch, gpu: torch.device) -> None:
    """In tiles and batches, a GPU equals float32 on the CPU as closely as `choose` requires of its precision."""
    spec = "encoder-decoder" if name == "compile" else "attention-ensemble"
    expected = Fuser(spec, device="cpu", engine="torch", precision="fp32")(*real_batch)
    precisions = [kind for engine, kind in ways(gpu) if engine == name]
    # The compiler takes a long time for each.
    for precision in precisions[:1] if name == "compile" else precisions:
        fused = Fuser(spec, device=str(gpu), engine=name, precision=precision, tile=64)(*real_batch)
        assert fused.device.type == gpu.type
        least = 80.0 if precision == "fp32" else LEAST - 2
        assert psnr(fused.cpu(), expected) > least, precision
