import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from irfuse import samples
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.methods.base import Channels
from irfuse.training import crops as module
from irfuse.training.crops import Augmentation, ImageCache, ImageCrops, PairCrops, SingleImage, square
from irfuse.training.feed import Feed
from irfuse.training.reading import Gray, read_gray, read_pair

PAIRS = list(samples.pairs())
PLAIN = Augmentation()


def crops(size: int = 64, channels: Channels = 1, augmentation: Augmentation = PLAIN, seed: int = 0) -> PairCrops:
    return PairCrops(PAIRS, size, channels, augmentation, seed)


@pytest.mark.parametrize("channels", [1, 3])
def test_crops_show_the_same_place_of_both(channels: Channels) -> None:
    """Each crop is found in its pair, mirrored or not, at one place of both images."""
    whole = [read_pair(pair, channels) for pair in PAIRS]
    for index in range(6):
        ir, vis = crops(channels=channels)[index]
        assert ir.shape == (1, 64, 64)
        assert vis.shape == (channels, 64, 64)
        pair = np.concatenate([ir.numpy(), vis.numpy()]).transpose(1, 2, 0)
        both = [np.concatenate([w_ir[..., None], w_vis], axis=2) for w_ir, w_vis in whole]
        assert any(contains(image, pair) or contains(image, pair[:, ::-1]) for image in both)


def contains(image: np.ndarray, crop: np.ndarray) -> bool:
    rows, columns = np.nonzero((image == crop[0, 0]).all(axis=2))
    height, width = crop.shape[:2]
    return any(np.array_equal(image[r : r + height, c : c + width], crop) for r, c in zip(rows, columns, strict=True))


def test_a_crop_is_the_same_whenever_it_is_asked_for() -> None:
    augmented = Augmentation(0.5, 2, 0.1)
    one, other = crops(augmentation=augmented), crops(augmentation=augmented)
    expected = [one[index] for index in range(8)]
    for index in reversed(range(8)):
        for a, b in zip(other[index], expected[index], strict=True):
            assert torch.equal(a, b)
    assert not torch.equal(crops(augmentation=augmented, seed=1)[0][0], expected[0][0])
    assert len({float(ir.mean()) for ir, _ in expected}) == 8


def test_batches_go_on_where_they_were_left() -> None:
    feed, other = (Feed(crops(), 4, 3, torch.device("cpu")) for _ in range(2))
    straight = [feed.batch() for _ in range(4)]
    assert straight[0][0].shape == (3, 1, 64, 64)
    other.batch()
    other.batch()
    resumed = Feed(crops(), 4, 3, torch.device("cpu"))
    resumed.load_state_dict(other.state_dict())
    assert resumed.waited == other.waited > 0
    for expected in straight[2:]:
        for one, two in zip(resumed.batch(), expected, strict=True):
            assert torch.equal(one, two)
    with pytest.raises(StopIteration):
        resumed.batch()


def test_crops_of_images() -> None:
    """Each is found in its image, mirrored or not; the same number is the same crop."""
    paths = [pair.vis for pair in PAIRS]
    whole = [read_gray(path)[..., None] for path in paths]
    found = ImageCrops(paths, 64, 0)
    for index in (5, 0, 3):
        (crop,) = found[index]
        assert crop.shape == (1, 64, 64)
        assert torch.equal(ImageCrops(paths, 64, 0)[index][0], crop)
        pixels = crop.numpy().transpose(1, 2, 0)
        assert any(contains(image, pixels) or contains(image, pixels[:, ::-1]) for image in whole)
    assert not torch.equal(ImageCrops(paths, 64, 1)[0][0], found[0][0])


def test_crops_travel_to_other_processes() -> None:
    """Which are not forked everywhere."""
    for data_set in (crops(), ImageCrops([PAIRS[0].vis], 32, 0)):
        copy = pickle.loads(pickle.dumps(data_set))
        assert all(torch.equal(one, other) for one, other in zip(copy[3], data_set[3], strict=True))


