"""The contract of every metric."""

import pytest
import torch
from torch import Tensor

from irfuse.metrics import METRICS, MetricInfo

by_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


@pytest.fixture(scope="module")
def triple(real_batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of two real triples, (2, 1, 176, 144) in [0, 1], float64 multiples of 1 / 255."""
    ir, vis = (torch.cat([image, image[..., :80, :].flip(2)], dim=2).repeat(1, 1, 1, 2) for image in real_batch)
    fused = ((ir + vis) / 2 * 255).round() / 255
    return fused.double(), ir.double(), vis.double()


@by_metric
def test_batch_equals_single(metric: MetricInfo, triple: tuple[Tensor, Tensor, Tensor]) -> None:
    together = metric.function(*triple)
    assert together.shape == (2,)
    assert together.dtype == torch.float64
    single = torch.cat([metric.function(*(image[i : i + 1] for image in triple)) for i in range(2)])
    torch.testing.assert_close(together, single, rtol=1e-9, atol=1e-12)


@by_metric
def test_symmetric_and_in_range(metric: MetricInfo, triple: tuple[Tensor, Tensor, Tensor]) -> None:
    fused, ir, vis = triple
    value = metric.function(fused, ir, vis)
    torch.testing.assert_close(metric.function(fused, vis, ir), value, rtol=1e-9, atol=1e-12)
    assert value.isfinite().all()
    low, high = metric.range
    assert (low <= value).all()
    assert (value <= high).all()


@by_metric
def test_float32_is_near_float64(metric: MetricInfo, triple: tuple[Tensor, Tensor, Tensor]) -> None:
    single = metric.function(*(image.float() for image in triple))
    assert single.dtype == torch.float32
    # Features that depend on rounding, such as flat windows and tied edges, may differ by about a thousandth.
    torch.testing.assert_close(single.double(), metric.function(*triple), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("metric", [m for m in METRICS if m.differentiable], ids=lambda metric: metric.name)
def test_gradients(metric: MetricInfo, triple: tuple[Tensor, Tensor, Tensor]) -> None:
    fused, ir, vis = (image[:1, :, 20:33, 20:33] for image in triple)
    assert torch.autograd.gradcheck(metric.function, (fused.clone().requires_grad_(), ir, vis))
    flat = torch.zeros(1, 1, 16, 16, requires_grad=True)
    metric.function(flat, flat.detach(), flat.detach()).sum().backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_names_are_unique() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
