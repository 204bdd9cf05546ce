"""Pixels without a measurement are found, and ordinary thermal images are left alone."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from irfuse.imaging import planes
from irfuse.imaging.inspection import doubts, invalid_pixels
from irfuse.imaging.levels import DEFAULT_THERMAL
from irfuse.imaging.planes import Array
from irfuse.io import images
from irfuse.io.pairs import Pair

HEIGHT, WIDTH = 120, 160
DATA = Path(os.environ.get("IRFUSE_DATA", "/nowhere"))


@pytest.fixture
def scene(rng: np.random.Generator) -> NDArray[np.float64]:
    """A smooth thermal scene in [0, 1] with a little noise."""
    smooth = cv2.GaussianBlur(rng.random((HEIGHT, WIDTH)), (0, 0), 8)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return np.clip(smooth + rng.normal(0, 0.005, smooth.shape), 0, 1)


def counts(scene: Array) -> NDArray[np.uint16]:
    return (20000 + 800 * scene).astype(np.uint16)


def invalid(image: Array) -> Array:
    found = invalid_pixels(image[None, None])
    return np.zeros(image.shape, bool) if found is None else found[0, 0]


def said(ir: Array, vis: Array | None = None) -> list[str]:
    """What looks wrong in a pair, by default beside an ordinary visible image."""
    ordinary = np.tile(np.arange(ir.shape[1], dtype=np.uint8), (ir.shape[0], 1))
    native = planes.from_array(ir, "infrared")
    return list(
        doubts(native.values, native.invalid, planes.from_array(ordinary if vis is None else vis, "visible").values)
    )


def border(shape: tuple[int, ...]) -> Array:
    mask = np.ones(shape, bool)
    mask[5:-3, 7:] = False
    return mask


def dead(shape: tuple[int, ...]) -> Array:
    mask = np.zeros(shape, bool)
    mask[3::9, 4::9] = True
    return mask


def circle(shape: tuple[int, ...]) -> Array:
    y, x = np.ogrid[: shape[0], : shape[1]]
    outside: Array = np.hypot(y - shape[0] / 2, x - shape[1] / 2) > 0.45 * shape[1]
    return outside


@pytest.mark.parametrize("where", [border, dead, circle])
@pytest.mark.parametrize(
    ("dtype", "offset", "scale", "fill"),
    [
        ("uint16", 20000, 800, 0),
        ("uint16", 20000, 800, 65535),
        ("uint16", 7000, 800, 16383),
        ("int16", 1500, 900, -9999),
        ("int16", 1500, 900, -1),
        ("int16", 1500, 900, -32768),
        ("int32", 290000, 9000, 0),
        ("float32", 15.0, 12.0, -9999.0),
        ("float32", 15.0, 12.0, -273.15),
        ("float64", 288.0, 12.0, 0.0),
        ("float32", 15.0, 12.0, np.nan),
    ],
)
def test_fill_values(
    where: Callable[[tuple[int, ...]], Array], dtype: str, offset: float, scale: float, fill: float, scene: Array
) -> None:
    image = (offset + scale * scene).astype(dtype)
    mask = where(image.shape)
    image[mask] = fill
    np.testing.assert_array_equal(invalid(image), mask)


@pytest.mark.parametrize("interpolation", [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC])
@pytest.mark.parametrize("angle", [0.0, 1.0, 5.0])
def test_what_registration_leaves(interpolation: int, angle: float, scene: Array) -> None:
    turn = cv2.getRotationMatrix2D((WIDTH / 2 + 0.3, HEIGHT / 2 - 0.2), angle, 0.95)
    image = cv2.warpAffine(counts(scene), turn, (WIDTH, HEIGHT), flags=interpolation)
    inside = cv2.warpAffine(np.ones((HEIGHT, WIDTH), np.float32), turn, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC) > 0.999
    found = invalid(image)
    # A cubic interpolation of the scene's noise overshoots by a little.
    outside = (image < 19700) | (image > 21100)
    # Too few are left to hold the levels.
    assert (outside & ~found).mean() < 1e-3
    assert outside.mean() > 0.05
    assert (found & cv2.erode(inside.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)).mean() < 1e-3


def test_a_border_of_another_value(scene: Array) -> None:
    image = counts(scene)
    image[border(image.shape)] = 5000
    np.testing.assert_array_equal(invalid(image), border(image.shape))


def test_two_fill_values(scene: Array) -> None:
    image = counts(scene)
    mask = border(image.shape) | dead(image.shape)
    image[dead(image.shape)] = 65535
    image[border(image.shape)] = 0
    np.testing.assert_array_equal(invalid(image), mask)


@pytest.mark.parametrize("rows", [slice(0, 1), slice(0, 3), slice(-2, None)])
def test_telemetry(rows: slice, scene: Array, rng: np.random.Generator) -> None:
    image = counts(scene)
    expected = np.zeros(image.shape, bool)
    expected[rows] = True
    image[rows] = rng.integers(0, 65536, image[rows].shape)
    np.testing.assert_array_equal(invalid(image), expected)


def test_dead_pixels_of_any_value(scene: Array, rng: np.random.Generator) -> None:
    image = counts(scene)
    mask = dead(image.shape)
    image[mask] = rng.choice([300, 9000, 12345, 40000, 61000], mask.sum())
    np.testing.assert_array_equal(invalid(image), mask)


def test_levels_are_those_of_the_scene(scene: Array) -> None:
    clean = planes.from_array(counts(scene), "infrared").thermal_luma(DEFAULT_THERMAL)
    image = counts(scene)
    image[border(image.shape)] = 0
    luma = planes.from_array(image, "infrared").thermal_luma(DEFAULT_THERMAL)
    assert np.abs(luma - clean)[0, 0][~border(image.shape)].max() < 0.05
    assert any("hold no measurement" in line for line in said(image))


@pytest.mark.parametrize("sigma", [0.6, 1.0, 6.0])
@pytest.mark.parametrize(("heat", "saturation"), [(60000, 65535), (60000, 23000), (5000, 65535), (-19000, 65535)])
def test_hot_and_cold_objects_are_measured(sigma: float, heat: float, saturation: int, scene: Array) -> None:
    """Optics blur objects, so that they have no pixel that stands apart."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    object_ = heat * np.exp(-((y - 50.2) ** 2 + (x - 70.4) ** 2) / (2 * sigma**2))
    image = np.clip(counts(scene) + object_, 0, saturation).astype(np.uint16)
    assert not invalid(image).any()


