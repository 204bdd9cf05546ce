import sys

import numpy as np
import pytest
import torch

from irfuse.benchmark.costs import Meter
from irfuse.benchmark.plan import Function
from irfuse.io.images import Array

SIDE = 64


def needs(megabytes: int) -> Function:
    """Return a method that fills some memory, and multiplies two matrices."""

    def fuse(ir: Array, vis: Array) -> Array:
        np.ones(megabytes << 20, np.uint8).sum()
        torch.ones(SIDE, SIDE) @ torch.ones(SIDE, SIDE)
        return vis

    return fuse


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not report the peak")
def test_memory_does_not_depend_on_earlier_methods() -> None:
    image = np.zeros((8, 8), np.uint8)
    for megabytes in (200, 60):
        meter = Meter(torch.device("cpu"))
        first, second = (meter.measure(needs(megabytes), image, image)[1] for _ in range(2))
        assert (first.memory, first.counts, second.counts) == (None, False, True)
        assert second.memory is not None
        assert megabytes - 2 <= second.memory >> 20 <= megabytes + 30
        assert (first.operations, second.operations) == (2 * SIDE**3, None)
        assert second.seconds > 0


def test_a_first_call_that_fails_does_not_warm_up() -> None:
    meter = Meter(torch.device("cpu"))
    image = np.zeros((8, 8), np.uint8)
    with pytest.raises(ZeroDivisionError):
        meter.measure(lambda ir, vis: vis[: 1 // 0], image, image)
    _, cost = meter.measure(needs(1), image, image)
    assert (cost.counts, cost.operations) == (False, 2 * SIDE**3)


@pytest.mark.gpu
def test_memory_on_a_gpu(gpu: torch.device) -> None:
    """The memory is the peak of PyTorch's tensors, without those that existed before."""
    kept = torch.ones(1 << 20, device=gpu)
    meter = Meter(gpu)

    def fuse(ir: Array, vis: Array) -> Array:
        torch.ones(16 << 20, device=gpu).neg_()
        return vis

    image = np.zeros((8, 8), np.uint8)
    meter.measure(fuse, image, image)
    _, cost = meter.measure(fuse, image, image)
    assert cost.memory is not None
    assert 62 <= cost.memory >> 20 <= 94
    assert kept.numel() == 1 << 20
