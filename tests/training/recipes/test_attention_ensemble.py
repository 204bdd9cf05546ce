import shutil
import warnings
from collections.abc import Callable
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
from irfuse.training import card
from irfuse.training.crops import Augmentation, ImageCrops, PairCrops
from irfuse.training.data import TrainingData
from irfuse.training.recipes.attention_ensemble import AttentionEnsembleRecipe, autoencoder, watch
from irfuse.training.recipes.attention_ensemble.attention import Fusion
from irfuse.training.recipes.attention_ensemble.autoencoder import Reconstruction
from irfuse.training.recipes.base import Trained
from irfuse.training.run import train
from tests.training.conftest import names, stop_after

SHORT = AttentionEnsembleRecipe(autoencoder_steps=3, epochs=2, epoch_steps=2, batch=2, size=32)
SWITCHES = {"dilated": True, "attention": False, "skips": True}
CPU = torch.device("cpu")

Train = Callable[..., Trained]


@pytest.fixture
def trained(small: TrainingData, without_curves: None) -> Train:
    def trained(
        out: Path, recipe: AttentionEnsembleRecipe = SHORT, data: TrainingData = small, **settings: Any
    ) -> Trained:
        return train(recipe, data, out, device="cpu", **settings)

    return trained


@pytest.fixture(scope="module")
def finished(small: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a short training, with everything that it wrote."""
    out = tmp_path_factory.mktemp("finished") / "x.safetensors"
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore", SuspiciousPairWarning)
        patch.setattr(card, "_curves", lambda history: b"")
        return train(SHORT, small, out, device="cpu").weights


def first_of(weights_file: Path) -> Path:
    return weights_file.with_name(f"{weights_file.stem}-autoencoder.safetensors")


def same(one: Path, other: Path) -> bool:
    tensors, others = load_file(one), load_file(other)
    return all(torch.equal(tensors[name], others[name]) for name in tensors.keys() | others.keys())


@pytest.mark.parametrize(("word", "step", "resumed"), [("auto-encoder", 2, "first"), ("structure", 3, "second")])
def test_resumes_exactly(word: str, step: int, resumed: str, trained: Train, finished: Path, tmp_path: Path) -> None:
    """Interrupted in either stage, training gives bit for bit what it gives in one go."""
    out = tmp_path / "x.safetensors"
    with pytest.raises(StoppedError):
        trained(out, on_step=stop_after(step, word))
    assert (first_of(out).exists(), (tmp_path / "x.checkpoint").exists()) == ((resumed == "second"),) * 2
    with pytest.raises(TrainingError, match=r"unfinished training|already exists"):
        trained(out)
    trained(out, resume=True)
    for end in (".csv", "-epochs.csv", "-autoencoder.csv"):
        assert (tmp_path / f"x{end}").read_bytes() == finished.with_name(f"x{end}").read_bytes()
    assert same(out, finished)
    assert same(first_of(out), first_of(finished))


@pytest.mark.parametrize("word", ["auto-encoder", "structure"])
def test_resumes_exactly_in_bf16(word: str, trained: Train, tmp_path: Path) -> None:
    recipe = replace(SHORT, precision="bf16", autoencoder_steps=2, epochs=1)
    straight, resumed = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    trained(straight, recipe)
    with pytest.raises(StoppedError):
        trained(resumed, recipe, on_step=stop_after(1, word))
    trained(resumed, recipe, resume=True)
    assert same(straight, resumed)


def test_a_first_stage_that_ended_is_not_another_trainings(trained: Train, small: TrainingData, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    with pytest.raises(StoppedError):
        trained(out, on_step=stop_after(1, "structure"))
    with pytest.raises(
        TrainingError,
        match=r"x-autoencoder.safetensors belongs to a training with other settings: seed is 0 there and 1 here",
    ):
        trained(out, replace(SHORT, seed=1), resume=True)
    with pytest.raises(TrainingError, match=r"other settings: images is "):
        trained(out, data=replace(small, images=small.images[1:]), resume=True)
    with pytest.raises(TrainingError, match="no checkpoint to resume from"):
        trained(tmp_path / "y.safetensors", resume=True)


def test_what_it_writes(finished: Path, small: TrainingData) -> None:
    header, first, text = weights.header(finished), first_of(finished), finished.with_suffix(".md").read_text()
    pair, validated = small.pairs[0], small.validation[0]
    assert (header["dilated"], header["attention"], header["skips"]) == (True, True, True)
    assert [image["name"] for image in header["images"][:2]] == [f"{role}/{pair.ir.name}" for role in ("ir", "vis")]
    assert [image["name"] for image in weights.header(first)["images"]] == [path.name for path in small.images]
    assert names(finished.parent) == {
        "x.safetensors", "x.md", "x.toml", "x.png", "x.csv", "x-epochs.csv", "x-previews",
        "x-autoencoder.safetensors", "x-autoencoder.md", "x-autoencoder.png", "x-autoencoder.csv",
    }  # fmt: skip
    assert "`irfuse train attention-ensemble --autoencoder-steps 3 " in text
    assert f"| auto-encoder | `{sha256(first)}`, " in text
    assert "| these weights |" in first.with_suffix(".md").read_text()
    assert first.with_suffix(".csv").read_text().startswith("step,total,pixel,ssim,generator,discriminator")
    ir, vis = images.read(validated.ir), images.read(validated.vis)
    for file in (finished, first):
        assert Fuser(f"attention-ensemble:weights={file}", device="cpu")(ir, vis).shape == vis.shape


def test_an_earlier_first_stage_serves_again(
    finished: Path, trained: Train, small: TrainingData, tmp_path: Path
) -> None:
    """With the same weights as the training that made it, and its parameters stay as they are."""
    first = first_of(finished)
    again = replace(small, images=(), autoencoder=first)
    out = trained(tmp_path / "b.safetensors", data=again).weights
    assert same(out, finished)
    one, auto = load_file(finished), load_file(first)
    assert all(torch.equal(one[name], auto[name]) for name in auto)
    assert not first_of(out).exists()
    with pytest.raises(TrainingError, match="no checkpoint to resume from"):
        trained(tmp_path / "c.safetensors", data=again, resume=True)
    header = weights.header(out)
    assert header["recipe"]["autoencoder_steps"] == 3
    assert header["autoencoder"] == sha256(first)
    bare = tmp_path / "bare.safetensors"
    weights.save(Network(attention=False), {"method": "attention-ensemble", **SWITCHES}, bare)
    for file in (finished, bare):
        with pytest.raises(TrainingError, match="not the first stage of a training"):
            trained(tmp_path / "c.safetensors", data=replace(again, autoencoder=file))


def test_images_to_validate_on_that_were_trained_on(trained: Train, small: TrainingData, tmp_path: Path) -> None:
    """By the first stage of this or of an earlier training, or by the initial weights."""
    copy = tmp_path / "copies" / "copy.png"
    copy.parent.mkdir()
    shutil.copy(small.validation[0].vis, copy)
    recipe, out = replace(SHORT, autoencoder_steps=1, epochs=1, epoch_steps=1), tmp_path / "a.safetensors"
    seen = r"images to validate on are also images that {} trained on: {} of 2, such as {}/{}: their scores say nothing"
    name = small.validation[0].vis.name
    first = seen.format("the auto-encoder is", 1, "vis", name)
    with pytest.warns(SuspiciousPairWarning, match=first):
        trained(out, recipe, replace(small, images=(*small.images, copy)))
    with pytest.warns(SuspiciousPairWarning, match=first):
        trained(tmp_path / "b.safetensors", recipe, replace(small, images=(), autoencoder=first_of(out)))
    other = replace(small, images=(), init=str(out), pairs=small.validation, validation=small.pairs[:1])
    with pytest.warns(
        SuspiciousPairWarning, match=seen.format("the initial weights were", 2, "ir", small.pairs[0].ir.name)
    ):
        trained(tmp_path / "c.safetensors", recipe, other)


def test_the_first_stage_says_what_it_was(trained: Train, small: TrainingData, tmp_path: Path) -> None:
    """Another training that uses it takes over its settings, also from a header with the names of earlier versions."""
    first = tmp_path / "old.safetensors"
    weights.save(
        Network(attention=False, skips=False),
        {
            "method": "attention-ensemble",
            **SWITCHES,
            "skips": False,
            "recipe": {
                "autoencoder_steps": 9, "ssim_weight": 0.2, "gan_weight": 0.0, "dilated": True, "skips": False,
                "batch": 2, "size": 32, "learning_rate": 0.001, "precision": "float32", "seed": 0,
            },
            "images": [],
            "seconds": 1.0,
        },
        first,
    )  # fmt: skip
    recipe = replace(SHORT, epochs=1, epoch_steps=1)
    out = trained(tmp_path / "b.safetensors", recipe, replace(small, images=(), autoencoder=first)).weights
    header = weights.header(out)
    assert (header["skips"], header["recipe"]["skips"], header["recipe"]["autoencoder_steps"]) == (False, False, 9)
    assert header["recipe"]["precision"] == "fp32"
    said = weights.header(first) | {"images": []}
    autoencoder.check_same(said, autoencoder.with_settings_of(said, recipe), (), first)


def test_what_has_ended_is_not_trained_again(trained: Train, finished: Path) -> None:
    before = {path: path.read_bytes() for path in finished.parent.iterdir() if path.is_file()}
    for recipe in (SHORT, replace(SHORT, structure_weight=1.0)):
        with pytest.raises(TrainingError, match=r"x\.safetensors already exists"):
            trained(finished, recipe, resume=True)
    assert {path: path.read_bytes() for path in finished.parent.iterdir() if path.is_file()} == before


def test_pairs_too_small_to_validate_on_stop_it_before_it_starts(
    trained: Train, small: TrainingData, tmp_path: Path
) -> None:
    for name in ("ir", "vis"):
        images.write(tmp_path / f"{name}.png", images.read(small.validation[0].ir)[:12])
    tiny = Pair("tiny", tmp_path / "ir.png", tmp_path / "vis.png")
    with pytest.raises(TrainingError, match="tiny: validation needs pairs of at least 13x13 pixels"):
        trained(tmp_path / "x.safetensors", data=replace(small, validation=(tiny,)))
    assert names(tmp_path) == {"ir.png", "vis.png"}


@pytest.mark.parametrize("name", ["x-autoencoder.md", "x-autoencoder.safetensors", "x-epochs.csv", "x.toml"])
def test_nothing_is_overwritten(trained: Train, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(TrainingError, match=f"{name} already exists"):
        trained(tmp_path / "x.safetensors")
    assert names(tmp_path) == {name}


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"size": 12}, "size must be at least 13, not 12"),
        ({"autoencoder_steps": 0}, "autoencoder_steps must be at least 1, not 0"),
        ({"learning_rate": 0.0}, r"learning_rate must be more than 0, not 0\.0"),
        ({"gan_weight": -1.0}, r"gan_weight must be at least 0, not -1\.0"),
        ({"precision": "float32"}, "precision must be one of fp32, bf16, not 'float32'"),
        ({"structure_weight": 0.0, "gradient_weight": 0.0, "pixel_weight": 0.0}, "one of .* must be more than 0"),
    ],
)
def test_impossible_settings(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(TrainingError, match=error):
        replace(SHORT, **settings)


def test_images_that_cannot_be_used(trained: Train, small: TrainingData, finished: Path, tmp_path: Path) -> None:
    for data in (replace(small, images=()), replace(small, autoencoder=first_of(finished))):
        with pytest.raises(TrainingError, match="give one of --images, --autoencoder and --init"):
            trained(tmp_path / "x.safetensors", data=data)
    with pytest.raises(TrainingError, match="would lie among the images to train on: choose another folder"):
        trained(small.images[0].with_name("x.safetensors"))
    bad, out = tmp_path / "bad.png", tmp_path / "new" / "x.safetensors"
    bad.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"bad\.png"):
        trained(out, data=replace(small, images=(*small.images, bad)))
    assert not list(out.parent.iterdir())


def test_the_autoencoder_learns(small: TrainingData) -> None:
    task = Reconstruction(replace(SHORT, autoencoder_steps=30, learning_rate=3e-3), small.images, CPU)
    losses = [task.step() for _ in range(30)]
    assert losses[-1]["pixel"] < 0.1 * losses[0]["pixel"]
    assert losses[-1]["total"] == pytest.approx(
        losses[-1]["pixel"] + 0.1 * losses[-1]["ssim"] + 0.001 * losses[-1]["generator"], rel=1e-5
    )


def test_the_attention_learns() -> None:
    """By its loss on crops that stay the same: in a step, the loss depends more on the step's crops."""
    pairs = samples.pairs()
    recipe = replace(SHORT, epochs=1, epoch_steps=16, learning_rate=1e-2)
    task = Fusion(recipe, AttentionEnsemble(weights="full").network, pairs, CPU)
    crops = PairCrops(pairs, 48, 1, Augmentation(), 1)
    ir, vis = (torch.stack(images) for images in zip(*(crops[number] for number in range(8)), strict=True))
    before = task.losses(task.fuse(ir, vis), ir, vis)["total"].item()
    for _ in range(recipe.epoch_steps):
        task.step()
    assert task.losses(task.fuse(ir, vis), ir, vis)["total"].item() < 0.98 * before


def test_starts_from_weights(trained: Train, small: TrainingData, tmp_path: Path) -> None:
    """It trains the attention further, and has no first stage."""
    out, data = tmp_path / "x.safetensors", replace(small, images=(), init="full")
    written = trained(out, replace(SHORT, skip_attention=0.5), data)
    assert "x-autoencoder.safetensors" not in names(tmp_path)
    shipped = AttentionEnsemble(weights="full").network.state_dict()
    result = AttentionEnsemble(weights=str(out)).network.state_dict()
    same = {name for name, value in shipped.items() if torch.equal(value, result[name])}
    assert {name for name in shipped if not name.startswith("attention.")} <= same
    assert same != set(shipped)
    for name, value in shipped.items():
        torch.testing.assert_close(result[name], value, atol=5e-3, rtol=0)
    header, before = weights.header(out), weights.header(weights.find("attention-ensemble", "full"))
    assert header["autoencoder"] == before["autoencoder"]
    assert header["skip_attention"] == 0.5
    assert header["init"]["images"] == before["images"]
    assert "| initial weights | attention-ensemble-full-v2.safetensors, SHA-256" in written.card.read_text()


def test_weights_that_it_cannot_start_from(trained: Train, small: TrainingData, finished: Path, tmp_path: Path) -> None:
    for data, error in (
        (replace(small, images=(), init=first_of(finished)), "have no attention: give them as --autoencoder"),
        (replace(small, init="full"), "give one of --images, --autoencoder and --init"),
    ):
        with pytest.raises(TrainingError, match=error):
            trained(tmp_path / "x.safetensors", data=data)
    assert not list(tmp_path.iterdir())


def test_the_adversary_learns_to_tell(small: TrainingData) -> None:
    """Natural images from rebuilt ones, and the auto-encoder's steps depend on what it says."""
    recipe = replace(SHORT, autoencoder_steps=40, learning_rate=3e-3)
    task = Reconstruction(recipe, small.images, CPU)
    for _ in range(40):
        task.step()
    images_ = torch.stack([ImageCrops(small.images, 32, 1)[number][0] for number in range(8)])
    with torch.no_grad():
        # Gray ones, as of an auto-encoder that has learnt nothing.
        assert (
            task.discriminator(images_).mean()
            > task.discriminator(images_.mean(dim=(2, 3), keepdim=True) + 0 * images_).mean()
        )
    heavy, without = (Reconstruction(replace(recipe, gan_weight=weight), small.images, CPU) for weight in (1.0, 0.0))
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
    gan_weight: float, way_out: str, trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pixel loss that rises in the middle; one bad step does not matter."""
    recipe = replace(SHORT, autoencoder_steps=60, batch=1, size=16, gan_weight=gan_weight)
    losses = iter([1.0] + [0.01] * 19 + [9.0] + [0.01] * 10 + [0.5] * 30)
    monkeypatch.setattr(watch, "_WATCHED", 10)
    monkeypatch.setattr(autoencoder.F, "mse_loss", lambda one, other: (one - other).mean() * 0 + next(losses))
    with pytest.raises(DivergedError, match=rf"the pixel loss is 0\.\d+, and was 0\.01; use a smaller {way_out}$"):
        trained(tmp_path / "x.safetensors", recipe)
    assert len(list(losses)) > 20
    assert not list(tmp_path.iterdir())


def test_a_network_that_learned_nothing_is_not_saved(
    trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoencoder.F, "mse_loss", lambda one, other: (one - other).mean() * 0 + 0.3)
    monkeypatch.setattr(watch, "_WATCHED", 10)
    with pytest.raises(DivergedError, match=r"the pixel loss is 0\.3, no better than a gray image"):
        trained(tmp_path / "x.safetensors", replace(SHORT, autoencoder_steps=10, batch=1, size=16))
    assert not list(tmp_path.iterdir())


def test_the_watch_goes_on_where_it_was(small: TrainingData) -> None:
    task, other = (Reconstruction(SHORT, small.images, CPU) for _ in range(2))
    task.step()
    task.step()
    state = task.parts["watch"].state_dict()
    assert len(state["pixels"]) == 2
    other.parts["watch"].load_state_dict(state)
    assert other.watch.state_dict() == state


def test_the_loss_by_hand(small: TrainingData) -> None:
    generator = torch.Generator().manual_seed(0)
    ir, vis, fused = torch.rand(3, 2, 1, 32, 32, generator=generator)
    task = Fusion(SHORT, Network(attention=False), small.pairs, CPU)
    losses = task.losses(fused, ir, vis)
    brightest = torch.maximum(ir, vis)
    assert losses["pixel"].item() == pytest.approx((fused - brightest).abs().mean().item())
    structure = 1 - (similarity(fused, ir).mean() + similarity(fused, vis).mean()) / 2
    assert losses["structure"].item() == pytest.approx(structure.item())
    sizes = [sum(part.abs() for part in filters.sobel(image, "replicate")) / 4 for image in (fused, ir, vis)]
    expected = F.l1_loss(sizes[0], torch.maximum(sizes[1], sizes[2]))  # type: ignore[arg-type]
    assert losses["gradient"].item() == pytest.approx(expected.item())
    assert losses["total"].item() == pytest.approx(
        (5 * losses["structure"] + 10 * losses["gradient"] + losses["pixel"]).item()
    )
    step = torch.zeros(1, 1, 16, 16)
    step[..., 8:] = 1
    assert task.losses(torch.zeros_like(step), step, step)["gradient"].item() == pytest.approx(2 / 16)


@pytest.mark.gpu
def test_learns_on_a_gpu(small: TrainingData, gpu: torch.device) -> None:
    recipe = AttentionEnsembleRecipe(autoencoder_steps=3, epochs=1, epoch_steps=3, batch=2, size=64)
    on_cpu, on_gpu = (Reconstruction(recipe, small.images, device) for device in (torch.device("cpu"), gpu))
    on_gpu.network.load_state_dict(on_cpu.network.state_dict())
    on_gpu.discriminator.load_state_dict(on_cpu.discriminator.state_dict())
    for _ in range(3):
        assert on_gpu.step()["total"] == pytest.approx(on_cpu.step()["total"], rel=1e-2)
    second = [Fusion(recipe, on_cpu.network, small.pairs, device) for device in (torch.device("cpu"), gpu)]
    for _ in range(3):
        assert second[1].step()["total"] == pytest.approx(second[0].step()["total"], rel=1e-2)
