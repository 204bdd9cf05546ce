"""Highlights, blends and legends."""

import numpy as np
import pytest
from numpy.typing import NDArray

from irfuse import samples
from irfuse.errors import ImageError, PairError, ParameterError, SuspiciousPairWarning
from irfuse.imaging import overlay, palettes
from irfuse.imaging.legend import Legend
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.imaging.overlay import Threshold
from irfuse.io import images


@pytest.fixture
def celsius() -> NDArray[np.float32]:
    """A warm disk of 70 °C before 20 to 30 °C."""
    y, x = np.mgrid[:96, :128]
    background = 20 + 10 * x / 127
    return np.where((x - 40) ** 2 + (y - 50) ** 2 < 300, 70, background).astype(np.float32)


@pytest.fixture
def vis(rng: np.random.Generator) -> NDArray[np.uint8]:
    return rng.integers(0, 256, (96, 128, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("60C", 60, "C"),
        ("-5.5 °C", -5.5, "C"),
        ("60c", 60, "C"),
        ("99%", 99, "%"),
        ("30000", 30000, ""),
        ("3e4", 30000, ""),
    ],
)
def test_thresholds(text: str, value: float, unit: str) -> None:
    found = Threshold.parse(text)
    assert (found.value, found.unit) == (value, unit)


@pytest.mark.parametrize("text", ["", "C", "60F", "1.2.3C", "99%%", "warm", "nan", "1e999"])
def test_texts_that_are_no_threshold(text: str) -> None:
    with pytest.raises(ParameterError, match="is no threshold: give degrees such as 60C"):
        Threshold.parse(text)


@pytest.mark.parametrize("text", ["101%", "-1%"])
def test_percentiles_that_are_none(text: str) -> None:
    with pytest.raises(ParameterError, match="a percentile lies from 0 to 100"):
        Threshold.parse(text)


@pytest.mark.parametrize("threshold", ["60C", "60", "95%", Threshold(60, "C")])
def test_only_what_is_warm_is_tinted(threshold: str, celsius: NDArray[np.float32], vis: NDArray[np.uint8]) -> None:
    tinted = overlay.highlight(vis, celsius, threshold, palette="white-hot")
    warm = celsius == 70
    np.testing.assert_array_equal(tinted[~warm], vis[~warm])
    # The warmest color covers three quarters.
    expected = np.rint(vis[warm] * 0.25 + 255 * 0.75)
    if threshold != "95%":
        np.testing.assert_allclose(tinted[warm], expected, atol=1)


def test_a_highlight_shows_how_warm(celsius: NDArray[np.float32]) -> None:
    """From the threshold to the warmest pixel, or to the end of a fixed range."""
    black = np.zeros((96, 128), np.uint8)
    tinted = overlay.highlight(black, celsius, "25C", palette="white-hot")[..., 0].astype(int)
    assert tinted.max() == tinted[50, 40] == round(0.75 * 255)
    assert (np.diff(tinted[0, 70:]) >= 0).all() and tinted[0, 127] > tinted[0, 70] > 0
    fixed = overlay.highlight(black, celsius, "25C", palette="white-hot", thermal=Levels(0, 120))[..., 0]
    assert 0 < fixed.max() < tinted.max()


def test_a_constant_image_has_no_warmest_part(vis: NDArray[np.uint8]) -> None:
    same = np.full((96, 128), 21.0, np.float32)
    with pytest.warns(SuspiciousPairWarning, match=r"nothing is as warm as 99%, .* the warmest is 21"):
        np.testing.assert_array_equal(overlay.highlight(vis, same, "99%"), vis)
    assert not np.array_equal(overlay.highlight(vis, same, "20C"), vis)


def test_nothing_that_warm_is_said(celsius: NDArray[np.float32], vis: NDArray[np.uint8]) -> None:
    with pytest.warns(SuspiciousPairWarning, match=r"nothing is as warm as 80C, .*: the warmest is 70"):
        shown = overlay.highlight(vis, celsius, "80C", legend=True)
    np.testing.assert_array_equal(shown[:, :60], vis[:, :60])


def test_a_range_that_ends_below_the_threshold_is_said(celsius: NDArray[np.float32], vis: NDArray[np.uint8]) -> None:
    with pytest.warns(SuspiciousPairWarning, match="the thermal range 10 30 ends below the threshold 60C"):
        shown = overlay.highlight(vis, celsius, "60C", thermal=Levels(10, 30))
    np.testing.assert_array_equal((shown != vis).any(axis=-1), celsius == 70)


