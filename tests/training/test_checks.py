from pathlib import Path

import cv2
import numpy as np
import pytest

from irfuse import datasets
from irfuse.errors import ImageError, PairError, SuspiciousPairWarning
from irfuse.io import images, pairs
from irfuse.io.pairs import Pair
from irfuse.progress import silent
from irfuse.training.checks import check_pairs, offset
from irfuse.training.reading import read_pair


@pytest.mark.parametrize("name", ["roadscene", "msrs55", "tno21"])
def test_registered_pairs_pass(name: str, data: Path) -> None:
    check_pairs(pairs.find(data / name).pairs[::6], silent)


def test_shifted_pairs_are_reported(data: Path, tmp_path: Path) -> None:
    shifted = []
    for role in ("ir", "vis"):
        (tmp_path / role).mkdir()
    for pair in datasets.pairs("pairs44").pairs[::6]:
        ir, vis = images.read(pair.ir), images.read(pair.vis)
        by = vis.shape[1] // 10
        images.write(tmp_path / "ir" / f"{pair.name}.png", ir[:, by:])
        images.write(tmp_path / "vis" / f"{pair.name}.png", vis[:, :-by])
        shifted.append(Pair(pair.name, tmp_path / "ir" / f"{pair.name}.png", tmp_path / "vis" / f"{pair.name}.png"))
    with pytest.warns(SuspiciousPairWarning, match=r"\d of 8 pairs look unregistered"):
        check_pairs(shifted, silent)


def test_misaligned_pairs_are_reported(data: Path) -> None:
    found = pairs.find(data / "misaligned" / "starainj").pairs
    with pytest.warns(SuspiciousPairWarning, match="look unregistered"):
        check_pairs(found, silent)


def test_offset_is_the_shift(rng: np.random.Generator) -> None:
    scene = cv2.GaussianBlur(rng.random((200, 256), np.float32), (0, 0), 4)
    assert offset(scene, scene) == 0
    assert offset(scene[:, :236], 1 - scene[:, 20:]) == pytest.approx(20 / 236, abs=0.01)


def test_unusable_pairs_are_named(tmp_path: Path, rng: np.random.Generator) -> None:
    for name, size in (("ir", (40, 50)), ("vis", (40, 60))):
        images.write(tmp_path / f"{name}.png", rng.integers(0, 256, size, dtype=np.uint8))
    with pytest.raises(PairError, match="x: the sizes differ: infrared 50x40, visible 60x40; register"):
        check_pairs([Pair("x", tmp_path / "ir.png", tmp_path / "vis.png")], silent)
    (tmp_path / "vis.png").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"vis\.png"):
        check_pairs([Pair("x", tmp_path / "ir.png", tmp_path / "vis.png")], silent)


def test_raw_thermal_counts_are_stretched(tmp_path: Path) -> None:
    """A few hundred of 65536 levels would otherwise be a constant image."""
    images.write(tmp_path / "ir.tiff", np.linspace(29000, 30000, 1200).reshape(30, 40).astype(np.uint16))
    images.write(tmp_path / "vis.png", np.zeros((30, 40, 3), np.uint8))
    ir, vis = read_pair(Pair("x", tmp_path / "ir.tiff", tmp_path / "vis.png"), 3)
    assert (ir.min(), ir.max()) == (0, 1)
    assert vis.shape == (30, 40, 3)
