import os
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from irfuse import samples, weights
from irfuse.errors import DivergedError, ImageError, StoppedError, SuspiciousPairWarning, TrainingError
from irfuse.fuser import Fuser
from irfuse.io import images
from irfuse.io.files import sha256
from irfuse.io.pairs import Pair
from irfuse.methods.attention_ensemble import AttentionEnsemble, Network
from irfuse.metrics.ssim import similarity
from irfuse.ops import filters
from irfuse.training import attention_ensemble as training
from irfuse.training.data import ImageCrops
from irfuse.training.recipes.attention_ensemble import Fusion, Precision, Recipe, Reconstruction, train_weights

SHORT = Recipe(autoencoder_steps=3, epochs=2, epoch_steps=2, batch=2, size=32)
SWITCHES = {"dilated": True, "attention": False, "skips": True}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    """Parts of the samples: fusing them whole takes this network seconds."""
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "ir").mkdir()
    (folder / "vis").mkdir()
    parts = []
    for pair in samples.pairs():
        part = Pair(pair.name, folder / "ir" / f"{pair.name}.png", folder / "vis" / f"{pair.name}.png")
        for source, target in ((pair.ir, part.ir), (pair.vis, part.vis)):
            images.write(target, images.read(source)[100:164, 100:180])
        parts.append(part)
    return parts


@pytest.fixture(scope="module")
def natural(pairs: list[Pair]) -> list[Path]:
    return [pair.vis for pair in pairs[1:]]


