"""Each check of the contract fails for a method that breaks it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.errors import MethodError
from irfuse.methods import Spec, build
from irfuse.methods.average import Average
from irfuse.methods.base import Core, Method
from irfuse.methods.laplacian_pyramid import LaplacianPyramid
from irfuse.methods.res2netfuse import Res2NetFuse
from tests.methods import contract

Batch = tuple[Tensor, Tensor]
Check = Callable[[Method, Batch], None]


class OutOfRange(Average):
    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return ir + vis


class NotFinite(Average):
    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return ir / (ir + vis)


class CutOff(Average):
    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return ((ir + vis) / 2)[..., :-1]


class MixesBatch(Average):
    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        fused = (ir + vis) / 2
        return (fused / fused.mean() / 4).clamp(0, 1)


class Negative(Average):
    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return 1 - (ir + vis) / 2


class CopiesVisible(Average):
    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return vis.clone()


class Random(Average):
    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return torch.lerp(ir, vis, torch.rand(()))


class InPlace(Average):
    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return ir.add_(vis).div_(2)


class HaloOneTooSmall(Res2NetFuse):
    info = replace(Res2NetFuse.info, halo=Res2NetFuse.info.halo - 1)


class NoHalo(Res2NetFuse):
    info = replace(Res2NetFuse.info, halo=0)


class MeasuresTiles(Res2NetFuse):
    """Uses the statistics of each tile in place of those of the whole image."""

    def __init__(self) -> None:
        super().__init__(strategy="mean")
        self.needs_statistics = False


class MeasuresHalo(Res2NetFuse):
    """Includes the halo in the statistics, with pixels that the edge of the tile has changed."""

    def __init__(self) -> None:
        super().__init__(strategy="mean")

    def measure(self, ir: Tensor, vis: Tensor, core: Core) -> Tensor:
        padded = (F.pad(image, (8, 8, 8, 8)) for image in (ir, vis))
        return super().measure(*padded, (slice(None), slice(None)))


class MergesLast(Res2NetFuse):
    def __init__(self) -> None:
        super().__init__(strategy="mean")

    def merge(self, parts: Sequence[Tensor]) -> Tensor:
        return parts[-1]


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        (contract.check_shape_and_range, OutOfRange),
        (contract.check_shape_and_range, NotFinite),
        (contract.check_shape_and_range, CutOff),
        (contract.check_batch_equals_single, MixesBatch),
        (contract.check_same_image, Negative),
        (contract.check_depends_on_both, CopiesVisible),
        (contract.check_deterministic, Random),
        (contract.check_inputs_untouched, InPlace),
        (contract.check_receptive_field, HaloOneTooSmall),
        (contract.check_tiled_equals_whole, NoHalo),
        (contract.check_tiled_equals_whole, MeasuresTiles),
        (contract.check_tiled_equals_whole, MeasuresHalo),
        (contract.check_tiled_equals_whole, MergesLast),
    ],
    ids=lambda value: value.__name__,
)
def test_check_fails(check: Check, broken: type[Method], real_batch: Batch) -> None:
    ir, vis = (image.clone() for image in real_batch)
    with pytest.raises(AssertionError):
        check(broken().eval(), (ir, vis))


def test_spec_round_trip_fails() -> None:
    def forgetful_parse(text: str) -> Spec:
        return replace(Spec.parse(text), parameters=())

    def forgetful_build(text: str) -> Method:
        return build(Spec.parse(text).name)

    spec = "res2netfuse:strategy=mean"
    contract.check_spec_round_trip(spec)
    with pytest.raises(AssertionError):
        contract.check_spec_round_trip(spec, parse=forgetful_parse)
    with pytest.raises(AssertionError):
        contract.check_spec_round_trip(spec, build=forgetful_build)


@pytest.mark.parametrize("multiple", [1, 8])
def test_any_size_fails_without_padding(multiple: int) -> None:
    class WrongRule(LaplacianPyramid):
        info = replace(LaplacianPyramid.info, multiple=multiple)

    with pytest.raises((AssertionError, MethodError)):
        contract.check_any_size(WrongRule().eval())
