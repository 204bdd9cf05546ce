import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from irfuse import samples, weights
from irfuse.errors import ImageError, IrfuseError, StoppedError, SuspiciousPairWarning, TrainingError
from irfuse.fuser import Fuser
from irfuse.io import images
from irfuse.io.files import sha256
from irfuse.io.pairs import Pair
from irfuse.methods.base import Channels
from irfuse.methods.encoder_decoder import EncoderDecoder
from irfuse.metrics.piella import qw, qw_edge
from irfuse.training.data import DataSources, TrainingData
from irfuse.training.recipes.base import Trained
from irfuse.training.recipes.encoder_decoder import EncoderDecoderRecipe, Fusion
from irfuse.training.run import train
from irfuse.training.steps import TrainingPrecision
from irfuse.training.validation import Validation
from tests.training.conftest import names, stop_after

PAIRS = list(samples.pairs())
SHORT = EncoderDecoderRecipe(epochs=2, epoch_steps=2, batch=2, size=32, width=2, halved_at=(1,))
CPU = torch.device("cpu")

Train = Callable[..., Trained]


@pytest.fixture
def trained(small: TrainingData, without_curves: None) -> Train:
    data = replace(small, images=())

    def trained(out: Path, recipe: EncoderDecoderRecipe = SHORT, data: TrainingData = data, **settings: Any) -> Trained:
        return train(recipe, data, out, device="cpu", **settings)

    return trained


@pytest.mark.parametrize(("precision", "steps"), [("fp32", 1), ("bf16", 3)])
def test_resumes_exactly(trained: Train, steps: int, precision: TrainingPrecision, tmp_path: Path) -> None:
    """Interrupted in the first or in the second epoch, training gives bit for bit what it gives in one go."""
    recipe = replace(SHORT, precision=precision)
    straight, resumed = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    trained(straight, recipe)
    with pytest.raises(StoppedError):
        trained(resumed, recipe, on_step=stop_after(steps, "total"))
    with pytest.raises(TrainingError, match="unfinished training"):
        trained(resumed, recipe)
    trained(resumed, recipe, resume=True)
    for end in (".csv", "-epochs.csv"):
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()
    for one, other in zip(load_file(straight).values(), load_file(resumed).values(), strict=True):
        assert torch.equal(one, other)