def test_batches_are_refused(celsius: NDArray[np.float32], vis: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="on one image, not on a batch"):
        overlay.blend(celsius[None, ..., None], vis[None])


def test_pixels_without_a_measurement_stay(celsius: NDArray[np.float32], vis: NDArray[np.uint8]) -> None:
    celsius[:20] = np.nan
    np.testing.assert_array_equal(overlay.highlight(vis, celsius, "10C")[:20], vis[:20])
    gray = np.repeat(vis[..., :1], 3, axis=2)
    blended = overlay.blend(celsius, gray)
    assert (blended[:10].max(axis=-1) == blended[:10].min(axis=-1)).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
def test_forms(dtype: str, channels: int, celsius: NDArray[np.float32], rng: np.random.Generator) -> None:
    """The dtype and the alpha are those of what lies below; the rest does not depend on the dtype."""
    shape = (96, 128, channels) if channels else (96, 128)
    eight = rng.integers(0, 256, shape).astype(np.uint8)
    scale = {"uint8": 1, "uint16": 257, "float32": 1 / 255}[dtype]
    below = (eight * np.float64(scale)).astype(dtype)
    for of_eight, found in (
        (overlay.highlight(eight, celsius, "60C"), overlay.highlight(below, celsius, "60C")),
        (overlay.blend(celsius, eight), overlay.blend(celsius, below)),
    ):
        assert found.dtype == below.dtype
        assert found.shape == (96, 128, 4 if channels in (2, 4) else 3)
        np.testing.assert_allclose(found / scale, of_eight, atol=1)
        if channels in (2, 4):
            np.testing.assert_array_equal(found[..., 3], below[..., -1])


def test_degrees_need_temperatures(celsius: NDArray[np.float32], vis: NDArray[np.uint8]) -> None:
    for ir, kind in (
        ((celsius * 100).astype(np.uint16), r"counts \(uint16\)"),
        ((celsius * 100).astype(np.int32), r"counts \(int32\)"),
        (celsius.astype(np.uint8), r"the values of a picture \(uint8\)"),
        (celsius / 100, r"the values of a picture \(float32\)"),
    ):
        with pytest.raises(ImageError, match=f"^infrared: the threshold 60C is in °C, .* holds {kind}: give"):
            overlay.highlight(vis, ir, "60C")
        with pytest.raises(ImageError, match=f"^infrared: the thermal range is in °C, .* holds {kind}: give"):
            overlay.blend(ir, vis, thermal=Levels(10, 80, celsius=True))
    overlay.blend(celsius, vis, thermal=Levels(10, 80, celsius=True))


def test_sizes_that_differ(celsius: NDArray[np.float32], vis: NDArray[np.uint8]) -> None:
    with pytest.raises(PairError, match="the sizes differ: infrared 128x96, visible 127x96"):
        overlay.blend(celsius, vis[:, 1:])
    with pytest.raises(PairError, match="the sizes differ: infrared 128x96, fused 127x96"):
        overlay.highlight(vis[:, 1:], celsius, "60C")


def test_a_blend_has_the_palette_and_the_edges(celsius: NDArray[np.float32]) -> None:
    flat = np.full((96, 128), 128, np.uint8)
    plain = overlay.blend(celsius, flat, thermal=Levels(0, 100))
    expected = palettes.table("iron")[np.rint(celsius.clip(0, 100) * 2.55).astype(int)]
    np.testing.assert_allclose(plain, expected, atol=1)
    np.testing.assert_array_equal(plain, overlay.picture(celsius, thermal=Levels(0, 100)))
    step = flat.copy()
    step[:, 64:] = 160
    edges = overlay.blend(celsius, step, thermal=Levels(0, 100)).astype(int) - plain
    assert np.abs(edges[:, :40]).max() <= 1 and np.abs(edges[:, 90:]).max() <= 1
    assert (edges[:, 64] >= 0).all() and edges[:, 64].max() > 10
    assert (edges[:, 63] <= 0).all() and edges[:, 63].min() < -10


