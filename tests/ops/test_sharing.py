from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from irfuse.metrics.piella import qw_edge
from irfuse.metrics.ssim import ssim
from irfuse.ops.sharing import Memory, shared, sharing

calls: list[str] = []


@shared
def twice(images: Tensor, name: str) -> tuple[Tensor, Tensor]:
    calls.append(name)
    return images, images * 2


def test_results_that_depend_on_lasting_tensors_are_kept() -> None:
    calls.clear()
    ir, fused = torch.ones(1), torch.ones(1)
    memory = Memory(ir)
    with sharing(memory):
        for _ in range(2):
            for _ in range(2):
                # The result for a lasting tensor also lasts, as do the results computed from it.
                twice(twice(ir, "ir")[1], "from ir")
                twice(fused, "fused")
            memory.forget()
    assert calls == ["ir", "from ir", "fused", "fused"]


def test_results_differ_by_their_other_arguments() -> None:
    calls.clear()
    image = torch.ones(1)
    with sharing(Memory()):
        assert twice(image, "a")[0] is twice(image, "a")[0]
        twice(image, "b")
    assert calls == ["a", "b"]


def test_nothing_is_kept_outside_a_block() -> None:
    image = torch.ones(1)
    with sharing(Memory(image)):
        twice(image, "inside")
    image += 1
    assert twice(image, "outside")[1].item() == 4


# PyTorch's compiler causes this warning.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("metric", [ssim, qw_edge], ids=["ssim", "qw_edge"])
def test_shared_functions_compile(metric: Callable[..., Tensor]) -> None:
    fused, ir, vis = torch.rand(3, 1, 1, 24, 24, dtype=torch.float64)
    compiled = torch.compile(metric, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(fused, ir, vis), metric(fused, ir, vis))
