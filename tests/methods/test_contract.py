"""Every method, with every choice, keeps every promise of the contract."""

import pytest
import torch

from irfuse.methods import METHODS, build
from irfuse.methods.base import Method
from tests.methods import contract
from tests.methods.specs import every_spec

Batch = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module", params=every_spec())
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_devices(method: Method, real_batch: Batch) -> None:
    contract.check_devices(method, real_batch)


@pytest.mark.parametrize("spec", every_spec())
def test_spec_round_trip(spec: str) -> None:
    contract.check_spec_round_trip(spec)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.info.name)
def test_info(method: type[Method]) -> None:
    info = method.info
    assert info.title
    assert info.name == info.name.lower()
    assert info.multiple >= 1
    assert info.minimum >= 1
    # What is not known of a paper is left empty rather than guessed.
    assert info.authors or not (info.year or info.doi or info.arxiv)


def test_names_are_unique() -> None:
    assert len({method.info.name for method in METHODS}) == len(METHODS)
