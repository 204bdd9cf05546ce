"""Every engine gives what float32 PyTorch gives, on real pairs and at any size, as near as its precision allows."""

import math

import pytest
import torch
from torch import Tensor

from irfuse import engines
from irfuse.device import computes_in
from irfuse.engines import openvino
from irfuse.engines.base import Engine, EngineName, Precision
from irfuse.engines.choose import Choice, why_missing
from irfuse.engines.openvino import _SIZES, OpenVINO, without_narrow_groups
from irfuse.engines.tolerances import LEAST
from irfuse.fuser import Fuser
from irfuse.methods import build
from irfuse.methods.base import Method

CPU = torch.device("cpu")
SPECS = ("res2netfuse", "encoder-decoder", "attention-ensemble")
FLOAT32 = 1e-5
"""What engines in float32 may differ by, in [0, 1]: they add up in another order."""
IN_EARNEST = 90.0
"""Decibels that half precision cannot reach: whoever does computes in float32."""

Batch = tuple[Tensor, Tensor]


def make(name: EngineName, precision: Precision, method: Method) -> Engine:
    missing = why_missing(name, CPU)
    if missing is not None:
        pytest.skip(missing)
    return engines.make(Choice(name, precision, "a test"), method)


def psnr(fused: Tensor, expected: Tensor) -> float:
    return -10 * math.log10(float((fused - expected).double().square().mean()))


@pytest.fixture(scope="module", params=SPECS)
def method(request: pytest.FixtureRequest) -> Method:
    return build(request.param).eval().requires_grad_(False)


@pytest.mark.parametrize("name", ["torch", "onnx", "openvino"])
def test_float32_on_real_pairs(name: EngineName, method: Method, real_batch: Batch) -> None:
    fused = make(name, "fp32", method)(*real_batch)
    assert fused.dtype == torch.float32
    torch.testing.assert_close(fused, method(*real_batch), rtol=0, atol=FLOAT32)


@pytest.mark.skipif(not computes_in(CPU, "bf16"), reason="this CPU does not compute in bfloat16")
@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_bfloat16_on_real_pairs(name: EngineName, method: Method, real_batch: Batch) -> None:
    fused = make(name, "bf16", method)(*real_batch)
    assert fused.dtype == torch.float32
    assert LEAST <= psnr(fused, method(*real_batch)) < IN_EARNEST


def test_float16_on_real_pairs(method: Method, real_batch: Batch) -> None:
    """On the CPU, for which it is not offered, since there may be no GPU."""
    fused = make("torch", "fp16", method)(*real_batch)
    assert fused.dtype == torch.float32
    assert LEAST <= psnr(fused, method(*real_batch)) < IN_EARNEST


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_any_size_one_after_the_other(name: EngineName, method: Method, real_batch: Batch) -> None:
    """More sizes and batches than are compiled for each alone; what was given out before stays as it is."""
    engine = make(name, "fp32", method)
    given = []
    for batch, height, width in ((1, 32, 32), (2, 32, 32), (1, 64, 96), (1, 96, 64), (2, 96, 160), (1, 96, 128)):
        # Parts of a batch, as the Fuser's tiles are: not contiguous.
        ir, vis = (image[:batch, :, :height, :width] for image in real_batch)
        given.append((engine(ir, vis), method(ir, vis)))
    for fused, expected in given:
        torch.testing.assert_close(fused, expected, rtol=0, atol=FLOAT32)


def test_narrow_groups_as_one_are_the_same(method: Method, real_batch: Batch) -> None:
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    fused = without_narrow_groups(method)(*real_batch)
    torch.testing.assert_close(fused, method(*real_batch), rtol=0, atol=FLOAT32)
    assert all(torch.equal(tensor, before[name]) for name, tensor in method.state_dict().items())


def test_openvino_compiles_for_few_sizes_alone() -> None:
    engine = make("openvino", "fp32", build("encoder-decoder").eval())
    assert isinstance(engine, OpenVINO)
    for columns in range(1, 2 * _SIZES + 1):
        engine(torch.rand(1, 1, 32, 32 * columns), torch.rand(1, 1, 32, 32 * columns))
    assert len(engine._compiled) == _SIZES + 1


def test_openvino_does_not_keep_the_memory_of_many_large_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "_PIXELS", 2 * 64 * 64)
    method = build("encoder-decoder").eval().requires_grad_(False)
    engine = make("openvino", "fp32", method)
    assert isinstance(engine, OpenVINO)
    for height, width in ((64, 64), (64, 96), (64, 32), (96, 96)):
        pair = torch.rand(1, 1, height, width), torch.rand(1, 1, height, width)
        torch.testing.assert_close(engine(*pair), method(*pair), rtol=0, atol=FLOAT32)
    assert [None if key is None else key[0][2:] for key in engine._compiled] == [(64, 64), None, (64, 32)]


# PyTorch's compiler uses what PyTorch calls deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled(real_batch: Batch) -> None:
    method = build("encoder-decoder").eval().requires_grad_(False)
    engine = make("compile", "fp32", method)
    for height in (96, 64):
        ir, vis = (image[:, :, :height] for image in real_batch)
        torch.testing.assert_close(engine(ir, vis), method(ir, vis), rtol=0, atol=FLOAT32)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
@pytest.mark.parametrize("spec", SPECS)
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
