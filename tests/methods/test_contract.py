"""Every method with every choice keeps the contract."""

import pytest
import torch

from irfuse.methods import METHODS, build, parameters, shortest
from irfuse.methods.base import Method
from tests.methods import contract
from tests.methods.specs import distinct_specs, every_spec, marks

Batch = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module", params=[pytest.param(spec, marks=marks(spec)) for spec in distinct_specs()])
def method(request: pytest.FixtureRequest) -> Method:
    return build(request.param).eval()


def test_shape_and_range(method: Method, real_batch: Batch) -> None:
    contract.check_shape_and_range(method, real_batch)


def test_any_size(method: Method) -> None:
    contract.check_any_size(method)


def test_batch_equals_single(method: Method, real_batch: Batch) -> None:
    contract.check_batch_equals_single(method, real_batch)


def test_same_image(method: Method, real_batch: Batch) -> None:
    contract.check_same_image(method, real_batch)


def test_depends_on_both(method: Method, real_batch: Batch) -> None:
    contract.check_depends_on_both(method, real_batch)


def test_tiled_equals_whole(method: Method, real_batch: Batch) -> None:
    contract.check_tiled_equals_whole(method, real_batch)


def test_receptive_field(method: Method, real_batch: Batch) -> None:
    contract.check_receptive_field(method, real_batch)


def test_deterministic(method: Method, real_batch: Batch) -> None:
    contract.check_deterministic(method, real_batch)


def test_inputs_untouched(method: Method, real_batch: Batch) -> None:
    contract.check_inputs_untouched(method, real_batch)


@pytest.mark.gpu
def test_devices(method: Method, real_batch: Batch, gpu: torch.device) -> None:
    contract.check_devices(method, real_batch, gpu)


@pytest.mark.parametrize("spec", every_spec())
def test_spec_round_trip(spec: str) -> None:
    contract.check_spec_round_trip(spec)


@pytest.mark.parametrize("spec", [spec for spec in every_spec() if spec != shortest(spec)])
def test_naming_a_default_changes_nothing(spec: str) -> None:
    """Other tests therefore cover only distinct specs."""
    named, left_out = build(spec), build(shortest(spec))
    for name in parameters(type(named)).keys() - {"weights"}:
        assert getattr(named, name) == getattr(left_out, name)
    for one, other in zip(named.state_dict().values(), left_out.state_dict().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.info.name)
def test_info(method: type[Method]) -> None:
    info = method.info
    assert info.title
    assert info.name == info.name.lower()
    assert info.multiple >= 1
    assert info.minimum >= 1
    # Unknown facts about a paper stay empty.
    assert info.authors or not (info.year or info.doi or info.arxiv)


def test_names_are_unique() -> None:
    assert len({method.info.name for method in METHODS}) == len(METHODS)
