import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.backbones.first_block import first_block
from irfuse.errors import ParameterError
from irfuse.fuser import Fuser
from irfuse.methods import nst
from irfuse.methods.nst import NST, Interpretation, Stride, _Features, _Target

Batch = tuple[Tensor, Tensor]


@pytest.fixture(scope="module")
def pair(real_batch: Batch) -> Batch:
    ir, vis = real_batch
    return ir[..., :48, :61], vis[..., :48, :61]


def shares(method: NST, ir: Tensor, vis: Tensor) -> Tensor:
    features = _Features(method.block, method.reading, method.stride)
    return _Target(features, method.reading, ir, vis).ir_share(slice(0, features.rows(ir.shape[2])))


@pytest.mark.parametrize("reading", ["energy", "magnitude"])
@pytest.mark.parametrize("stride", [1, 2])
def test_loss_and_gradient_equal_those_of_the_network(reading: Interpretation, stride: Stride, pair: Batch) -> None:
    """The network includes padding with the mean, the bias, and all three channels."""
    method, block = NST(reading=reading, stride=stride), first_block()
    assert block.conv.bias is not None

    def responses(image: Tensor) -> Tensor:
        margin = 6 if stride == 1 else 3
        centered = F.pad(image - block.mean, (margin,) * 4)
        return F.conv2d(centered, block.conv.weight, block.conv.bias, stride=stride)

    target = responses(pair[1]).lerp(responses(pair[0]), shares(method, *pair))
    pixels = torch.rand_like(pair[0]).requires_grad_()
    errors = (responses(pixels) - target).square()
    expected_loss = errors.mean(dim=(1, 2, 3))
    (expected_gradient,) = torch.autograd.grad(errors.sum(), pixels)
    loss, gradient = method.objective(*pair)(pixels)
    torch.testing.assert_close(loss, expected_loss.detach(), rtol=1e-4, atol=0)
    size = expected_gradient.abs().max()
    torch.testing.assert_close(gradient / size, expected_gradient / size, atol=1e-5, rtol=0)


@pytest.mark.parametrize("reading", ["energy", "magnitude", "literal"])
@pytest.mark.parametrize("stride", [1, 2])
def test_strips_equal_the_whole(
    reading: Interpretation, stride: Stride, pair: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, pixels = NST(reading=reading, stride=stride), torch.rand_like(pair[0])
    loss, gradient = method.objective(*pair)(pixels)
    monkeypatch.setattr(nst, "_PIXELS_AT_ONCE", 700)
    strips_loss, strips_gradient = method.objective(*pair)(pixels)
    torch.testing.assert_close(strips_loss, loss)
    torch.testing.assert_close(
        strips_gradient / gradient.abs().max(), gradient / gradient.abs().max(), atol=1e-5, rtol=0
    )


def test_features_are_the_networks(pair: Batch) -> None:
    ir, vis = pair
    block = first_block()
    responses = [block(image) for image in pair]
    expected = torch.maximum(*(response.relu().sum(dim=1, keepdim=True) for response in responses))
    method = NST(reading="literal", stride=2)
    pixels = (ir + vis) / 2
    loss, _ = method.objective(ir, vis)(pixels.clone())
    error = (block(pixels).relu().sum(dim=1, keepdim=True) - expected).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(loss, error, rtol=1e-4, atol=0)


def test_energy_target_by_definition(pair: Batch) -> None:
    """The weight of a response is the squared energy of the source's contrast, in 7x7 places and in the whole image."""
    kernels = first_block().conv.weight.sum(dim=1, keepdim=True)
    energies = []
    for image in pair:
        low = F.avg_pool2d(F.pad(image, (15, 15, 15, 15), mode="replicate"), 31, 1)
        responses = F.conv2d(image - low, kernels, padding=3)
        energy = F.avg_pool2d(responses.square(), 7, 1)[..., 6:-6, 6:-6]
        energies.append((energy + 50 * image.var(dim=(1, 2, 3), keepdim=True, correction=0) + 1e-3) ** 2)
    share = shares(NST(), *pair)[..., 12:-12, 12:-12]
    torch.testing.assert_close(share, energies[0] / (energies[0] + energies[1]), rtol=1e-3, atol=1e-4)


def test_magnitude_takes_the_response_that_contrast_makes_stronger(pair: Batch) -> None:
    kernels = first_block().conv.weight.sum(dim=1, keepdim=True)
    sizes = []
    for image in pair:
        low = F.avg_pool2d(F.pad(image, (15, 15, 15, 15), mode="replicate"), 31, 1)
        sizes.append(F.conv2d(image - low, kernels, padding=3).abs())
    share = shares(NST(reading="magnitude"), *pair)[..., 3:-3, 3:-3]
    decided = (sizes[0] - sizes[1]).abs() > 1e-3
    assert torch.equal(share[decided] == 1, (sizes[0] > sizes[1])[decided])


@pytest.mark.parametrize("height", [60, 61, 200])
def test_flat_images_are_averaged(height: int) -> None:
    ir, vis = torch.full((1, 1, height, 80), 30 / 255), torch.full((1, 1, height, 80), 200 / 255)
    torch.testing.assert_close(NST().solve(ir, vis).fused, (ir + vis) / 2, rtol=0, atol=0.5 / 255)


def test_rounding_moves_nothing(pair: Batch) -> None:
    image = pair[0]
    torch.testing.assert_close(NST().solve(image, image).fused, image, rtol=0, atol=0.5 / 255)


def test_adam_from_the_mean(pair: Batch) -> None:
    method = NST(iterations=3, tolerance=0)
    solution = method.solve(*pair)
    mean = (pair[0] + pair[1]) / 2
    start, _ = method.objective(*pair)(mean)
    torch.testing.assert_close(solution.losses[0], start)
    # Adam's first step is the learning rate wherever there is a gradient, and the result is a moving average.
    one = NST(iterations=1).solve(*pair).fused
    assert (one - mean).abs().max().item() == pytest.approx(0.01 * 0.1, rel=1e-2)
    assert solution.losses.shape == (3, 2)
    assert (solution.losses[1:] < solution.losses[:-1]).all()


def test_each_image_stops_by_itself(pair: Batch) -> None:
    ir, vis = (torch.cat([image[:1], torch.full_like(image[:1], 0.5)]) for image in pair)
    solution = NST(tolerance=0.01).solve(ir, vis)
    steps = (~solution.losses.isnan()).sum(dim=0)
    assert steps[1] < steps[0] < 100
    assert (solution.losses[: steps[1], 1].isfinite()).all()
    single = NST(tolerance=0.01).solve(ir[:1], vis[:1])
    torch.testing.assert_close(solution.fused[:1], single.fused, rtol=0, atol=1e-4)


def test_progress_through_the_fuser(pair: Batch) -> None:
    told: list[tuple[int, int, str]] = []
    fuser = Fuser("nst:iterations=4,tolerance=0", on_iteration=lambda *step: told.append(step))
    fuser(pair[0][0], pair[1][0])
    assert [step[:2] for step in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert told[0][2].startswith("loss ")
    assert math.isfinite(float(told[0][2].removeprefix("loss ")))


@pytest.mark.parametrize(
    "parameters",
    [
        {"learning_rate": 0},
        {"learning_rate": math.inf},
        {"learning_rate": math.nan},
        {"iterations": 0},
        {"tolerance": 1},
    ],
)
def test_impossible_parameters(parameters: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="nst needs a learning_rate above 0"):
        NST(**parameters)  # type: ignore[arg-type]
