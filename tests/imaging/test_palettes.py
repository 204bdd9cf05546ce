from typing import get_args

import cv2
import numpy as np
import pytest

from irfuse.errors import ParameterError
from irfuse.imaging import palettes
from irfuse.imaging.palettes import Palette

NAMES = get_args(Palette)


@pytest.mark.parametrize("name", NAMES)
def test_tables(name: Palette) -> None:
    colors = palettes.table(name)
    assert (colors.shape, colors.dtype) == ((256, 3), np.dtype(np.uint8))
    # Neighbors look alike, and no color comes twice far apart.
    assert np.abs(np.diff(colors.astype(int), axis=0)).max() <= 12
    apart = np.abs(colors[:, None].astype(int) - colors[None]).sum(axis=-1)
    assert (apart[np.abs(np.subtract.outer(np.arange(256), np.arange(256))) > 40] > 15).all()


@pytest.mark.parametrize("name", ["iron", "inferno", "white-hot", "arctic"])
def test_hotter_is_brighter(name: Palette) -> None:
    luma = palettes.table(name) @ np.array([0.299, 0.587, 0.114])
    assert luma[0] < 30 and luma[-1] > 220
    assert (luma[16:] - luma[:-16]).min() > -12


def test_known_tables() -> None:
    gray = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(palettes.table("white-hot"), np.repeat(gray[:, None], 3, axis=1))
    np.testing.assert_array_equal(palettes.table("black-hot"), palettes.table("white-hot")[::-1])
    inferno = cv2.cvtColor(cv2.applyColorMap(gray[:, None], cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)[:, 0]
    np.testing.assert_array_equal(palettes.table("inferno"), inferno)


def test_unknown_palette() -> None:
    with pytest.raises(ParameterError, match=r"palette cannot be 'lava'; choose one of iron, .*, arctic"):
        palettes.table("lava")  # type: ignore[arg-type]


def test_tables_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        palettes.table("iron")[0] = 0