def test_what_is_not_remembered_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED_BYTES", 250)
    asked: list[int] = []

    def read(number: int) -> tuple[Gray]:
        asked.append(number)
        return (np.full((5, 5), number, np.float32),)

    memory = ImageCache(read)
    for number in (0, 1, 2, 0, 1, 2):
        assert memory[number][0][0, 0] == number
    assert asked == [0, 1, 2, 2]


def test_augmentation_blurs_and_adds_noise() -> None:
    def roughness(augmentation: Augmentation) -> float:
        return float(np.mean([crops(augmentation=augmentation)[k][1].diff(dim=2).abs().mean() for k in range(12)]))

    assert roughness(Augmentation(1, 3, 0)) < 0.8 * roughness(PLAIN) < 0.7 * roughness(Augmentation(1, 0, 0.2))


@pytest.mark.parametrize("channels", [1, 3])
def test_one_image_as_both_sources(channels: Channels) -> None:
    """In about the share that is asked for, as often the infrared as the visible; the places stay the same."""
    plain, alike = crops(32, channels), crops(32, channels, Augmentation(alike=0.5))
    kept = {"ir": 0, "vis": 0, "both": 0}
    for number in range(60):
        (ir, vis), (before_ir, before_vis) = alike[number], plain[number]
        if torch.equal(vis, before_vis) and torch.equal(ir, before_ir):
            kept["both"] += 1
        elif torch.equal(ir, before_ir):
            assert torch.equal(vis, ir.expand_as(vis))
            kept["ir"] += 1
        else:
            assert torch.equal(vis, before_vis)
            luma = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1) if channels == 3 else torch.ones(1, 1, 1)
            assert torch.allclose(ir, (vis * luma).sum(dim=0, keepdim=True), atol=1e-6)
            kept["vis"] += 1
    assert kept["both"] == pytest.approx(30, abs=8)
    assert kept["ir"] == pytest.approx(15, abs=8)


def test_small_pairs_are_enlarged(tmp_path: Path, rng: np.random.Generator) -> None:
    for name, shape in (("ir", (20, 50)), ("vis", (20, 50, 3))):
        images.write(tmp_path / f"{name}.png", rng.integers(0, 256, shape, dtype=np.uint8))
    pair = Pair("x", tmp_path / "ir.png", tmp_path / "vis.png")
    for channels in (1, 3):
        ir, vis = PairCrops([pair], 32, channels, PLAIN, 0)[0]  # type: ignore[arg-type]
        assert ir.shape == (1, 32, 32)
        assert vis.shape == (channels, 32, 32)
        assert 0 <= vis.min() <= vis.max() <= 1


def test_crops_in_sequence(tmp_path: Path, rng: np.random.Generator) -> None:
    """They depend on the generator, none is mirrored, and a small image is enlarged."""
    paths = [pair.vis for pair in PAIRS]
    whole = [read_gray(path)[..., None] for path in paths]
    generator = torch.Generator().manual_seed(0)
    batches = [ImageCrops(paths, 64).batch(3, generator) for _ in range(2)]
    assert batches[0].shape == (3, 1, 64, 64)
    assert not torch.equal(*batches)
    assert torch.equal(ImageCrops(paths, 64).batch(3, generator.manual_seed(0)), batches[0])
    assert all(any(contains(image, crop.permute(1, 2, 0).numpy()) for image in whole) for crop in batches[0])
    images.write(tmp_path / "small.png", rng.integers(0, 256, (20, 50), dtype=np.uint8))
    batch = ImageCrops([tmp_path / "small.png"], 32).batch(3, generator)
    assert batch.shape == (3, 1, 32, 32)
    assert 0 <= batch.min() <= batch.max() <= 1


def test_single_image_is_the_whole_scene_in_a_square() -> None:
    gray = read_gray(PAIRS[0].vis)
    assert square(gray, 240).shape == (240, 240)
    assert square(gray, 240).mean() == pytest.approx(gray[:, 80:-80].mean(), abs=1e-3)
    generator = torch.Generator().manual_seed(0)
    sides = {SingleImage(PAIRS[0].vis, (32, 64)).batch(generator).shape[2] for _ in range(20)}
    assert sides == {32, 64}
