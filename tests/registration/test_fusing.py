"""Fusing the images of two cameras: the Fuser, the runtime and `irfuse.fuse`."""

from pathlib import Path

import numpy as np
import pytest
import torch

import irfuse
from irfuse.errors import PairError, ParameterError
from irfuse.fuser import Fuser
from irfuse.imaging import overlay, planes
from irfuse.imaging.levels import DEFAULT_THERMAL
from irfuse.imaging.planes import Array
from irfuse.io import images
from irfuse.methods.maximum import Maximum
from irfuse.registration.alignment import Alignment
from tests.registration.scenes import IR_SIZE, MATRIX, calibration, error, unaligned

METHODS = ("average", "maximum", "laplacian-pyramid", "encoder-decoder", "ember")


@pytest.fixture(scope="module")
def pair() -> tuple[Array, Array]:
    return unaligned()


def outside(vis: Array) -> Array:
    """Where the infrared camera sees nothing, by the corners of its field of view, and a pixel more."""
    y, x = np.mgrid[: vis.shape[0], : vis.shape[1]]
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    mapped = np.linalg.inv(MATRIX) @ points
    u, v = mapped[:2] / mapped[2]
    inside = (u >= -1.5) & (u <= IR_SIZE[1] + 0.5) & (v >= -1.5) & (v <= IR_SIZE[0] + 0.5)
    return ~inside.reshape(x.shape)


@pytest.mark.parametrize("method", METHODS)
def test_the_visible_image_stays_where_nothing_else_is_seen(method: str, pair: tuple[Array, Array]) -> None:
    ir, vis = pair
    fused = irfuse.fuse(ir, vis, method=method, registration=calibration())
    assert fused.shape == vis.shape and fused.dtype == vis.dtype
    alone = outside(vis)
    np.testing.assert_array_equal(fused[alone], vis[alone])
    assert (fused != vis)[~alone].any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0, 255])
def test_the_seam_is_soft(method: str, level: int) -> None:
    """A dark or a bright infrared image over an even visible one: no step between neighbors, and no dark frame."""
    ir = np.full(IR_SIZE, level, np.uint8)
    # Not constant, which a warning would report.
    ir[100:120, 100:120] = 128
    vis = np.full((480, 640), 120, np.uint8)
    with irfuse.notices.collected():
        fused = irfuse.fuse(ir, vis, method=method, registration=calibration()).astype(int)
    # A row and a column through the seam, away from the spot in the middle.
    for line in (fused[150, :200], fused[:120, 400]):
        assert np.abs(np.diff(line)).max() <= 12
        assert line[0] == 120
        if level == 255:
            assert line.min() >= 118


