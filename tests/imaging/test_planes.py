"""Arrays and tensors are read and written in the same way, and invalid pixels are ignored."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from irfuse.errors import ImageError
from irfuse.imaging import planes
from irfuse.imaging.color import Color, gray, luma
from irfuse.imaging.levels import DEFAULT_THERMAL, Levels, Percentiles
from irfuse.imaging.planes import Array, Planes

SIZE = (9, 13)
INTEGERS = ("uint8", "uint16")


def image(rng: np.random.Generator, channels: int, dtype: str) -> Array:
    shape = (*SIZE, channels) if channels > 1 else SIZE
    if dtype in INTEGERS:
        return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return rng.random(shape).astype(dtype)


def to_tensors(native: Planes[Array]) -> Planes[torch.Tensor]:
    invalid = None if native.invalid is None else torch.from_numpy(native.invalid)
    return Planes(torch.from_numpy(native.values.copy()), native.role, native.dimensions, invalid)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "float16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("color", ["auto", "gray"])
@pytest.mark.parametrize("taken", [1, 3])
@pytest.mark.parametrize("stretch", [False, True])
def test_arrays_and_tensors_agree_bit_for_bit(
    dtype: str, channels: int, color: Color, taken: int, stretch: bool, rng: np.random.Generator
) -> None:
    ir = planes.from_array(image(rng, channels, dtype), "infrared")
    vis = planes.from_array(image(rng, channels, dtype), "visible")
    arrays = planes.prepare(ir, vis, DEFAULT_THERMAL, taken)
    tensors = planes.prepare(to_tensors(ir), to_tensors(vis), DEFAULT_THERMAL, taken)
    assert arrays.ir.shape == (1, 1, *SIZE)
    assert arrays.vis.shape == (1, taken, *SIZE)
    np.testing.assert_array_equal(arrays.ir, tensors.ir.numpy())
    np.testing.assert_array_equal(arrays.vis, tensors.vis.numpy())
    fused = rng.random(arrays.vis.shape).astype(np.float32)
    finished = arrays.finish(fused, color, stretch=stretch)
    assert finished.dtype == dtype
    assert finished.shape[1] == (channels if color == "auto" else 1)
    np.testing.assert_array_equal(finished, tensors.finish(torch.from_numpy(fused), color, stretch=stretch).numpy())


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_a_fused_visible_image_is_the_visible_image(channels: int, dtype: str, rng: np.random.Generator) -> None:
    given = image(rng, channels, dtype)
    vis = planes.from_array(given, "visible")
    prepared = planes.prepare(vis, vis, DEFAULT_THERMAL)
    np.testing.assert_array_equal(vis.restore(prepared.finish(prepared.vis, "auto", stretch=False)), given)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (2, 4, 5, 3), (1, 4, 5, 1)])
def test_images_keep_their_form(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    given = rng.random(shape)
    native = planes.from_array(given, "visible")
    assert native.values.shape[2:] == (4, 5)
    np.testing.assert_array_equal(native.restore(native.values), given)
    tensor = torch.from_numpy(given if given.ndim == 2 else np.moveaxis(given, -1, -3).copy())
    assert torch.equal(planes.from_tensor(tensor, "visible").restore_tensor(torch.from_numpy(native.values)), tensor)


def test_luma_is_bt_601() -> None:
    rgb = np.array([1.0, 0.5, 0.25]).reshape(1, 3, 1, 1)
    assert gray(rgb).item() == pytest.approx(0.299 + 0.587 / 2 + 0.114 / 4)
    assert luma(*rgb[0]).item() == gray(rgb).item()


def test_each_image_of_a_batch_has_its_own_levels(rng: np.random.Generator) -> None:
    counts = np.stack([rng.integers(low, low + 500, SIZE) for low in (7000, 30000)])[..., None].astype(np.uint16)
    together = planes.from_array(counts, "infrared").thermal_luma(Percentiles(1, 99))
    apart = [planes.from_array(one, "infrared").thermal_luma(Percentiles(1, 99)) for one in counts]
    np.testing.assert_array_equal(together, np.concatenate(apart))


def test_levels_leave_invalid_pixels_out(rng: np.random.Generator) -> None:
    counts = rng.integers(7000, 7500, SIZE).astype(np.uint16)
    clean = planes.from_array(counts, "infrared").thermal_luma(Percentiles(0, 100))
    damaged = counts.copy()
    damaged[:, :4] = 0
    invalid = np.zeros((1, 1, *SIZE), bool)
    invalid[..., :4] = True
    native = replace(planes.from_array(damaged, "infrared"), invalid=invalid)
    for one in (native, to_tensors(native)):
        found = np.asarray(one.thermal_luma(Percentiles(0, 100)))
        inner = counts[:, 4:]
        expected = (inner - inner.min()) / (inner.max() - inner.min())
        np.testing.assert_allclose(found[0, 0, :, 4:], expected, atol=1e-6)
    assert np.abs(planes.from_array(damaged, "infrared").thermal_luma(Percentiles(0, 100)) - clean).max() > 0.5


@pytest.mark.parametrize("taken", [1, 3])
def test_invalid_pixels_show_the_visible_image(taken: int, rng: np.random.Generator) -> None:
    given = image(rng, 3, "uint8")
    invalid = rng.random((1, 1, *SIZE)) < 0.3
    ir = replace(planes.from_array(image(rng, 1, "uint8"), "infrared"), invalid=invalid)
    vis = planes.from_array(given, "visible")
    for ir_planes, vis_planes in ((ir, vis), (to_tensors(ir), to_tensors(vis))):
        prepared = planes.prepare(ir_planes, vis_planes, DEFAULT_THERMAL, taken)
        fused = vis.restore(np.asarray(prepared.finish(1 - prepared.vis, "auto", stretch=False)))
        np.testing.assert_array_equal(fused[invalid[0, 0]], given[invalid[0, 0]])
        assert (fused[~invalid[0, 0]] != given[~invalid[0, 0]]).any()


def test_scores_use_eight_bits(rng: np.random.Generator) -> None:
    given = image(rng, 4, "uint16")
    rounded = planes.eight_bits(planes.from_array(given, "visible"))
    np.testing.assert_array_equal(rounded, np.rint(np.moveaxis(given[..., :3], 2, 0) / 65535 * 255) / 255)
    counts = rng.integers(7000, 7500, SIZE).astype(np.uint16)
    native = planes.from_array(counts, "infrared")
    np.testing.assert_array_equal(
        planes.eight_bits(native, Levels(7000, 7500))[0], np.rint((counts - 7000) / 500 * 255) / 255
    )
    assert planes.eight_bits(native, Percentiles()).max() == 1


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("role", ["visible", "fused"])
def test_values_that_are_not_finite_are_counted(kind: object, role: planes.Role) -> None:
    values = np.zeros(SIZE, np.float32)
    values[0, 0], values[1, 1] = np.nan, np.inf
    with pytest.raises(ImageError, match=f"{role}: 2 values are NaN or infinite; replace them"):
        planes.read(kind(values), role)  # type: ignore[operator]


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_infrared_values_that_are_not_finite_are_invalid(kind: Any, rng: np.random.Generator) -> None:
    temperatures = rng.uniform(10, 30, SIZE).astype(np.float32)
    values = temperatures.copy()
    values[0, 0], values[1, 1], values[2, 2] = np.nan, np.inf, -np.inf
    native = planes.read(kind(values), "infrared")
    missing = ~np.isfinite(values)
    np.testing.assert_array_equal(np.asarray(native.invalid)[0, 0], missing)
    low, high = np.percentile(temperatures[~missing], [1, 99])
    luma = np.asarray(native.thermal_luma(Percentiles(1, 99)))[0, 0]
    assert np.isfinite(luma).all()
    expected = np.clip((temperatures - low) / (high - low), 0, 1)
    np.testing.assert_allclose(luma[~missing], expected[~missing], atol=1e-5)
    with pytest.raises(ImageError, match="infrared: 117 values are NaN or infinite"):
        planes.read(kind(np.full(SIZE, np.nan)), "infrared")
    with pytest.raises(ImageError, match="infrared: 3 values are NaN or infinite"):
        planes.eight_bits(native.arrays(), Percentiles())


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("dtype", ["int16", "int32", "float16", "float32", "float64"])
@pytest.mark.parametrize("thermal", [Percentiles(1, 99), Levels(1000, 4500)])
def test_temperatures_are_scaled(
    kind: Any, dtype: str, thermal: Levels | Percentiles, rng: np.random.Generator
) -> None:
    values = rng.integers(900, 2040, SIZE).astype(dtype)
    low, high = np.percentile(values.astype(float), [1, 99]) if isinstance(thermal, Percentiles) else (1000, 4500)
    luma = np.asarray(planes.read(kind(values), "infrared").thermal_luma(thermal))[0, 0]
    np.testing.assert_allclose(luma, np.clip((values.astype(float) - low) / (high - low), 0, 1), atol=1e-5)


def test_floats_in_the_unit_range_are_used_as_they_are(rng: np.random.Generator) -> None:
    given = rng.random(SIZE).astype(np.float32) / 2
    given[0, 0] = np.nan
    luma = planes.from_array(given, "infrared").thermal_luma(DEFAULT_THERMAL)[0, 0]
    np.testing.assert_array_equal(luma.ravel()[1:], given.ravel()[1:])


@pytest.mark.parametrize("role", ["visible", "fused"])
def test_only_infrared_images_may_have_a_sign(role: planes.Role) -> None:
    with pytest.raises(ImageError, match=f"{role}: int16 images are not supported"):
        planes.from_array(np.zeros(SIZE, np.int16), role)
    with pytest.raises(ImageError, match="infrared: int16 values have no full range; give a thermal range"):
        planes.eight_bits(planes.from_array(np.zeros(SIZE, np.int16), "infrared"))


@pytest.mark.parametrize("taken", [1, 3])
def test_methods_see_the_visible_image_where_nothing_was_measured(taken: Any, rng: np.random.Generator) -> None:
    ir = rng.uniform(10, 30, SIZE).astype(np.float32)
    ir[:, :4] = np.nan
    vis = image(rng, 3, "uint8")
    prepared = planes.prepare(
        planes.from_array(ir, "infrared"), planes.from_array(vis, "visible"), DEFAULT_THERMAL, taken
    )
    luma = gray(planes.from_array(vis, "visible").unit())
    np.testing.assert_array_equal(prepared.ir[..., :4], luma[..., :4])
    assert (prepared.ir[..., 4:] != luma[..., 4:]).any()
