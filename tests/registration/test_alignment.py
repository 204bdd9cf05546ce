"""The alignment of images, compared with what the matrix says of single points."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from irfuse import notices
from irfuse.errors import PairError, ParameterError
from irfuse.imaging import planes
from irfuse.imaging.planes import Array, Planes
from irfuse.registration.alignment import Alignment, aligned_infrared, filled
from irfuse.registration.geometry import map_points
from tests.registration.scenes import IR_SIZE, calibration, unaligned

VIS_SIZE = (480, 640)
SHIFT = np.array([[1.0, 0, 100], [0, 1, 0], [0, 0, 1]])


def pair(ir: Array, vis: Array | None = None) -> tuple[Planes[Array], Planes[Array]]:
    vis = np.full((*VIS_SIZE, 3), 90, np.uint8) if vis is None else vis
    return planes.from_array(ir, "infrared"), planes.from_array(vis, "visible")


def arrays_of(dtype: str) -> tuple[Array, Array]:
    return gradient(dtype), np.full((*VIS_SIZE, 3), 90, np.uint8)


def gradient(dtype: str) -> Array:
    """An image whose values say where its pixels are."""
    y, x = np.mgrid[: IR_SIZE[0], : IR_SIZE[1]]
    return {
        "uint8": (x // 2 + y // 4).astype(np.uint8),
        "uint16": (7000 + 3 * x + 5 * y).astype(np.uint16),
        "int16": (3 * x - 5 * y).astype(np.int16),
        "int32": (100_000 + 3 * x + 5 * y).astype(np.int32),
        "float32": (20 + 0.05 * x + 0.02 * y).astype(np.float32),
        "float64": 20 + 0.05 * x + 0.02 * y,
    }[dtype]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
def test_values_come_from_their_place(dtype: str) -> None:
    image = gradient(dtype)
    rig = calibration()
    warped, vis = Alignment(rig)(*pair(image))
    assert warped.values.dtype == dtype
    assert warped.values.shape == (1, 1, *VIS_SIZE)
    assert warped.invalid is not None
    assert (vis.values == 90).all()
    points = np.array([[200.0, 200], [300, 150], [400, 300], [250.0, 350]])
    places = map_points(np.linalg.inv(rig.array), points)
    steps = {"uint8": (0.5, 0.25), "uint16": (3, 5), "int16": (3, -5), "int32": (3, 5)}
    per_pixel = steps.get(dtype, (0.05, 0.02))
    start = {"uint16": 7000, "int32": 100_000, "float32": 20, "float64": 20}.get(dtype, 0)
    for (x, y), place in zip(points.astype(int), places, strict=True):
        assert not warped.invalid[0, 0, y, x]
        # OpenCV warps to a 32nd of a pixel. Integers are rounded, and the gradient of 8 bits has steps.
        rounding = 1.75 if dtype == "uint8" else 0.5 if "int" in dtype else 0
        tolerance = rounding + sum(map(abs, per_pixel)) / 32
        assert float(warped.values[0, 0, y, x]) == pytest.approx(start + place @ per_pixel, abs=tolerance)


def test_the_identity_changes_nothing() -> None:
    rig = calibration(np.eye(3), VIS_SIZE, VIS_SIZE)
    image = np.random.default_rng(0).integers(0, 256, VIS_SIZE).astype(np.uint8)
    for onto in ("vis", "ir"):
        for crop in (False, True):
            ir, vis = Alignment(rig, onto, crop)(*pair(image))
            np.testing.assert_array_equal(ir.values[0, 0], image)
            assert (vis.values == 90).all()
            assert ir.invalid is None and ir.weight is None and vis.invalid is None and vis.weight is None


def test_what_the_infrared_camera_does_not_see() -> None:
    warped, _ = Alignment(calibration())(*pair(gradient("uint8")))
    assert warped.weight is not None and warped.invalid is not None
    # Independently: the corners of the field, filled.
    field = np.round(np.array(calibration().field)).astype(np.int32)
    inside = cv2.fillConvexPoly(np.zeros(VIS_SIZE, np.uint8), field, 1) > 0
    assert (warped.invalid[0, 0] != ~inside).mean() < 0.005
    assert (warped.weight[0, 0][warped.invalid[0, 0]] == 0).all()
    # The seam rises steadily: 3 % of the diagonal is 24 pixels.
    row = warped.weight[0, 0, 240]
    start = int(np.argmax(row > 0))
    assert (np.diff(row[start : start + 30]) >= 0).all()
    assert np.diff(row).max() < 0.1
    assert row[start + 26] == 1
    # Beside the seam the values go on, so that nothing dark is blended in.
    inner = warped.values[0, 0, 240, start : start + 5].astype(int)
    assert abs(inner - int(gradient("uint8")[:, 0].mean())).max() < 40


def test_holes_stay_holes_and_do_not_spread() -> None:
    for hole, image in ((np.nan, gradient("float32")), (0, gradient("uint16"))):
        image = image.copy()
        image[100:140, 100:150] = hole
        ir, vis = pair(image)
        if ir.invalid is None:
            ir = replace(ir, invalid=(image == 0)[None, None])
        warped, _ = Alignment(calibration())(ir, vis)
        assert warped.invalid is not None
        x, y = map_points(calibration().array, np.array([[125.0, 120.0]]))[0].astype(int)
        assert warped.invalid[0, 0, y, x]
        seen = warped.values[~warped.invalid]
        assert np.isfinite(warped.values).all()
        assert seen.min() >= np.nanmin(gradient(str(image.dtype))) - 1e-3
        # The hole has its size, and one pixel around it at most.
        area = 40 * 50 * 1.42 * 1.45
        outside = Alignment(calibration())(*pair(gradient(str(image.dtype))))[0].invalid
        assert outside is not None
        assert area * 0.9 < (warped.invalid & ~outside).sum() < area * 1.25


def test_onto_the_infrared_image() -> None:
    ir, vis = unaligned()
    aligned_ir, aligned_vis = Alignment(calibration(), "ir")(*pair(ir, vis))
    np.testing.assert_array_equal(aligned_ir.values[0, 0], ir)
    assert aligned_ir.weight is None
    assert aligned_vis.values.shape == (1, vis.shape[2], *IR_SIZE)
    # All of it is seen.
    assert aligned_vis.weight is None and aligned_vis.invalid is None
    x, y = map_points(calibration().array, np.array([[160.0, 128.0]]))[0].round().astype(int)
    around = vis[y - 2 : y + 3, x - 2 : x + 3].astype(float)
    value = aligned_vis.values[0, :, 128, 160]
    assert (around.min((0, 1)) - 2 <= value).all() and (value <= around.max((0, 1)) + 2).all()


def test_crop_leaves_what_both_see() -> None:
    for onto, size in (("vis", VIS_SIZE), ("ir", IR_SIZE)):
        ir, vis = Alignment(calibration(), onto, crop=True)(*pair(gradient("uint16")))
        assert ir.invalid is None and vis.invalid is None
        assert ir.weight is None and vis.weight is None
        assert ir.values.shape[2:] == vis.values.shape[2:]
        share = np.prod(ir.values.shape[2:]) / np.prod(size)
        # The turned field of view loses a little at each side.
        assert 0.9 * min(1, calibration().overlap * (1 if onto == "vis" else 3)) <= share <= 1
    half = calibration(SHIFT, VIS_SIZE, VIS_SIZE)
    ir, vis = Alignment(half, crop=True)(*pair(np.full(VIS_SIZE, 5, np.uint8)))
    assert ir.values.shape[2:] == (480, 540)


def test_a_large_image_is_reduced_without_aliasing() -> None:
    fine = np.zeros((960, 1280), np.uint8)
    fine[:, ::2] = 255
    rig = calibration(np.diag([0.25, 0.25, 1.0]), (960, 1280), (240, 320))
    warped, _ = Alignment(rig)(*pair(fine, np.zeros((240, 320), np.uint8)))
    assert np.abs(warped.values[0, 0, 5:-5, 5:-5].astype(int) - 127).max() <= 2


def test_tensors_and_arrays_agree() -> None:
    image, vis = gradient("float32"), np.random.default_rng(0).integers(0, 256, (*VIS_SIZE, 3)).astype(np.uint8)
    by_array = Alignment(calibration())(*pair(image, vis))
    tensors = (
        planes.read(torch.from_numpy(image), "infrared"),
        planes.read(torch.from_numpy(vis).permute(2, 0, 1), "visible"),
    )
    for one, other in zip(by_array, Alignment(calibration())(*tensors), strict=True):
        np.testing.assert_array_equal(one.values, other.values)


def test_a_batch_is_aligned_like_its_images() -> None:
    images = np.stack([gradient("uint16"), gradient("uint16")[::-1]])[..., None]
    vis = np.zeros((2, *VIS_SIZE, 1), np.uint8)
    batch, _ = Alignment(calibration())(*pair(images, vis))
    for i in range(2):
        single, _ = Alignment(calibration())(*pair(images[i, ..., 0], vis[i, ..., 0]))
        np.testing.assert_array_equal(batch.values[i], single.values[0])


def test_images_of_other_sizes() -> None:
    with pytest.raises(PairError, match="make a calibration from images of this camera"):
        Alignment(calibration())(*pair(np.zeros((100, 100), np.uint8)))


def test_unknown_choices() -> None:
    with pytest.raises(ParameterError, match="onto cannot be 'both'"):
        Alignment(calibration(), "both")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dtype", "written", "hole", "remarks"),
    [
        ("uint8", "uint8", 0, 0),
        ("uint16", "uint16", 0, 0),
        ("int16", "float32", np.nan, 1),
        ("float64", "float32", np.nan, 0),
    ],
)
def test_files_of_aligned_images(dtype: str, written: str, hole: float, remarks: int) -> None:
    warped, vis = Alignment(calibration())(*pair(gradient(dtype)))
    with notices.collected() as warned:
        image = filled(warped)
        np.testing.assert_array_equal(aligned_infrared(Alignment(calibration()), *arrays_of(dtype)), image)
    assert len(warned) == 2 * remarks
    assert all("is read as °C" in str(warning) for warning in warned)
    assert image.dtype == written
    np.testing.assert_equal(image[0, 0], np.asarray(hole, written))
    assert image[240, 320] == pytest.approx(float(warped.values[0, 0, 240, 320]))
    assert filled(vis).shape == (*VIS_SIZE, 3)
