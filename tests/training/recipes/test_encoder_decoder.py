import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from irfuse import samples, weights
from irfuse.errors import ImageError, StoppedError, SuspiciousPairWarning, TrainingError
from irfuse.fuser import Fuser
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.metrics.piella import qw, qw_edge
from irfuse.training.recipes.encoder_decoder import Fusion, Precision, Recipe, train_weights

PAIRS = list(samples.pairs())
SHORT = Recipe(epochs=2, epoch_steps=2, batch=2, size=32, width=2, halved_at=(1,))


def trained(recipe: Recipe, out: Path, **settings: object) -> Path:
    with pytest.warns(SuspiciousPairWarning, match="hardly contributes"):
        # A few steps do not even make a picture.
        return train_weights(recipe, PAIRS[1:], PAIRS[:1], out, device="cpu", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resumes_exactly(steps: int, precision: Precision, tmp_path: Path) -> None:
    """Interrupted in the first or in the second epoch, training gives bit for bit what it gives in one go."""
    recipe = replace(SHORT, precision=precision)
    straight, resumed = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    trained(recipe, straight)

    def stop(done: int, total: int, note: str) -> None:
        if done == steps and "checking" not in note:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(StoppedError):
        train_weights(recipe, PAIRS[1:], PAIRS[:1], resumed, device="cpu", on_step=stop)
    with pytest.raises(TrainingError, match="unfinished training"):
        train_weights(recipe, PAIRS[1:], PAIRS[:1], resumed, device="cpu")
    trained(recipe, resumed, resume=True)
    assert straight.with_suffix(".csv").read_bytes() == resumed.with_suffix(".csv").read_bytes()
    assert (tmp_path / "a-epochs.csv").read_bytes() == (tmp_path / "b-epochs.csv").read_bytes()
    for one, other in zip(load_file(straight).values(), load_file(resumed).values(), strict=True):
        assert torch.equal(one, other)


def test_a_failed_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the same command can be given again."""

    def step(task: Fusion) -> dict[str, float]:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Fusion, "step", step)
    with pytest.raises(TrainingError, match="out of memory in step 1; use fewer or smaller crops"):
        train_weights(SHORT, PAIRS[1:], PAIRS[:1], tmp_path / "x.safetensors", device="cpu")
    with pytest.raises(TrainingError, match="no checkpoint to resume from"):
        train_weights(SHORT, PAIRS[1:], PAIRS[:1], tmp_path / "x.safetensors", device="cpu", resume=True)
    assert not list(tmp_path.iterdir())


def test_another_recipe_is_another_training(tmp_path: Path) -> None:
    trained(SHORT, tmp_path / "new" / "a.safetensors")
    trained(replace(SHORT, seed=1), tmp_path / "b.safetensors")
    assert (tmp_path / "new" / "a.csv").read_bytes() != (tmp_path / "b.csv").read_bytes()


def test_what_it_writes(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    card = trained(SHORT, out, command="irfuse train")
    header = weights.header(out)
    assert (header["width"], header["channels"]) == (2, 1)
    assert header["recipe"]["halved_at"] == [1]
    assert [image["name"] for image in header["images"][:2]] == [f"{role}/{PAIRS[1].ir.name}" for role in ("ir", "vis")]
    assert len(header["images"]) == 2 * len(PAIRS[1:])
    assert len(header["validation"]) == 2
    assert {path.name for path in tmp_path.iterdir()} == {
        "x.safetensors", "x.md", "x.png", "x.csv", "x-epochs.csv", "x-previews"
    }  # fmt: skip
    assert [path.name for path in sorted((tmp_path / "x-previews").iterdir())] == ["epoch-001.jpg", "epoch-002.jpg"]
    assert (tmp_path / "x-epochs.csv").read_text().splitlines()[0] == "epoch,qw,qw_edge,qabf,ssim_a,scd"
    text = card.read_text()
    for part in (
        "`irfuse train`",
        "waiting for data",
        "infrared 0.0",
        "x-previews/epoch-002.jpg",
        "Validation on 1 pair",
    ):
        assert part in text
    ir, vis = images.read(PAIRS[0].ir), images.read(PAIRS[0].vis)
    assert Fuser(f"encoder-decoder:weights={out}", device="cpu")(ir, vis).shape == vis.shape


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x-epochs.csv").write_text("mine")
    with pytest.raises(TrainingError, match=r"x-epochs\.csv is there already"):
        train_weights(SHORT, PAIRS[1:], PAIRS[:1], tmp_path / "x.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["x-epochs.csv"]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"size": 48}, "size cannot be 48; a multiple of 32"),
        ({"width": 3}, "width cannot be 3; an even number"),
        ({"epochs": 0}, "epochs cannot be 0; 1 or more"),
        ({"averaging": 1.0}, "averaging cannot be 1.0"),
        ({"learning_rate": 0.0}, "learning_rate cannot be 0.0"),
        ({"qw_weight": 0.0, "qe_weight": 0.0, "coarse_weight": 0.0, "mse_weight": 0.0}, "one of them more than 0"),
    ],
)
def test_impossible_settings(settings: dict[str, Any], error: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=error):
        train_weights(replace(SHORT, **settings), PAIRS[1:], PAIRS[:1], tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


def test_pairs_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no pair to validate on"):
        train_weights(SHORT, PAIRS[1:], [], tmp_path / "x.safetensors")
    with pytest.raises(TrainingError, match=r"1 pairs are in both the training and the validation, such as .*\.png"):
        train_weights(SHORT, PAIRS[1:], PAIRS[1:2], tmp_path / "x.safetensors")
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"bad\.png"):
        train_weights(
            SHORT, [*PAIRS[1:], Pair("bad", *[tmp_path / "bad.png"] * 2)], PAIRS[:1], tmp_path / "x.safetensors"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["bad.png"]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_loss_is_that_of_the_metrics(channels: int) -> None:
    """And training lowers it, in grey and in colour."""
    recipe = Recipe(epochs=1, epoch_steps=80, batch=4, size=64, channels=channels, coarse_weight=0.5, mse_weight=2.0)  # type: ignore[arg-type]
    task = Fusion(recipe, PAIRS, torch.device("cpu"))
    losses = [task.step() for _ in range(80)]
    first, last = losses[0], losses[-1]
    weighted = first["qw"] + first["qe"] + first["coarse"] / 2 + 2 * first["mse"]
    assert first["total"] == pytest.approx(weighted, rel=1e-5)
    assert sum(loss["total"] for loss in losses[-5:]) / 5 < 0.7 * first["total"]
    assert last["qw"] < first["qw"]


def test_the_loss_of_a_known_image() -> None:
    """Of the visible image itself, whose squared error against both sources is half of that against the infrared."""
    generator = torch.Generator().manual_seed(0)
    ir, vis = torch.rand(2, 2, 1, 32, 32, generator=generator)
    task = Fusion(SHORT, PAIRS, torch.device("cpu"))
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
    losses = Fusion(SHORT, PAIRS, torch.device("cpu")).losses(fused, ir, vis)
    assert losses["coarse"].item() == pytest.approx(1 - sum(means) / 2, rel=1e-5)


def test_the_coarse_term_sees_a_halo() -> None:
    """A white sky over dark trees that is black in the infrared: grey with a white seam is worse than white."""
    vis, ir = torch.full((1, 1, 128, 128), 0.2), torch.full((1, 1, 128, 128), 0.5)
    vis[..., :64, :], ir[..., :64, :] = 1.0, 0.0
    whole, halo = vis.clone(), vis.clone()
    halo[..., :52, :] = 0.5
    task = Fusion(SHORT, PAIRS, torch.device("cpu"))
    assert task.losses(halo, ir, vis)["coarse"] > task.losses(whole, ir, vis)["coarse"] + 0.05


def test_chroma_is_the_visible_images_alone() -> None:
    """With infrared of no colour, nothing pulls the colours of the fused image away from those of the visible one."""
    generator = torch.Generator().manual_seed(0)
    ir = torch.rand(1, 1, 32, 32, generator=generator)
    vis = torch.rand(1, 3, 32, 32, generator=generator)
    weights_of_luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    task = Fusion(replace(SHORT, channels=3), PAIRS, torch.device("cpu"))
    # Of another luma, and the visible image's chroma.
    fused = (vis + (ir - (vis * weights_of_luma).sum(dim=1, keepdim=True)) / 3).requires_grad_()
    task.losses(fused, ir, vis)["total"].backward()  # type: ignore[no-untyped-call]
    assert fused.grad is not None
    gray = (fused.grad * weights_of_luma).sum(dim=1, keepdim=True) / weights_of_luma.square().sum()
    torch.testing.assert_close(fused.grad, gray * weights_of_luma)


def test_gradients_are_finite_where_everything_is_flat() -> None:
    task = Fusion(SHORT, PAIRS, torch.device("cpu"))
    ir, vis = torch.zeros(2, 1, 32, 32), torch.ones(2, 1, 32, 32)
    ir[:, :, 8:12] = 1
    for fused in (torch.zeros(2, 1, 32, 32), torch.full((2, 1, 32, 32), 0.5), ir.clone()):
        fused.requires_grad_()
        task.losses(fused, ir, vis)["total"].backward()  # type: ignore[no-untyped-call]
        assert fused.grad is not None
        assert fused.grad.isfinite().all()


@pytest.mark.gpu
def test_learns_on_a_gpu(gpu: torch.device) -> None:
    recipe = Recipe(epochs=1, epoch_steps=3, batch=2, size=64, width=4)
    on_cpu, on_gpu = (Fusion(recipe, PAIRS, device) for device in (torch.device("cpu"), gpu))
    for _ in range(3):
        assert on_gpu.step()["total"] == pytest.approx(on_cpu.step()["total"], rel=1e-2)