def test_a_failed_start_leaves_nothing(trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the same command can be given again."""

    def step(task: Fusion) -> dict[str, float]:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Fusion, "step", step)
    with pytest.raises(TrainingError, match="out of memory in step 1: use fewer or smaller crops"):
        trained(tmp_path / "x.safetensors")
    with pytest.raises(TrainingError, match="no checkpoint to resume from"):
        trained(tmp_path / "x.safetensors", resume=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("warm_up", [True, False])
def test_the_average_of_the_weights(warm_up: bool) -> None:
    """The first step replaces the average, and each further one keeps a share of it."""
    task = Fusion(replace(SHORT, averaging=0.3, averaging_warm_up=warm_up), PAIRS, CPU)
    expected: dict[str, torch.Tensor] = {}
    for step in range(4):
        task.step()
        kept = min(0.3, (1 + step) / (10 + step)) if warm_up else 0.3
        for name, value in task.parts["network"].state_dict().items():
            expected[name] = kept * expected[name] + (1 - kept) * value if step else value.clone()
    for name, value in task.network.state_dict().items():
        torch.testing.assert_close(value, expected[name])


def test_a_few_epochs_make_a_picture(small: TrainingData) -> None:
    """The average does not hold the initial weights, although each step may keep nearly all of it."""
    recipe = replace(SHORT, epoch_steps=60, batch=4, width=4, learning_rate=5e-3, averaging=0.999)
    scores = []
    for warm_up in (True, False):
        task = Fusion(replace(recipe, averaging_warm_up=warm_up), PAIRS, CPU)
        for _ in range(recipe.epoch_steps):
            task.step()
        scores.append(Validation(small.pairs, 1, EncoderDecoder.info, CPU, ["qw"]).scores(task.fuse)["qw"])
    assert scores[0] > 0.3
    assert scores[0] > 2 * scores[1]


def test_starts_from_weights(trained: Train, small: TrainingData, tmp_path: Path) -> None:
    recipe, data = replace(SHORT, width=16), replace(small, images=(), init="luma", sources=DataSources(init="luma"))
    start, shipped = Fusion(recipe, PAIRS, CPU, "luma"), EncoderDecoder(weights="luma").network
    assert all(
        torch.equal(one, other) for one, other in zip(start.network.parameters(), shipped.parameters(), strict=True)
    )
    first = tmp_path / "first.safetensors"
    file = weights.find("encoder-decoder", "luma")
    written = trained(first, recipe, data)
    header = weights.header(first)
    assert (header["init"]["name"], header["init"]["sha256"]) == (file.name, sha256(file))
    assert header["init"]["images"] == weights.header(file)["images"]
    assert "--init luma" in header["command"]
    assert f"| initial weights | {file.name}, SHA-256 `{sha256(file)}` |" in written.card.read_text()
    assert 'init = "luma"' in first.with_suffix(".toml").read_text()
    # From those weights, which know the images of both trainings.
    second = tmp_path / "second.safetensors"
    data = replace(data, init=first)
    with pytest.raises(StoppedError):
        trained(second, recipe, data, on_step=stop_after(1, "total"))
    with pytest.raises(TrainingError, match=r"second\.checkpoint belongs to a training with other settings: init"):
        trained(second, recipe, replace(data, init="luma"), resume=True)
    with pytest.raises(
        TrainingError,
        match=r"second\.checkpoint belongs to a training with other settings: init is .* there and None here",
    ):
        trained(second, recipe, replace(data, init=None), resume=True)
    trained(second, recipe, data, resume=True)
    assert weights.header(second)["init"]["images"] == header["images"] + header["init"]["images"]


@pytest.mark.parametrize(
    ("init", "settings", "error"),
    [
        ("luma", {"width": 8}, "luma: these weights have width 16, not 8: give --width 16"),
        ("luma", {"width": 16, "channels": 3}, "luma: these weights have channels 1, not 3: give --channels 1"),
        ("lumen", {}, "encoder-decoder has no weights 'lumen', and there is no such file; known names: luma"),
    ],
)
def test_weights_that_it_cannot_start_from(
    init: str, settings: dict[str, Any], error: str, trained: Train, small: TrainingData, tmp_path: Path
) -> None:
    with pytest.raises(IrfuseError, match=error):
        trained(tmp_path / "x.safetensors", replace(SHORT, **settings), replace(small, images=(), init=init))
    assert not list(tmp_path.iterdir())


def test_nan_stops_it(trained: Train, small: TrainingData, tmp_path: Path) -> None:
    ir, vis = tmp_path / "ir.tiff", tmp_path / "vis.tiff"
    whole = np.full((64, 96), 0.5, np.float32)
    broken = whole.copy()
    broken[3, 4] = np.nan
    for infrared, visible, image in ((broken, whole, "infrared"), (whole, broken, "visible")):
        images.write(ir, infrared)
        images.write(vis, visible)
        data = replace(small, images=(), pairs=(*small.pairs, Pair("bad", ir, vis)))
        with pytest.raises(ImageError, match=f"bad: the {image} image: 1 values are NaN or infinite"):
            trained(tmp_path / "x.safetensors", data=data)
    with pytest.raises(TrainingError, match=r"became (NaN|nan|inf).*: use a lower learning rate"):
        trained(tmp_path / "x.safetensors", replace(SHORT, epochs=1, epoch_steps=2, learning_rate=1e30))
    assert names(tmp_path) == {"ir.tiff", "vis.tiff"}


def test_another_recipe_is_another_training() -> None:
    one, other = (Fusion(recipe, PAIRS, CPU) for recipe in (SHORT, replace(SHORT, seed=1)))
    assert one.step() != other.step()


def test_what_it_writes(small: TrainingData, tmp_path: Path) -> None:
    out = tmp_path / "new" / "x.safetensors"
    with pytest.warns(SuspiciousPairWarning, match="hardly contributes"):
        written = train(SHORT, replace(small, images=()), out, device="cpu")
    assert (written.weights, written.card) == (out, out.with_suffix(".md"))
    header = weights.header(out)
    assert (header["width"], header["channels"]) == (2, 1)
    assert header["recipe"]["halved_at"] == [1]
    first, validated = small.pairs[0], small.validation[0]
    assert [image["name"] for image in header["images"][:2]] == [f"{role}/{first.ir.name}" for role in ("ir", "vis")]
    assert len(header["images"]) == 2 * len(small.pairs)
    assert len(header["validation"]) == 2
    assert names(out.parent) == {
        "x.safetensors", "x.md", "x.toml", "x.png", "x.csv", "x-epochs.csv", "x-previews"
    }  # fmt: skip
    assert names(out.parent / "x-previews") == {"epoch-001.jpg", "epoch-002.jpg"}
    assert (out.parent / "x-epochs.csv").read_text().splitlines()[0] == "epoch,qw,qw_edge,qabf,ssim_a,scd"
    text = written.card.read_text()
    for part in (
        "`irfuse train encoder-decoder --epochs 2",
        "waiting for data",
        "infrared 0.0",
        "x-previews/epoch-002.jpg",
        "## Validation on 1 pair\n",
    ):
        assert part in text
    ir, vis = images.read(validated.ir), images.read(validated.vis)
    assert Fuser(f"encoder-decoder:weights={out}", device="cpu")(ir, vis).shape == vis.shape


@pytest.mark.parametrize("name", ["x-epochs.csv", "x.toml"])
def test_nothing_is_overwritten(trained: Train, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(TrainingError, match=f"{name} already exists"):
        trained(tmp_path / "x.safetensors")
    assert names(tmp_path) == {name}


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"size": 48}, "size must be a multiple of 32 and at least 32, not 48"),
        ({"width": 3}, "width must be a multiple of 2"),
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"averaging": 1.0}, "averaging must be at least 0 and less than 1"),
        ({"learning_rate": 0.0}, "learning_rate must be more than 0"),
        ({"qw_weight": 0.0, "qe_weight": 0.0, "coarse_weight": 0.0, "mse_weight": 0.0}, "one of qw_weight, .* than 0"),
    ],
)
def test_impossible_settings(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(TrainingError, match=error):
        replace(SHORT, **settings)


def test_pairs_that_cannot_be_used(trained: Train, small: TrainingData, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    with pytest.raises(TrainingError, match="no pairs to train on: give both --ir and --vis, or --pairs"):
        trained(out, data=TrainingData(validation=small.validation))
    with pytest.raises(TrainingError, match="no pairs to validate on: give --validation"):
        trained(out, data=TrainingData(pairs=small.pairs))
    with pytest.raises(TrainingError, match=r"also pairs to validate on: 1, such as .*\.png"):
        trained(out, data=TrainingData(pairs=small.pairs, validation=small.pairs[:1]))
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"bad\.png"):
        trained(out, data=replace(small, images=(), pairs=(*small.pairs, Pair("bad", bad, bad))))
    assert names(tmp_path) == {"bad.png"}


@pytest.mark.parametrize("role", ["ir", "vis"])
def test_copies_of_what_is_trained_on(role: str, trained: Train, small: TrainingData, tmp_path: Path) -> None:
    """They are found by their content, whatever their names. Only those that the user names are refused."""
    copy, fresh = tmp_path / "copies" / "copy.png", small.validation[0]
    copy.parent.mkdir()
    shutil.copy(getattr(small.pairs[1], role), copy)
    data = replace(small, images=(), validation=(fresh, replace(fresh, **{"name": "copy", role: copy})))
    copies = r"images to validate on are copies of images to train on: 1 of 4, such as copies/copy\.png: "
    with pytest.raises(TrainingError, match=f"{copies}remove them from one of both"):
        trained(tmp_path / "x.safetensors", data=data)
    assert names(tmp_path) == {"copies"}
    with pytest.warns(SuspiciousPairWarning) as found:
        trained(tmp_path / "x.safetensors", data=replace(data, held_out=True))
    assert any(re.match(f"{copies}the scores look too good; name other pairs", str(one.message)) for one in found)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_loss_is_that_of_the_metrics(channels: Channels) -> None:
    """And training lowers it, in gray and in color."""
    recipe = EncoderDecoderRecipe(epoch_steps=40, batch=4, size=32, channels=channels, learning_rate=3e-3)
    task = Fusion(recipe, PAIRS, CPU)
    losses = [task.step() for _ in range(recipe.epoch_steps)]
    first, last = losses[0], losses[-1]
    weighted = first["qw"] + first["qe"] + first["coarse"] / 2 + 2 * first["mse"]
    assert first["total"] == pytest.approx(weighted, rel=1e-5)
    assert sum(loss["total"] for loss in losses[-5:]) / 5 < 0.7 * first["total"]
    assert last["qw"] < first["qw"]


def test_the_loss_of_a_known_image() -> None:
    """Of the visible image itself, whose squared error against both sources is half of that against the infrared."""
    generator = torch.Generator().manual_seed(0)
    ir, vis = torch.rand(2, 2, 1, 32, 32, generator=generator)
    task = Fusion(SHORT, PAIRS, CPU)
    losses = task.losses(vis, ir, vis)
    assert losses["mse"].item() == pytest.approx(((ir - vis) ** 2).mean().item() / 2)
    assert losses["qw"].item() == pytest.approx(1 - qw(vis, ir, vis).mean().item())
    assert losses["qe"].item() == pytest.approx(1 - qw_edge(vis, ir, vis).mean().item())


def test_the_coarse_term_by_hand() -> None:
    """Q_w of blocks' means, for blocks of which at least 8 fit into a side."""
    generator = torch.Generator().manual_seed(0)
    fused, ir, vis = torch.rand(3, 2, 1, 64, 96, generator=generator)
    means = []
    for block in (4, 8):
        coarse = [
            image.view(2, 1, 64 // block, block, 96 // block, block).mean(dim=(3, 5)) for image in (fused, ir, vis)
        ]
        means.append(qw(*coarse).mean().item())
    losses = Fusion(SHORT, PAIRS, CPU).losses(fused, ir, vis)
    assert losses["coarse"].item() == pytest.approx(1 - sum(means) / 2, rel=1e-5)


def test_the_coarse_term_sees_a_halo() -> None:
    """A white sky over dark trees that is black in the infrared: gray with a white seam is worse than white."""
    vis, ir = torch.full((1, 1, 128, 128), 0.2), torch.full((1, 1, 128, 128), 0.5)
    vis[..., :64, :], ir[..., :64, :] = 1.0, 0.0
    whole, halo = vis.clone(), vis.clone()
    halo[..., :52, :] = 0.5
    task = Fusion(SHORT, PAIRS, CPU)
    assert task.losses(halo, ir, vis)["coarse"] > task.losses(whole, ir, vis)["coarse"] + 0.05


def test_chroma_is_the_visible_images_alone() -> None:
    """With infrared of no color, nothing pulls the colors of the fused image away from those of the visible one."""
    generator = torch.Generator().manual_seed(0)
    ir = torch.rand(1, 1, 32, 32, generator=generator)
    vis = torch.rand(1, 3, 32, 32, generator=generator)
    weights_of_luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    task = Fusion(replace(SHORT, channels=3), PAIRS, CPU)
    # Of another luma, and the visible image's chroma.
    fused = (vis + (ir - (vis * weights_of_luma).sum(dim=1, keepdim=True)) / 3).requires_grad_()
    task.losses(fused, ir, vis)["total"].backward()  # type: ignore[no-untyped-call]
    assert fused.grad is not None
    gray = (fused.grad * weights_of_luma).sum(dim=1, keepdim=True) / weights_of_luma.square().sum()
    torch.testing.assert_close(fused.grad, gray * weights_of_luma)


def test_gradients_are_finite_where_everything_is_flat() -> None:
    task = Fusion(SHORT, PAIRS, CPU)
    ir, vis = torch.zeros(2, 1, 32, 32), torch.ones(2, 1, 32, 32)
    ir[:, :, 8:12] = 1
    for fused in (torch.zeros(2, 1, 32, 32), torch.full((2, 1, 32, 32), 0.5), ir.clone()):
        fused.requires_grad_()
        task.losses(fused, ir, vis)["total"].backward()  # type: ignore[no-untyped-call]
        assert fused.grad is not None
        assert fused.grad.isfinite().all()


@pytest.mark.gpu
def test_learns_on_a_gpu(gpu: torch.device) -> None:
    recipe = EncoderDecoderRecipe(epochs=1, epoch_steps=3, batch=2, size=64, width=4)
    on_cpu, on_gpu = (Fusion(recipe, PAIRS, device) for device in (torch.device("cpu"), gpu))
    for _ in range(3):
        assert on_gpu.step()["total"] == pytest.approx(on_cpu.step()["total"], rel=1e-2)
