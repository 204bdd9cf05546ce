from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from irfuse import notices
from irfuse.errors import ImageError, ImageFileWarning, PairError, SuspiciousPairWarning
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.progress import silent
from irfuse.training.checks import check_images, check_pairs
from irfuse.training.reading import read_gray, read_pair


def scene(rng: np.random.Generator) -> NDArray[np.uint8]:
    return (255 * cv2.GaussianBlur(rng.random((160, 240), np.float32), (0, 0), 3)).astype(np.uint8)


def test_unregistered_pairs_are_named(tmp_path: Path, rng: np.random.Generator) -> None:
    found = []
    for name, shift, border in (("good", 0, 0), ("moved", 18, 0), ("warped", 0, 8)):
        ir, vis = (tmp_path / f"{name}-{role}.png" for role in ("ir", "vis"))
        whole = scene(rng)
        infrared = 255 - whole[:, shift:]
        infrared[:border] = 0
        images.write(ir, infrared)
        images.write(vis, whole[:, : whole.shape[1] - shift])
        found.append(Pair(name, ir, vis))
    with notices.collected() as warned:
        check_pairs(found, silent)
    assert [type(warning) for warning in warned] == [SuspiciousPairWarning] * 2
    border_line, shift_line = map(str, warned)
    assert border_line.startswith("1 of 3 infrared images has a black border")
    assert border_line.endswith(" warped (5% of the image)")
    assert shift_line.startswith("1 of 3 pairs looks unregistered")
    assert shift_line.endswith(" moved (8% of its longer side)")
    with notices.collected() as warned:
        check_pairs(found[:1], silent)
    assert not warned


def test_unusable_pairs_are_named(tmp_path: Path, rng: np.random.Generator) -> None:
    for name, size in (("ir", (40, 50)), ("vis", (40, 60))):
        images.write(tmp_path / f"{name}.png", rng.integers(0, 256, size, dtype=np.uint8))
    with pytest.raises(PairError, match="x: the sizes differ: infrared 50x40, visible 60x40; register"):
        check_pairs([Pair("x", tmp_path / "ir.png", tmp_path / "vis.png")], silent)
    (tmp_path / "vis.png").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"vis\.png"):
        check_pairs([Pair("x", tmp_path / "ir.png", tmp_path / "vis.png")], silent)


def test_pairs_that_look_wrong_are_named_once(tmp_path: Path, rng: np.random.Generator) -> None:
    found = [Pair(name, tmp_path / f"{name}.png", tmp_path / "vis.png") for name in ("a", "b")]
    images.write(found[0].vis, scene(rng))
    for pair in found:
        images.write(pair.ir, np.full((160, 240), 90, np.uint8))
    with notices.collected() as warned:
        check_pairs(found, silent)
        read_pair(found[0], 1)
    assert [str(warning) for warning in warned] == [
        "a: the infrared image is constant (90): was the lens covered, or the export wrong? (and 1 more like this)"
    ]


def test_images_that_look_wrong_are_named_once(tmp_path: Path) -> None:
    path = tmp_path / "x.pgm"
    path.write_bytes(b"P5\n4 4\n100\n" + bytes(range(16)))
    with notices.collected() as warned:
        check_images([path], silent)
        read_gray(path)
    (warning,) = warned
    assert isinstance(warning, ImageFileWarning)
    assert str(warning).startswith(f"{path}: declares 100 as white")


def test_raw_thermal_counts_are_stretched(tmp_path: Path) -> None:
    """A few hundred of 65536 levels would otherwise be a constant image."""
    images.write(tmp_path / "ir.tiff", np.linspace(29000, 30000, 1200).reshape(30, 40).astype(np.uint16))
    images.write(tmp_path / "vis.png", np.zeros((30, 40, 3), np.uint8))
    ir, vis = read_pair(Pair("x", tmp_path / "ir.tiff", tmp_path / "vis.png"), 3)
    assert (ir.min(), ir.max()) == (0, 1)
    assert vis.shape == (30, 40, 3)