def test_a_blend_of_a_real_pair_shows_both() -> None:
    pair = next(pair for pair in samples.pairs() if pair.name == "tno_01")
    ir, vis = images.read(pair.ir), images.read(pair.vis)
    blended = overlay.blend(ir, vis, palette="white-hot")[..., 0].astype(float)
    thin = [np.abs(np.diff(image.astype(float), axis=1)).reshape(-1) for image in (blended, ir, vis)]
    assert np.corrcoef(thin[0], thin[2])[0, 1] > 0.4
    assert np.corrcoef(blended.reshape(-1), ir.reshape(-1).astype(float))[0, 1] > 0.9


def test_percentiles_of_counts(celsius: NDArray[np.float32], vis: NDArray[np.uint8]) -> None:
    """Counts that are proportional to temperatures look like these."""
    counts = (celsius * 100).astype(np.uint16)
    of_counts = overlay.blend(counts, vis, thermal=Percentiles(1, 99)).astype(int)
    of_celsius = overlay.blend(celsius, vis, thermal=Percentiles(1, 99)).astype(int)
    # Counts are whole numbers, so that some colors are neighbors.
    assert np.abs(of_counts - of_celsius).max() <= 8


def test_nothing_within_the_range_is_said(celsius: NDArray[np.float32], vis: NDArray[np.uint8]) -> None:
    with pytest.warns(SuspiciousPairWarning, match="none lies within the thermal range 200 300"):
        overlay.blend(celsius, vis, thermal=Levels(200, 300), legend=True)


@pytest.mark.parametrize(
    ("low", "high", "unit", "texts"),
    [
        (20, 40, "°C", ["20 °C", "25 °C", "30 °C", "35 °C", "40 °C"]),
        (24.4, 25.4, "°C", ["24.40 °C", "24.65 °C", "24.90 °C", "25.15 °C", "25.40 °C"]),
        (20000, 24000, "", ["20000", "21000", "22000", "23000", "24000"]),
        (0, 1, "", ["0.00", "0.25", "0.50", "0.75", "1.00"]),
        (5, 5, "", ["5"]),
    ],
)
def test_texts_of_a_legend(low: float, high: float, unit: str, texts: list[str]) -> None:
    assert Legend(palettes.table("iron"), low, high, unit).texts() == texts


@pytest.mark.parametrize("size", [(96, 128), (480, 640), (1200, 1600), (300, 900), (900, 300)])
def test_a_legend_is_drawn_at_the_right_edge(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 0.5)
    drawn = Legend(palettes.table("iron"), 20, 40, "°C").drawn(picture)
    assert drawn.shape == picture.shape
    changed = np.argwhere((drawn != picture).any(axis=-1))
    assert 0.5 * size[1] <= changed[:, 1].min() < changed[:, 1].max() < size[1]
    # All colors in their order, the hottest above.
    column = changed[:, 1].min() + max(3, round(8 * min(size) / 480)) + 2
    bar = drawn[changed[:, 0].min() : changed[:, 0].max(), column]
    inner = bar[(bar != 0.175).any(axis=-1)]
    np.testing.assert_allclose(inner[0], palettes.table("iron")[-1] / 255, atol=0.05)
    np.testing.assert_allclose(inner[-1], palettes.table("iron")[0] / 255, atol=0.05)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (20, 600), (600, 20)])
def test_small_pictures_have_no_legend(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 0.5)
    with pytest.warns(SuspiciousPairWarning, match=f"a picture of {size[1]}x{size[0]} is too small for a legend"):
        drawn = Legend(palettes.table("iron"), 0, 1).drawn(picture)
    np.testing.assert_array_equal(drawn, picture)


def test_the_legend_of_a_highlight_begins_at_the_threshold(
    celsius: NDArray[np.float32], vis: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Legend] = []
    monkeypatch.setattr(Legend, "drawn", lambda self, picture: made.append(self) or picture)
    overlay.highlight(vis, celsius, "60C", legend=True)
    overlay.highlight(vis, (celsius * 100).astype(np.uint16), "6000", thermal=Levels(0, 9000), legend=True)
    overlay.blend(celsius, vis, thermal=Levels(10, 80), legend=True)
    overlay.blend(celsius.astype(np.uint8), vis, legend=True)
    found = [(legend.low, legend.high, legend.unit) for legend in made]
    assert found == [(60, 70, "°C"), (6000, 9000, ""), (10, 80, "°C"), (0, 255, "")]
