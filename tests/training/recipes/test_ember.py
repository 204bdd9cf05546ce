from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.random import default_rng
from safetensors.torch import load_file
from torch import Tensor

from irfuse import samples, weights
from irfuse.errors import StoppedError, TrainingError
from irfuse.training.data import TrainingData
from irfuse.training.reading import Gray, read_pair
from irfuse.training.recipes.base import Trained
from irfuse.training.recipes.ember import EmberRecipe, damage
from irfuse.training.recipes.ember.crops import Damage, DamagedCrops
from irfuse.training.recipes.ember.recipe import Fusion
from irfuse.training.recipes.ember.terms import terms
from irfuse.training.run import train
from tests.training.conftest import stop_after

PAIRS = list(samples.pairs())
SHORT = EmberRecipe(
    size_of_network="nano", epochs=2, epoch_steps=2, batch=2, size=64, large_epochs=1, large_batch=1, large_size=96
)
CPU = torch.device("cpu")
NONE = Damage(tone=0, faint=0, plain=0, noise=0, stripes=0, veil=0, shift=0, outside=0)

Train = Callable[..., Trained]


@pytest.fixture
def trained(small: TrainingData, without_curves: None) -> Train:
    data = replace(small, images=())

    def trained(out: Path, recipe: EmberRecipe = SHORT, **settings: Any) -> Trained:
        return train(recipe, data, out, device="cpu", **settings)

    return trained


@pytest.fixture(scope="module")
def pair() -> tuple[Tensor, Tensor]:
    """A part of a sample pair, two tensors of (1, 1, 96, 96)."""
    ir, vis = read_pair(PAIRS[0], 1)
    return tuple(torch.from_numpy(image[100:196, 200:296].copy())[None, None] for image in (ir, vis[..., 0]))  # type: ignore[return-value]


def test_the_loss_falls_in_thirty_steps(pair: tuple[Tensor, Tensor]) -> None:
    task = Fusion(EmberRecipe(epochs=1, epoch_steps=30, large_epochs=0, batch=2, size=96), PAIRS, CPU)

    def loss() -> Tensor:
        with torch.no_grad():
            return task.losses(task.network(*pair), *pair)["total"]

    before = loss()
    for _ in range(30):
        task.step()
    assert loss() < before - 0.5


def test_starts_from_weights(trained: Train, small: TrainingData, tmp_path: Path, without_curves: None) -> None:
    """With no learning, the result is the initial weights. Weights of the other network are refused."""
    out = tmp_path / "a.safetensors"
    recipe = replace(SHORT, epochs=1, large_epochs=0, epoch_steps=1, learning_rate=1e-12)
    data = replace(small, images=(), init="nano")
    train(recipe, data, out, device="cpu")
    initial, result = load_file(weights.find("ember", "nano")), load_file(out)
    for name, value in initial.items():
        torch.testing.assert_close(result[name], value)
    with pytest.raises(TrainingError, match="weights of another network; try --size-of-network base"):
        train(recipe, replace(data, init="base"), tmp_path / "b.safetensors", device="cpu")


@pytest.mark.parametrize("steps", [1, 3])
def test_resumes_exactly(trained: Train, steps: int, tmp_path: Path) -> None:
    """Interrupted in either stage, training gives bit for bit what it gives in one go."""
    straight, resumed = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    trained(straight)
    with pytest.raises(StoppedError):
        trained(resumed, on_step=stop_after(steps, "total"))
    trained(resumed, resume=True)
    for one, other in zip(load_file(straight).values(), load_file(resumed).values(), strict=True):
        assert torch.equal(one, other)


