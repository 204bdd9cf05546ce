from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from irfuse import samples, weights
from irfuse.errors import ImageError, OutputError, StoppedError, SuspiciousPairWarning, TrainingError
from irfuse.io import images
from irfuse.training.data import DataSources, TrainingData, find
from irfuse.training.reading import read_gray
from irfuse.training.recipes.base import Trained
from irfuse.training.recipes.res2netfuse import Reconstruction, Res2NetFuseRecipe
from irfuse.training.run import train
from tests.training.conftest import names, stop_after

VISIBLE = tuple(pair.vis for pair in samples.pairs())
SINGLE, MANY = TrainingData(images=VISIBLE[:1]), TrainingData(images=VISIBLE)
SHORT = Res2NetFuseRecipe(iterations=4, batch=2, size=32)
CPU = torch.device("cpu")


def trained(data: TrainingData, out: Path, recipe: Res2NetFuseRecipe = SHORT, **settings: Any) -> Trained:
    return train(recipe, data, out, device="cpu", **settings)


@pytest.mark.parametrize("data", [SINGLE, MANY], ids=["single", "many"])
def test_resumes_exactly(data: TrainingData, tmp_path: Path) -> None:
    """Interrupted after two steps and resumed, training gives bit for bit what it gives in one go."""
    recipe = replace(SHORT, more_sizes=(48,))
    straight, resumed = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    trained(data, straight, recipe)
    with pytest.raises(StoppedError):
        trained(data, resumed, recipe, on_step=stop_after(2, "total"))
    trained(data, resumed, recipe, resume=True)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    one, other = load_file(straight), load_file(resumed)
    assert all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())


def test_another_seed_is_another_training() -> None:
    assert Reconstruction(SHORT, VISIBLE, CPU).step() != Reconstruction(replace(SHORT, seed=1), VISIBLE, CPU).step()


def test_learns() -> None:
    task = Reconstruction(Res2NetFuseRecipe(iterations=25, size=32, learning_rate=2e-3), VISIBLE[:1], CPU)
    losses = [task.step() for _ in range(25)]
    assert losses[-1]["total"] < losses[0]["total"] / 2
    assert all(loss["total"] == pytest.approx(loss["ssim"] + loss["mse"]) for loss in losses)


@pytest.mark.gpu
def test_learns_on_a_gpu(gpu: torch.device) -> None:
    on_cpu, on_gpu = (Reconstruction(SHORT, VISIBLE[:1], device) for device in (CPU, gpu))
    for _ in range(4):
        assert on_gpu.step()["total"] == pytest.approx(on_cpu.step()["total"], rel=1e-2)


def test_header_says_how_the_weights_were_made(small: TrainingData, tmp_path: Path) -> None:
    test = str(small.images[0])
    written = trained(find(DataSources(images=str(VISIBLE[0]), test=test)), tmp_path / "x.safetensors")
    header = weights.header(written.weights)
    assert header["recipe"]["iterations"] == 4
    assert header["images"][0]["name"] == VISIBLE[0].name
    assert len(header["images"][0]["sha256"]) == 64
    sources, settings = f"--images {VISIBLE[0]} --test {test}", "--iterations 4 --batch 2 --size 32"
    assert header["command"] == f"irfuse train res2netfuse {sources} {settings} -o x.safetensors"
    assert names(tmp_path) == {"x.safetensors", "x.md", "x.toml", "x.png", "x.csv"}
    assert f"Reconstruction of {test} (1 images)" in written.card.read_text()


def test_images_to_test_on_that_are_trained_on(tmp_path: Path) -> None:
    """Also as copies."""
    (tmp_path / "copy.png").write_bytes(VISIBLE[1].read_bytes())
    said = r"images to test on are also images that the auto-encoder is trained on: 1 of 2, such as copy\.png: "
    data = replace(MANY, images=VISIBLE[1:3], test=(VISIBLE[0], tmp_path / "copy.png"))
    with pytest.warns(SuspiciousPairWarning, match=said):
        trained(data, tmp_path / "x.safetensors")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Not even an image whose name the curves of the losses would take."""
    photo = tmp_path / "x.png"
    photo.write_bytes(VISIBLE[0].read_bytes())
    with pytest.raises(TrainingError, match=r"x\.png already exists"):
        trained(TrainingData(images=(photo,)), tmp_path / "x.safetensors")
    assert photo.read_bytes() == VISIBLE[0].read_bytes()
    assert names(tmp_path) == {"x.png"}


def test_data_that_cannot_be_used(small: TrainingData, tmp_path: Path) -> None:
    out = tmp_path / "new" / "a.safetensors"
    with pytest.raises(TrainingError, match="no images to train on: give --images"):
        trained(TrainingData(), out)
    with pytest.raises(TrainingError, match="the recipe res2netfuse uses no pairs"):
        trained(small, out)
    with pytest.raises(OutputError, match="must end in"):
        trained(SINGLE, tmp_path / "a.pt")
    images.write(tmp_path / "small.png", np.zeros((10, 20), np.uint8))
    with pytest.raises(TrainingError, match=r"small\.png: test images must be at least 11x11"):
        trained(replace(SINGLE, test=(tmp_path / "small.png",)), out)
    assert not out.parent.exists()


def test_unreadable_images_are_found_before_training(tmp_path: Path) -> None:
    broken, degrees = tmp_path / "broken.png", tmp_path / "degrees.tiff"
    broken.write_bytes(VISIBLE[0].read_bytes()[:500])
    with pytest.raises(ImageError, match=r"broken\.png: not a readable image"):
        trained(TrainingData(images=(*VISIBLE, broken)), tmp_path / "a.safetensors")
    images.write(degrees, np.full((40, 40), 300, np.float32))
    with pytest.raises(ImageError, match=r"must lie in \[0, 1\]"):
        trained(TrainingData(images=(degrees,)), tmp_path / "a.safetensors")


def test_data_is_luma(tmp_path: Path) -> None:
    image = images.read(VISIBLE[0])
    luma = image.astype(float) @ [0.299, 0.587, 0.114] / 255
    np.testing.assert_allclose(read_gray(VISIBLE[0]), luma, atol=1e-6)
    images.write(tmp_path / "gray.png", image[..., 0])
    np.testing.assert_allclose(read_gray(tmp_path / "gray.png"), image[..., 0] / 255, atol=1e-6)