def test_a_clipped_sky_is_measured(scene: Array) -> None:
    sky = np.where(np.arange(HEIGHT)[:, None] < 40, -3000.0, 800 * scene)
    image = np.maximum(20000 + cv2.GaussianBlur(sky, (0, 0), 1.5), 17500).astype(np.uint16)
    assert not invalid(image).any()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_images_that_were_scaled_are_left_alone(dtype: str, scene: Array) -> None:
    full = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    image = (full * scene).astype(dtype)
    assert invalid_pixels(image[None, None]) is None
    assert said(image) == []


@pytest.mark.skipif(not DATA.is_dir(), reason="IRFUSE_DATA is not set")
@pytest.mark.parametrize("name", ["seals_ir16.png", "radiometric16.tiff"])
def test_radiometric_images_are_left_alone(name: str) -> None:
    image = images.read(DATA / "thermal" / name)
    assert not invalid(image).any()
    assert said(image) == []
    assert any("other byte order" in line for line in said(image.byteswap()))
    with_border = image.copy()
    with_border[border(image.shape)] = 0
    found = invalid(with_border)
    assert found[border(image.shape)].all()
    assert found.mean() < border(image.shape).mean() + 1e-3


def test_a_sample_pair_is_left_alone(msrs_day: Pair) -> None:
    assert said(images.read(msrs_day.ir), images.read(msrs_day.vis)) == []


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("value", [0, 21])
def test_a_constant_infrared_image(dtype: str, value: int) -> None:
    assert any(f"constant ({value})" in line for line in said(np.full((HEIGHT, WIDTH), value, dtype)))


def test_a_constant_image_with_a_border() -> None:
    image = np.full((HEIGHT, WIDTH), 21000, np.uint16)
    image[border(image.shape)] = 0
    assert any("constant (21000)" in line for line in said(image))


def test_jpeg_of_a_covered_lens(rng: np.random.Generator) -> None:
    assert any("constant" in line for line in said(rng.integers(0, 3, (HEIGHT, WIDTH), np.uint8)))


@pytest.mark.parametrize("palette", [cv2.COLORMAP_JET, cv2.COLORMAP_RAINBOW, cv2.COLORMAP_TURBO, cv2.COLORMAP_INFERNO])
def test_false_colors(palette: int, scene: Array) -> None:
    colored = cv2.applyColorMap((255 * scene).astype(np.uint8), palette)
    visible = np.random.default_rng(0).integers(0, 256, colored.shape, np.uint8)
    assert any("false colors" in line for line in said(colored, visible))
    gray = np.repeat((255 * scene).astype(np.uint8)[..., None], 3, 2)
    noisy = gray.copy()
    noisy[::3, :, 0] ^= 3
    assert said(gray, visible) == said(noisy, visible) == []


@pytest.mark.parametrize(("offset", "scale"), [(20000, 800), (7000, 1500), (0, 4000), (5000, 25000)])
def test_swapped_bytes(offset: int, scale: int, scene: Array) -> None:
    image = (offset + scale * scene).astype(np.uint16)
    assert not any("byte order" in line for line in said(image))
    assert any("the infrared image is noise" in line for line in said(image.byteswap()))


@pytest.mark.parametrize("factor", [1, 4, 16, 256, 257])
def test_images_of_fewer_bits_have_no_swapped_bytes(factor: int, scene: Array) -> None:
    image = np.rint(255 * scene).astype(np.uint16) * factor
    assert not any("byte order" in line for line in said(image))


@pytest.mark.parametrize(("bits", "factor"), [(8, 256), (10, 64), (12, 16), (14, 4)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_visible_image_of_few_bits(bits: int, factor: int, channels: int, scene: Array) -> None:
    ir = np.rint(255 * scene).astype(np.uint8)
    vis = np.repeat(np.rint((2**bits - 1) * scene).astype(np.uint16)[..., None], channels, 2)
    if channels == 4:
        vis[..., 3] = 65535
    assert [f"{bits} bits, multiply its values by {factor}" in line for line in said(ir, vis)] == [True]
    vis[..., :3] *= factor
    assert said(ir, vis) == []