@pytest.fixture(autouse=True)
def _of_few_steps() -> Iterator[None]:
    """A few steps do not even make a picture, and the warning that says so is tested with another method."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SuspiciousPairWarning)
        yield


Trained = Callable[..., Path]


@pytest.fixture
def trained(pairs: list[Pair], natural: list[Path]) -> Trained:
    def train(recipe: Recipe, out: Path, **settings: Any) -> Path:
        return train_weights(recipe, natural, pairs[1:], pairs[:1], out, device="cpu", **settings)

    return train


@pytest.mark.parametrize(
    ("stage", "step", "precision"),
    [("auto-encoder", 2, "float32"), ("auto-encoder", 3, "bfloat16"), ("", 1, "bfloat16"), ("", 3, "float32")],
)
def test_resumes_exactly(trained: Trained, stage: str, step: int, precision: Precision, tmp_path: Path) -> None:
    """Interrupted in either stage, training gives bit for bit what it gives in one go."""
    recipe = replace(SHORT, precision=precision)
    straight, resumed = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    trained(recipe, straight)

    def stop(done: int, total: int, note: str) -> None:
        if done == step and ("total" in note) and (("auto-encoder" in note) == bool(stage)):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(StoppedError):
        trained(recipe, resumed, on_step=stop)
    with pytest.raises(TrainingError, match=r"unfinished training|is there already"):
        trained(recipe, resumed)
    trained(recipe, resumed, resume=True)
    for end in (".csv", "-epochs.csv", "-autoencoder.csv"):
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()
    for end in (".safetensors", "-autoencoder.safetensors"):
        one, other = load_file(tmp_path / f"a{end}"), load_file(tmp_path / f"b{end}")
        assert all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())


def test_a_first_stage_that_ended_is_not_another_trainings(
    trained: Trained, pairs: list[Pair], natural: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "x.safetensors"

    def stop(done: int, total: int, note: str) -> None:
        if done == 1 and "structure" in note:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(StoppedError):
        trained(SHORT, out, on_step=stop)
    with pytest.raises(
        TrainingError, match=r"x-autoencoder.safetensors belongs to a training with another seed: 0 there, 1 here"
    ):
        trained(replace(SHORT, seed=1), out, resume=True)
    with pytest.raises(TrainingError, match=r"another images: "):
        train_weights(SHORT, natural[1:], pairs[1:], pairs[:1], out, device="cpu", resume=True)
    with pytest.raises(TrainingError, match="no checkpoint to resume from"):
        trained(SHORT, tmp_path / "y.safetensors", resume=True)


def test_what_it_writes(trained: Trained, pairs: list[Pair], natural: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    card = trained(SHORT, out, command="irfuse train")
    header = weights.header(out)
    assert (header["dilated"], header["attention"], header["skips"]) == (True, True, True)
    assert [image["name"] for image in header["images"][:2]] == [f"{role}/{pairs[1].ir.name}" for role in ("ir", "vis")]
    assert [image["name"] for image in weights.header(tmp_path / "x-autoencoder.safetensors")["images"]] == [
        path.name for path in natural
    ]
    assert {path.name for path in tmp_path.iterdir()} == {
        "x.safetensors", "x.md", "x.png", "x.csv", "x-epochs.csv", "x-previews",
        "x-autoencoder.safetensors", "x-autoencoder.md", "x-autoencoder.png", "x-autoencoder.csv",
    }  # fmt: skip
    assert "`irfuse train`" in card.read_text()
    assert f"| auto-encoder | `{sha256(tmp_path / 'x-autoencoder.safetensors')}`, " in card.read_text()
    assert "| these weights |" in (tmp_path / "x-autoencoder.md").read_text()
    assert (tmp_path / "x-autoencoder.csv").read_text().startswith("step,total,pixel,ssim,generator,discriminator")
    ir, vis = images.read(pairs[0].ir), images.read(pairs[0].vis)
    for file in (out, tmp_path / "x-autoencoder.safetensors"):
        assert Fuser(f"attention-ensemble:weights={file}", device="cpu")(ir, vis).shape == vis.shape


def test_an_earlier_first_stage_serves_again(trained: Trained, pairs: list[Pair], tmp_path: Path) -> None:
    """With the same weights as the training that made it, and its parameters stay as they are."""
    trained(SHORT, tmp_path / "a.safetensors")
    first = tmp_path / "a-autoencoder.safetensors"
    train_weights(SHORT, [], pairs[1:], pairs[:1], tmp_path / "b.safetensors", autoencoder=first, device="cpu")
    one, other, autoencoder = (load_file(tmp_path / name) for name in ("a.safetensors", "b.safetensors", first.name))
    assert all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())
    assert all(torch.equal(one[name], autoencoder[name]) for name in autoencoder)
    assert not (tmp_path / "b-autoencoder.safetensors").exists()
    with pytest.raises(TrainingError, match="no checkpoint to resume from"):
        train_weights(
            SHORT, [], pairs[1:], pairs[:1], tmp_path / "c.safetensors", autoencoder=first, resume=True, device="cpu"
        )
    header = weights.header(tmp_path / "b.safetensors")
    assert header["recipe"]["autoencoder_steps"] == 3
    assert header["autoencoder"] == sha256(first)
    for file in (tmp_path / "a.safetensors", first):
        with pytest.raises(TrainingError, match="not the first stage of a training"):
            train_weights(SHORT, [], pairs[1:], pairs[:1], tmp_path / "c.safetensors", autoencoder=file, device="cpu")
        weights.save(Network(attention=False), {"method": "attention-ensemble", **SWITCHES}, first)


def test_the_first_stage_says_what_it_was(trained: Trained, pairs: list[Pair], tmp_path: Path) -> None:
    """Its settings, where another training uses it, are those that it had."""
    trained(replace(SHORT, skips=False), tmp_path / "a.safetensors")
    first = tmp_path / "a-autoencoder.safetensors"
    train_weights(SHORT, [], pairs[1:], pairs[:1], tmp_path / "b.safetensors", autoencoder=first, device="cpu")
    header = weights.header(tmp_path / "b.safetensors")
    assert (header["skips"], header["recipe"]["skips"]) == (False, False)


def test_what_has_ended_is_not_trained_again(trained: Trained, tmp_path: Path) -> None:
    trained(SHORT, tmp_path / "x.safetensors")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for recipe in (SHORT, replace(SHORT, structure_weight=1.0)):
        with pytest.raises(TrainingError, match=r"x\.safetensors is there already"):
            trained(recipe, tmp_path / "x.safetensors", resume=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_pairs_too_small_to_validate_on_stop_it_before_it_starts(
    natural: list[Path], pairs: list[Pair], tmp_path: Path
) -> None:
    for name in ("ir", "vis"):
        images.write(tmp_path / f"{name}.png", images.read(pairs[0].ir)[:12])
    small = Pair("small", tmp_path / "ir.png", tmp_path / "vis.png")
    with pytest.raises(TrainingError, match="small: validation needs pairs of at least 13x13 pixels"):
        train_weights(SHORT, natural, pairs[1:], [small], tmp_path / "x.safetensors", device="cpu")
    assert {path.name for path in tmp_path.iterdir()} == {"ir.png", "vis.png"}


@pytest.mark.parametrize("name", ["x-autoencoder.md", "x-autoencoder.safetensors", "x-epochs.csv"])
def test_nothing_is_overwritten(trained: Trained, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(TrainingError, match=f"{name} is there already"):
        trained(SHORT, tmp_path / "x.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"size": 12}, "size cannot be 12; 13 or more"),
        ({"autoencoder_steps": 0}, "autoencoder_steps cannot be 0; 1 or more"),
        ({"learning_rate": 0.0}, r"learning_rate cannot be 0\.0"),
        ({"gan_weight": -1.0}, r"gan_weight cannot be -1\.0"),
        ({"structure_weight": 0.0, "gradient_weight": 0.0, "pixel_weight": 0.0}, "one must be more than 0"),
    ],
)
def test_impossible_settings(trained: Trained, settings: dict[str, Any], error: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=error):
        trained(replace(SHORT, **settings), tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


def test_images_that_cannot_be_used(pairs: list[Pair], natural: list[Path], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no image to train on"):
        train_weights(SHORT, [], pairs[1:], pairs[:1], tmp_path / "x.safetensors")
    bad, out = tmp_path / "bad.png", tmp_path / "new" / "x.safetensors"
    bad.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"bad\.png"):
        train_weights(SHORT, [*natural, bad], pairs[1:], pairs[:1], out)
    assert not list(out.parent.iterdir())


def test_both_stages_learn(pairs: list[Pair], natural: list[Path]) -> None:
    recipe = Recipe(autoencoder_steps=60, epochs=1, epoch_steps=20, batch=4, size=32)
    first = Reconstruction(recipe, natural, CPU)
    losses = [first.step() for _ in range(60)]
    assert losses[-1]["pixel"] < 0.1 * losses[0]["pixel"]
    assert losses[-1]["total"] == pytest.approx(
        losses[-1]["pixel"] + 0.1 * losses[-1]["ssim"] + 0.001 * losses[-1]["generator"], rel=1e-5
    )
    second = Fusion(recipe, AttentionEnsemble(weights="full").network, pairs, CPU)
    losses = [second.step() for _ in range(20)]
    assert sum(loss["total"] for loss in losses[-5:]) < sum(loss["total"] for loss in losses[:5])


def test_the_adversary_learns_to_tell(natural: list[Path]) -> None:
    """Natural images from rebuilt ones, and the auto-encoder's steps depend on what it says."""
    recipe = replace(SHORT, autoencoder_steps=40, learning_rate=3e-3)
    task = Reconstruction(recipe, natural, CPU)
    for _ in range(40):
        task.step()
    images_ = torch.stack([ImageCrops(natural, 32, 1)[number][0] for number in range(8)])
    with torch.no_grad():
        # Grey ones, as of an auto-encoder that has learnt nothing.
        assert (
            task.discriminator(images_).mean()
            > task.discriminator(images_.mean(dim=(2, 3), keepdim=True) + 0 * images_).mean()
        )
    heavy, without = (Reconstruction(replace(recipe, gan_weight=weight), natural, CPU) for weight in (1.0, 0.0))
    heavy.step()
    assert set(without.step()) == {"total", "pixel", "ssim"}
    heavy.step()
    without.step()
    pairs_ = zip(heavy.network.parameters(), without.network.parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs_)


