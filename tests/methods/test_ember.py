import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from irfuse import weights
from irfuse.errors import WeightsError
from irfuse.fuser import Fuser
from irfuse.methods.ember import Ember, Network


def pair(height: int, width: int) -> tuple[Tensor, Tensor]:
    ir, vis = torch.rand(2, 1, 1, height, width, generator=torch.Generator().manual_seed(0))
    return ir, vis


@pytest.mark.parametrize(("network", "parameters", "gflop"), [(Network(), 0.2e6, 4.0), (Network.nano(), 1e4, 0.4)])
def test_the_size_of_the_network(network: Network, parameters: float, gflop: float) -> None:
    merged = network.merged()
    assert sum(parameter.numel() for parameter in merged.parameters()) <= parameters
    with FlopCounterMode(display=False) as counter:
        merged(*pair(480, 640))
    # The counter counts a product and a sum as two operations.
    assert counter.get_total_flops() / 1e9 <= gflop


@pytest.mark.parametrize("network", [Network(), Network.nano()])
def test_merging_changes_nothing(network: Network) -> None:
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    with torch.no_grad():
        torch.testing.assert_close(network.merged()(*pair(64, 96)), network(*pair(64, 96)), rtol=0, atol=1e-4)


def test_branches_are_the_sum_of_three() -> None:
    """The kernel equals a wide convolution, a narrow one and the identity."""
    branches = Network().down[0][0]  # type: ignore[index]
    features = torch.rand(1, 16, 8, 8)
    with torch.no_grad():
        expected = (branches.wide(features) + branches.narrow(features) + features).relu()
        torch.testing.assert_close(branches(features), expected)


def test_each_source_reaches_the_result_at_full_resolution() -> None:
    """Without the correction, the result is a weighted sum of the pixels of both sources."""
    network = Network()
    for parameter in network.head.parameters():
        torch.nn.init.zeros_(parameter)
    ir, vis = pair(32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(ir, vis), 0.6 * (ir + vis))


def test_the_header_describes_the_network(tmp_path: Path) -> None:
    network = Network.nano()
    file = tmp_path / "mine.safetensors"
    weights.save(network, {"method": "ember", **network.architecture()}, file)
    assert Ember(weights=str(file)).network.block == 4
    header = {"irfuse": json.dumps({"method": "ember", "widths": "wide"})}
    save_file({"x": torch.zeros(1)}, tmp_path / "broken.safetensors", header)
    with pytest.raises(WeightsError, match="header does not describe"):
        Ember(weights=str(tmp_path / "broken.safetensors"))


@pytest.mark.parametrize("name", ["base", "nano"])
@pytest.mark.parametrize(("ir", "vis"), [(0.9, 0.9), (0.1, 0.9), (0.9, 0.1), (0.5, 0.5)])
def test_flat_pairs_stay_flat(name: str, ir: float, vis: float) -> None:
    """There is no grid within, and the border is no black or white frame."""
    method = Ember(weights=name).eval()
    with torch.no_grad():
        fused = 255 * method(*(torch.full((1, 1, 640, 640), value) for value in (ir, vis)))
    within = fused[..., 256:-256, 256:-256]
    assert within.std() < 0.1
    assert (fused - within.mean()).abs().max() < 25


@pytest.mark.parametrize("name", ["base", "nano"])
def test_equal_images_are_returned(name: str, real_batch: tuple[Tensor, Tensor]) -> None:
    method = Ember(weights=name).eval()
    with torch.no_grad():
        for image in real_batch:
            assert torch.equal(method(image, image), image)


@pytest.mark.parametrize("name", ["base", "nano"])
def test_noise_of_flat_pairs_is_not_amplified(name: str) -> None:
    noise = np.random.default_rng(0).standard_normal((2, 256, 256), np.float32)
    ir, vis = 0.4 + 0.03 * noise[0], 0.6 + 0.02 * noise[1]
    assert Fuser(f"ember:weights={name}")(ir, vis).std() < 1.05 * 0.03