def test_methods_see_no_edge_at_the_seam() -> None:
    """Beyond its field of view, the infrared image goes on; a change to the visible one would show as a frame."""
    y, x = np.mgrid[: IR_SIZE[0], : IR_SIZE[1]]
    ir = planes.from_array((20 + x // 16 + y // 16).astype(np.uint8), "infrared")
    vis = planes.from_array(np.full((480, 640), 250, np.uint8), "visible")
    prepared = planes.prepare(*Alignment(calibration())(ir, vis), DEFAULT_THERMAL)
    assert prepared.weight is not None and (prepared.weight == 0).any()
    assert np.abs(np.diff(prepared.ir[0, 0], axis=0)).max() < 3 / 255
    assert np.abs(np.diff(prepared.ir[0, 0], axis=1)).max() < 3 / 255
    assert prepared.ir.max() < 60 / 255


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_measured_values(dtype: str, pair: tuple[Array, Array]) -> None:
    """Counts with fill values, and degrees with NaN: levels know nothing of what is not seen."""
    ir, vis = pair
    counts = 7000 + 4 * ir.astype(np.float64)
    thermal = (counts if dtype == "uint16" else 20 + counts / 1000).astype(dtype)
    thermal[:20] = 0 if dtype == "uint16" else np.nan
    levels = irfuse.Levels(7000, 8020) if dtype == "uint16" else irfuse.Levels(27, 28.02)
    rig = calibration()
    with irfuse.notices.collected():
        fused = irfuse.fuse(thermal, vis, method="average", thermal=levels, registration=rig)
        of_picture = irfuse.fuse(ir, vis, method="average", registration=rig)
    x, y = 320, 300
    near = slice(y - 40, y + 40), slice(x - 40, x + 40)
    np.testing.assert_allclose(fused[near].astype(int), of_picture[near].astype(int), atol=2)
    # The rows without a measurement show the visible image.
    corner = MATRIX @ [160, 8, 1]
    x, y = np.round(corner[:2] / corner[2]).astype(int)
    np.testing.assert_array_equal(fused[y, x], vis[y, x])


def test_alpha_is_kept(pair: tuple[Array, Array]) -> None:
    ir, vis = pair
    alpha = np.random.default_rng(0).integers(0, 256, (*vis.shape[:2], 1)).astype(np.uint8)
    fused = irfuse.fuse(ir, np.concatenate([vis, alpha], axis=2), method="maximum", registration=calibration())
    np.testing.assert_array_equal(fused[..., 3:], alpha)
    np.testing.assert_array_equal(fused[..., :3], irfuse.fuse(ir, vis, method="maximum", registration=calibration()))


def test_tensors_and_arrays_agree(pair: tuple[Array, Array]) -> None:
    ir, vis = pair
    fuser = Fuser("maximum", registration=calibration())
    tensor = fuser(torch.from_numpy(ir), torch.from_numpy(vis).permute(2, 0, 1))
    np.testing.assert_array_equal(tensor.permute(1, 2, 0).numpy(), fuser(ir, vis))


def test_onto_the_infrared_image_and_cropped(pair: tuple[Array, Array]) -> None:
    ir, vis = pair
    fused = Fuser("maximum", registration=Alignment(calibration(), "ir"))(ir, vis)
    assert fused.shape == (*IR_SIZE, 3)
    cropped = Fuser("maximum", registration=Alignment(calibration(), crop=True))
    rows, columns = Alignment(calibration()).window
    whole = Fuser("maximum", registration=calibration())(ir, vis)[rows, columns]
    assert cropped(ir, vis).shape == whole.shape
    # Away from the seam, which the cut image does not have.
    np.testing.assert_array_equal(cropped(ir, vis)[40:-40, 40:-40], whole[40:-40, 40:-40])


def test_a_visible_image_that_sees_less(pair: tuple[Array, Array]) -> None:
    """Onto the infrared image: where the visible camera sees nothing, the infrared image shows."""
    ir, vis = pair
    narrow = np.ascontiguousarray(vis[160:320, 200:440])
    matrix = np.array([[1, 0, -200], [0, 1, -160], [0, 0, 1.0]]) @ MATRIX
    rig = calibration(matrix, IR_SIZE, (160, 240))
    fused = Fuser("average", color="gray", registration=Alignment(rig, "ir"))(ir, narrow)
    np.testing.assert_array_equal(fused[:20], ir[:20])
    assert (fused[120:130, 150:170] != ir[120:130, 150:170]).any()


def test_the_runtime_equals_the_fuser(pair: tuple[Array, Array], tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from irfuse.deploy.export import export

    path = export("encoder-decoder", tmp_path / "model.onnx").path
    for registration in (calibration(), Alignment(calibration(), "ir", crop=True)):
        by_model = irfuse.Model(path, registration=registration)(*pair)
        by_fuser = Fuser("encoder-decoder", engine="torch", precision="fp32", registration=registration)(*pair)
        np.testing.assert_allclose(by_model.astype(int), by_fuser.astype(int), atol=1)


def test_each_pair_by_its_files(pair: tuple[Array, Array], tmp_path: Path) -> None:
    for name, image in zip(("ir", "vis"), pair, strict=True):
        images.write(tmp_path / f"{name}.png", image)
    paths = tmp_path / "ir.png", tmp_path / "vis.png"
    found = irfuse.register(*paths)
    assert error(found) < 7
    fused = irfuse.fuse(*paths, method="average", registration="auto")
    np.testing.assert_array_equal(fused, irfuse.fuse(*pair, method="average", registration=found))
    assert len(list((tmp_path / "cache" / "irfuse" / "registrations").iterdir())) == 1


def test_what_cannot_be_done(pair: tuple[Array, Array]) -> None:
    ir, vis = pair
    with pytest.raises(PairError, match="register the pair first"):
        irfuse.fuse(ir, vis, method="average")
    with pytest.raises(PairError, match="the calibration is for visible images of 640x480"):
        irfuse.fuse(ir, vis[:400], method="average", registration=calibration())
    with pytest.raises(ParameterError, match="registration cannot be 'always'"):
        Fuser(Maximum(), registration="always")  # type: ignore[arg-type]


def test_blends_and_highlights_have_a_soft_seam() -> None:
    level = np.linspace(39, 41, IR_SIZE[0] * IR_SIZE[1], dtype=np.float32).reshape(IR_SIZE)
    vis = np.full((480, 640, 3), 120, np.uint8)
    aligned = Alignment(calibration())(planes.from_array(level, "infrared"), planes.from_array(vis, "visible"))
    for drawn in (overlay.blend(*aligned, thermal=irfuse.Levels(0, 60)), overlay.highlight(vis, aligned[0], "30C")):
        # A row and a column through the seam.
        for line in (drawn[150, :200], drawn[:120, 400]):
            assert np.abs(np.diff(line.astype(int), axis=0)).max() <= 12
            assert (line[0] == 120).all() and (line[-1] != 120).any()
