import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from irfuse import samples, weights
from irfuse.errors import ImageError, OutputError, StoppedError, TrainingError
from irfuse.io import images
from irfuse.training.data import RandomCrops, SingleImage, read_grey, square
from irfuse.training.recipes.res2netfuse import Recipe, train, train_weights

VISIBLE = [pair.vis for pair in samples.pairs()]
SHORT = Recipe(iterations=4, batch=2, size=32)


@pytest.mark.parametrize("sources", [VISIBLE[:1], VISIBLE], ids=["single", "many"])
def test_resumes_exactly(sources: list[Path], tmp_path: Path) -> None:
    """Interrupted after two steps and resumed, training gives bit for bit what it gives in one go."""
    straight, history = train(SHORT, sources, tmp_path / "a", device="cpu")

    def stop(done: int, total: int, note: str) -> None:
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(StoppedError):
        train(SHORT, sources, tmp_path / "b", device="cpu", on_step=stop)
    resumed, resumed_history = train(SHORT, sources, tmp_path / "b", device="cpu", resume=True)
    assert resumed_history.losses == history.losses
    for one, other in zip(straight.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_another_seed_is_another_training(tmp_path: Path) -> None:
    _, history = train(SHORT, VISIBLE, tmp_path / "a", device="cpu")
    _, other = train(Recipe(iterations=4, batch=2, size=32, seed=1), VISIBLE, tmp_path / "b", device="cpu")
    assert history.losses != other.losses


def test_learns(tmp_path: Path) -> None:
    _, history = train(Recipe(iterations=40, size=48), VISIBLE[:1], tmp_path / "a", device="cpu")
    assert history.losses["total"][-1] < history.losses["total"][0] / 2
    assert np.allclose(history.losses["total"], np.add(history.losses["ssim"], history.losses["mse"]))


@pytest.mark.gpu
def test_learns_on_a_gpu(tmp_path: Path, gpu: torch.device) -> None:
    _, on_cpu = train(SHORT, VISIBLE[:1], tmp_path / "a", device="cpu")
    _, on_gpu = train(SHORT, VISIBLE[:1], tmp_path / "b", device=str(gpu))
    assert np.allclose(on_gpu.losses["total"], on_cpu.losses["total"], rtol=1e-2)


def test_header_says_how_the_weights_were_made(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    train_weights(SHORT, str(VISIBLE[0]), out, test=str(VISIBLE[1]), device="cpu")
    header = weights.header(out)
    assert header["recipe"]["iterations"] == 4
    assert header["images"][0]["name"] == VISIBLE[0].name
    assert len(header["images"][0]["sha256"]) == 64
    sources, settings = f"--images {VISIBLE[0]} --test {VISIBLE[1]}", "--iterations 4 --batch 2 --size 32"
    assert header["command"] == f"irfuse train res2netfuse {sources} {settings} -o x.safetensors"
    assert {path.name for path in tmp_path.iterdir()} == {"x.safetensors", "x.md", "x.png", "x.csv"}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Not even an image whose name the curves of the losses would take."""
    photo = tmp_path / "x.png"
    photo.write_bytes(VISIBLE[0].read_bytes())
    with pytest.raises(TrainingError, match=r"x\.png is there already"):
        train_weights(SHORT, str(photo), tmp_path / "x.safetensors")
    assert photo.read_bytes() == VISIBLE[0].read_bytes()
    assert list(tmp_path.iterdir()) == [photo]


def test_bad_settings(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no image"):
        train(SHORT, [], tmp_path / "a")
    with pytest.raises(OutputError, match="must end in"):
        train_weights(SHORT, str(VISIBLE[0]), tmp_path / "a.pt")
    images.write(tmp_path / "small.png", np.zeros((10, 20), np.uint8))
    with pytest.raises(TrainingError, match="at least 11x11"):
        train_weights(SHORT, str(VISIBLE[0]), tmp_path / "new" / "a.safetensors", test=str(tmp_path / "small.png"))
    assert not (tmp_path / "new").exists()


def test_unreadable_images_are_found_before_training(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(VISIBLE[0].read_bytes()[:500])
    with pytest.raises(ImageError, match=r"broken\.png: not a readable image"):
        train(SHORT, [*VISIBLE, tmp_path / "broken.png"], tmp_path / "a")
    images.write(tmp_path / "degrees.tiff", np.full((40, 40), 300, np.float32))
    with pytest.raises(ImageError, match=r"must lie in \[0, 1\]"):
        train(SHORT, [tmp_path / "degrees.tiff"], tmp_path / "a")


def test_data_is_luma(tmp_path: Path) -> None:
    image = images.read(VISIBLE[0])
    luma = image.astype(float) @ [0.299, 0.587, 0.114] / 255
    np.testing.assert_allclose(read_grey(VISIBLE[0]), luma, atol=1e-6)
    images.write(tmp_path / "grey.png", image[..., 0])
    np.testing.assert_allclose(read_grey(tmp_path / "grey.png"), image[..., 0] / 255, atol=1e-6)


def test_single_image_is_the_whole_scene_in_a_square() -> None:
    grey = read_grey(VISIBLE[0])
    assert square(grey, 240).shape == (240, 240)
    assert square(grey, 240).mean() == pytest.approx(grey[:, 80:-80].mean(), abs=1e-3)
    generator = torch.Generator().manual_seed(0)
    sides = {SingleImage(VISIBLE[0], (32, 64)).batch(generator).shape[2] for _ in range(20)}
    assert sides == {32, 64}


def test_crops_of_small_images_are_enlarged(tmp_path: Path, rng: np.random.Generator) -> None:
    images.write(tmp_path / "small.png", rng.integers(0, 256, (20, 50), dtype=np.uint8))
    batch = RandomCrops([tmp_path / "small.png"], 32, 3).batch(torch.Generator().manual_seed(0))
    assert batch.shape == (3, 1, 32, 32)
    assert 0 <= batch.min() <= batch.max() <= 1