def test_the_loss_falls() -> None:
    recipe = replace(SHORT, epochs=1, epoch_steps=30, large_epochs=0, batch=4)
    task = Fusion(recipe, PAIRS, CPU)
    losses = [task.step()["total"] for _ in range(30)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.5


def test_the_stages_have_their_sizes() -> None:
    task = Fusion(SHORT, PAIRS, CPU)
    shapes = [task.feed.batch()[0].shape for _ in range(4)]
    assert shapes == [(2, 1, 64, 64)] * 2 + [(1, 1, 96, 96)] * 2


def test_impossible_settings() -> None:
    with pytest.raises(TrainingError, match="large_epochs cannot be more than epochs"):
        EmberRecipe(epochs=1, large_epochs=2)
    weights = {f"{name}_weight": 0.0 for name in terms(*torch.rand(3, 1, 1, 64, 64))}
    with pytest.raises(TrainingError, match="must be more than 0"):
        EmberRecipe(**weights)  # type: ignore[arg-type]


def test_every_term_has_a_weight() -> None:
    fields = EmberRecipe().as_dict()
    assert {f"{name}_weight" for name in terms(*torch.rand(3, 1, 1, 64, 64))} == {
        name for name in fields if name.endswith("_weight")
    }


@pytest.mark.parametrize("case", ["usual", "black infrared", "black pair", "white pair", "equal"])
def test_the_gradient_is_finite(case: str, pair: tuple[Tensor, Tensor]) -> None:
    ir, vis = pair
    ir, vis = {
        "usual": (ir, vis),
        "black infrared": (ir * 0, vis),
        "black pair": (ir * 0, vis * 0),
        "white pair": (ir * 0 + 1, vis * 0 + 1),
        "equal": (vis, vis),
    }[case]
    fused = ((ir + vis) / 2).requires_grad_()
    for name, value in terms(fused, ir, vis).items():
        (gradient,) = torch.autograd.grad(value, fused, allow_unused=True, retain_graph=True)
        assert value.isfinite(), name
        assert gradient is None or gradient.isfinite().all(), name


def test_what_the_terms_of_naturalness_see(pair: tuple[Tensor, Tensor]) -> None:
    """Each is zero for a fused image without its fault, and more with it."""
    ir, vis = pair
    average = (ir + vis) / 2
    faults = {
        "halo": average + torch.nn.functional.pad(torch.full((1, 1, 32, 32), 0.5), (32, 32, 32, 32)),
        "clipping": average * 3 - 1,
    }
    for name, fault in faults.items():
        assert terms(average, ir, vis)[name] < 1e-3 < terms(fault, ir, vis)[name]
    sky, cold = torch.full_like(vis, 0.9), torch.full_like(ir, 0.05)
    assert terms(sky, cold, sky)["sky"] == 0
    assert terms((sky + cold) / 2, cold, sky)["sky"] > 0.2
    # Behind smoke, where the infrared image has structure, the bright visible image may get darker.
    scene = cold + 0.3 * torch.rand(cold.shape, generator=torch.Generator().manual_seed(0)).round()
    assert terms(scene, scene, sky)["sky"] < terms(scene, scene.mean().expand_as(scene), sky)["sky"] / 2


def test_crops_depend_on_the_seed_and_the_number() -> None:
    shares = Damage(tone=0.5, faint=0.5, plain=0.5, noise=0.5, stripes=0.5, veil=0.5, shift=0.5, outside=0.5)
    one, same, other = (DamagedCrops(PAIRS, 64, shares, 0.05, 2.0, (seed, 0)) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one[7], same[7], strict=True))
    assert not torch.equal(one[7][0], other[7][0])
    for number in range(40):
        for image in one[number]:
            assert image.shape == (1, 64, 64)
            assert image.dtype == torch.float32
            assert 0 <= image.min() <= image.max() <= 1


def test_without_damage_the_network_sees_what_the_loss_knows() -> None:
    crops = DamagedCrops(PAIRS, 64, NONE, 0.05, 2.0, (0, 0))
    for number in range(10):
        seen_ir, seen_vis, ir, vis = crops[number]
        assert torch.equal(seen_ir, ir)
        assert torch.equal(seen_vis, vis)


def test_where_the_infrared_image_sees_nothing_the_loss_knows_the_visible_image() -> None:
    crops = DamagedCrops(PAIRS, 64, replace(NONE, outside=1), 0.05, 2.0, (0, 0))
    shares = []
    for number in range(40):
        seen_ir, _, ir, vis = crops[number]
        changed = seen_ir != ir
        assert (seen_ir[changed] == 0).all()
        assert torch.equal(ir[changed], vis[changed])
        shares.append(float(changed.float().mean()))
    assert 0.02 < np.median(shares) < 0.7


def test_of_plain_pairs_the_loss_knows_the_shading_without_noise() -> None:
    crops = DamagedCrops(PAIRS, 64, replace(NONE, plain=1), 0.05, 2.0, (0, 0))
    for number in range(10):
        *seen, ir, vis = crops[number]
        for noisy, smooth in zip(seen, (ir, vis), strict=True):
            noise = (noisy - smooth)[0]
            assert 0 < noise.std() < 0.06
            assert smooth[0].diff(dim=1).abs().max() < 0.06


@pytest.fixture(scope="module")
def scene() -> Gray:
    ir, _ = read_pair(PAIRS[0], 1)
    return ir[:96, :128]


def test_damage(scene: Gray) -> None:
    """Each kind does what it says."""
    random = default_rng(0)
    assert damage.faint(scene, random).std() < scene.std() / 2
    veiled = [damage.veiled(scene, random) for _ in range(10)]
    assert np.mean(veiled) > scene.mean() + 0.1
    noise = damage.noisy(np.full((64, 64), 0.5, np.float32), random, 0.1) - 0.5
    assert 0 < noise.std() < 0.11
    pattern = damage.striped(np.full((64, 64), 0.5, np.float32), random, 0.1) - 0.5
    assert pattern.mean(axis=0).std() + pattern.mean(axis=1).std() > pattern.std() / 3
    moved = damage.shifted(scene, random, 2.0)
    assert 0 < np.abs(moved - scene).mean() < 0.1
    for image in (*veiled, moved, damage.tone(scene, random)):
        assert image.dtype == np.float32
        assert image.shape == scene.shape