@pytest.mark.parametrize(
    ("gan_weight", "way_out"), [(0.001, "--gan-weight or --learning-rate"), (0.0, "--learning-rate")]
)
def test_divergence_is_noticed_and_nothing_saved(
    gan_weight: float, way_out: str, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pixel loss that rises in the middle; one bad step does not matter."""
    recipe = replace(SHORT, autoencoder_steps=300, batch=1, size=16, gan_weight=gan_weight)
    losses = iter([1.0] + [0.01] * 119 + [9.0] + [0.01] * 20 + [0.5] * 200)
    monkeypatch.setattr(training.F, "mse_loss", lambda one, other: (one - other).mean() * 0 + next(losses))
    with pytest.raises(DivergedError, match=rf"the pixel loss is 0\.\d+, and was 0\.01; use a smaller {way_out}$"):
        trained(recipe, tmp_path / "x.safetensors")
    assert len(list(losses)) > 100
    assert not list(tmp_path.iterdir())


def test_a_network_that_learnt_nothing_is_not_saved(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.F, "mse_loss", lambda one, other: (one - other).mean() * 0 + 0.3)
    with pytest.raises(DivergedError, match=r"the pixel loss is 0\.3, as far from the images as grey is"):
        trained(replace(SHORT, autoencoder_steps=100, batch=1, size=16), tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


def test_the_watch_goes_on_where_it_was(natural: list[Path]) -> None:
    task, other = (Reconstruction(SHORT, natural, CPU) for _ in range(2))
    task.step()
    task.step()
    state = task.parts["watch"].state_dict()
    assert len(state["pixels"]) == 2
    other.parts["watch"].load_state_dict(state)
    assert other.watch.state_dict() == state


def test_the_loss_by_hand(pairs: list[Pair]) -> None:
    generator = torch.Generator().manual_seed(0)
    ir, vis, fused = torch.rand(3, 2, 1, 32, 32, generator=generator)
    task = Fusion(SHORT, Network(attention=False), pairs, CPU)
    losses = task.losses(fused, ir, vis)
    brightest = torch.maximum(ir, vis)
    assert losses["pixel"].item() == pytest.approx((fused - brightest).abs().mean().item())
    structure = 1 - (similarity(fused, ir).mean() + similarity(fused, vis).mean()) / 2
    assert losses["structure"].item() == pytest.approx(structure.item())
    sizes = [sum(part.abs() for part in filters.sobel(image, "replicate")) / 4 for image in (fused, ir, vis)]
    expected = F.l1_loss(sizes[0], torch.maximum(sizes[1], sizes[2]))  # type: ignore[arg-type]
    assert losses["gradient"].item() == pytest.approx(expected.item())
    assert losses["total"].item() == pytest.approx(
        (4 * losses["structure"] + 10 * losses["gradient"] + losses["pixel"]).item()
    )
    step = torch.zeros(1, 1, 16, 16)
    step[..., 8:] = 1
    assert task.losses(torch.zeros_like(step), step, step)["gradient"].item() == pytest.approx(2 / 16)


@pytest.mark.gpu
def test_learns_on_a_gpu(natural: list[Path], pairs: list[Pair], gpu: torch.device) -> None:
    recipe = Recipe(autoencoder_steps=3, epochs=1, epoch_steps=3, batch=2, size=64)
    on_cpu, on_gpu = (Reconstruction(recipe, natural, device) for device in (torch.device("cpu"), gpu))
    on_gpu.network.load_state_dict(on_cpu.network.state_dict())
    on_gpu.discriminator.load_state_dict(on_cpu.discriminator.state_dict())
    for _ in range(3):
        assert on_gpu.step()["total"] == pytest.approx(on_cpu.step()["total"], rel=1e-2)
    second = [Fusion(recipe, on_cpu.network, pairs, device) for device in (torch.device("cpu"), gpu)]
    for _ in range(3):
        assert second[1].step()["total"] == pytest.approx(second[0].step()["total"], rel=1e-2)
