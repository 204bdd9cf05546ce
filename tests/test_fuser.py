import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from irfuse.device import computes_in
from irfuse.errors import DeviceError, ImageError, MethodError, PairError, ParameterError, SuspiciousPairWarning
from irfuse.fuser import Fuser
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.methods.average import Average
from irfuse.methods.base import Core, MethodInfo
from irfuse.methods.res2netfuse import Res2NetFuse

SIZE = (12, 10)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64, ">u2"])
@pytest.mark.parametrize("shape", [SIZE, (*SIZE, 1), (*SIZE, 2), (*SIZE, 3), (*SIZE, 4), (3, *SIZE, 1), (3, *SIZE, 4)])
@pytest.mark.parametrize("color", ["auto", "gray"])
def test_arrays_come_back_as_the_visible_was(
    dtype: str, shape: tuple[int, ...], color: str, rng: np.random.Generator
) -> None:
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    vis = (rng.random(shape) * top).astype(dtype)
    ir = rng.random(shape[:-1] if len(shape) == 4 else SIZE).astype(np.float32)
    ir = ir[..., None] if len(shape) == 4 else ir
    fused = Fuser("average", color=color)(ir, vis)
    gray_shape = (*shape[:-1], 1) if len(shape) == 4 else SIZE if len(shape) == 2 or shape[-1] > 1 else shape
    assert fused.shape == (shape if color == "auto" else gray_shape)
    assert fused.dtype == np.dtype(dtype).newbyteorder("=")


@pytest.mark.parametrize("shape", [SIZE, (1, *SIZE), (3, *SIZE), (4, *SIZE), (2, 1, *SIZE), (2, 3, *SIZE)])
@pytest.mark.parametrize("color", ["auto", "gray"])
def test_tensors_come_back_as_the_visible_was(shape: tuple[int, ...], color: str) -> None:
    vis, ir = torch.rand(shape), torch.rand(SIZE if len(shape) < 4 else (2, 1, *SIZE))
    fused = Fuser("average", color=color)(ir, vis)
    assert isinstance(fused, Tensor)
    assert fused.shape == (shape if color == "auto" or len(shape) == 2 else (*shape[:-3], 1, *SIZE))
    assert not fused.is_inference()


def test_arrays_and_tensors_agree(rng: np.random.Generator) -> None:
    ir, vis = rng.integers(0, 256, SIZE, dtype=np.uint8), rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    fused = Fuser("laplacian-pyramid")(ir, vis)
    as_tensor = Fuser("laplacian-pyramid")(torch.from_numpy(ir), torch.from_numpy(vis).movedim(2, 0))
    np.testing.assert_array_equal(as_tensor.movedim(0, 2).numpy(), fused)


def test_luma_is_fused_and_chroma_kept(rng: np.random.Generator) -> None:
    """The result equals BT.601, written out. The values are mid-gray, so that nothing is clipped."""
    vis = rng.integers(110, 140, (*SIZE, 3), dtype=np.uint8)
    ir = rng.integers(110, 140, SIZE, dtype=np.uint8)
    fused = Fuser("average")(ir, vis)
    luma = vis @ np.array([0.299, 0.587, 0.114])
    expected = vis + ((ir + luma) / 2 - luma)[..., None]
    assert np.abs(fused - expected).max() <= 0.5 + 1e-4
    gray = Fuser("average", color="gray")(ir, vis)
    assert np.abs(gray - (ir + luma) / 2).max() <= 0.5 + 1e-4


def test_alpha_is_copied(rng: np.random.Generator) -> None:
    vis = rng.integers(0, 65536, (*SIZE, 4)).astype(np.uint16)
    fused = Fuser("average")(rng.integers(0, 256, SIZE, dtype=np.uint8), vis)
    np.testing.assert_array_equal(fused[..., 3], vis[..., 3])


def test_infrared_stored_in_color(rng: np.random.Generator) -> None:
    ir, vis = rng.integers(0, 256, SIZE, dtype=np.uint8), rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    stacked = np.repeat(ir[..., None], 3, axis=2)
    np.testing.assert_array_equal(Fuser("average")(stacked, vis), Fuser("average")(ir, vis))


def test_16_bit_visible_is_not_stretched() -> None:
    vis = np.full(SIZE, 1000, np.uint16)
    vis[0] = 1100
    np.testing.assert_array_equal(Fuser("maximum")(np.zeros(SIZE, np.uint8), vis), vis)


def test_16_bit_thermal_is_stretched_by_percentiles(rng: np.random.Generator) -> None:
    ir = rng.integers(20000, 24000, (64, 64)).astype(np.uint16)
    black = np.zeros((64, 64), np.float32)
    low, high = np.percentile(ir, [0.1, 99.9])
    expected = np.clip((ir - low) / (high - low), 0, 1)
    np.testing.assert_allclose(Fuser("maximum")(ir, black), expected, atol=1e-6)
    low, high = np.percentile(ir, [5, 95])
    expected = np.clip((ir - low) / (high - low), 0, 1)
    np.testing.assert_allclose(Fuser("maximum", thermal=Percentiles(5, 95))(ir, black), expected, atol=1e-6)


def test_frames_can_share_thermal_levels() -> None:
    black = np.zeros(SIZE, np.float32)
    fuser = Fuser("maximum", thermal=Levels(20000, 30000))
    for count, expected in ((20000, 0), (22500, 0.25), (27500, 0.75), (30000, 1)):
        for dtype in (np.uint16, np.float32):
            np.testing.assert_allclose(fuser(np.full(SIZE, count, dtype), black), expected, atol=1e-6)
    with pytest.warns(SuspiciousPairWarning, match="none lies within the thermal range 20000 30000"):
        np.testing.assert_allclose(fuser(np.full(SIZE, 40000, np.uint16), black), 1, atol=1e-6)


def test_each_image_of_a_batch_has_its_own_thermal_levels(rng: np.random.Generator) -> None:
    ir = np.stack([rng.integers(base, base + 500, SIZE) for base in (1000, 30000)]).astype(np.uint16)[..., None]
    vis = np.zeros((2, *SIZE, 1), np.float32)
    together = Fuser("maximum")(ir, vis)
    for i in range(2):
        np.testing.assert_array_equal(together[i], Fuser("maximum")(ir[i], vis[i]))


def test_stretch_is_off_by_default_and_per_image() -> None:
    ir = torch.rand(2, 1, *SIZE) * 0.2 + 0.3
    plain = Fuser("average")(ir, ir)
    torch.testing.assert_close(plain, ir)
    stretched = Fuser("average", stretch=True)(ir, ir)
    torch.testing.assert_close(stretched.amin(dim=(1, 2, 3)), torch.zeros(2))
    torch.testing.assert_close(stretched.amax(dim=(1, 2, 3)), torch.ones(2))
    constant = torch.full(SIZE, 0.4)
    assert Fuser("average", stretch=True)(constant, constant).isfinite().all()


def test_stream_equals_calls(rng: np.random.Generator) -> None:
    sizes = [(9, 8), (9, 8), (9, 8), (5, 6), (9, 8)]
    pairs = [(rng.integers(0, 256, s, dtype=np.uint8), rng.integers(0, 256, (*s, 3), dtype=np.uint8)) for s in sizes]
    fuser = Fuser("laplacian-pyramid")
    expected = [fuser(*pair) for pair in pairs]
    for batch in (1, 2, 8):
        for fused, single in zip(fuser.stream(pairs, batch=batch), expected, strict=True):
            np.testing.assert_array_equal(fused, single)


def test_stream_batches_images_of_one_kind() -> None:
    batches: list[int] = []

    class Counting(Average):
        def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
            batches.append(len(ir))
            return super().forward(ir, vis)

    sizes = [(4, 4)] * 5 + [(6, 6)]
    list(Fuser(Counting()).stream(((torch.rand(s), torch.rand(s)) for s in sizes), batch=3))
    assert batches == [3, 2, 1]


def test_large_images_are_tiled_and_measured_first(real_batch: tuple[Tensor, Tensor]) -> None:
    calls: list[str] = []

    class Watching(Average):
        info = replace(Average.info, halo=3)
        needs_statistics = True

        def measure(self, ir: Tensor, vis: Tensor, core: Core) -> Tensor:
            calls.append("measure")
            return ir[(..., *core)].amax(dim=(1, 2, 3))[:, None]

        def merge(self, parts: Sequence[Tensor]) -> Tensor:
            calls.append("merge")
            return torch.stack(list(parts)).amax(dim=0)

        def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
            calls.append("fuse")
            assert statistics is not None
            assert max(ir.shape[2:]) <= 64 + 2 * 3
            torch.testing.assert_close(statistics[:, 0], real_batch[0].amax(dim=(1, 2, 3))[: len(ir)])
            return super().forward(ir, vis)

    Fuser(Watching(), tile=64)(real_batch[0][:1], real_batch[1][:1])
    assert calls == ["measure"] * 6 + ["merge"] + ["fuse"] * 6


@pytest.mark.parametrize(("tile", "count"), [(64, 6), (512, 1)])
def test_methods_say_up_to_which_size_images_are_fused_whole(
    tile: int, count: int, real_batch: tuple[Tensor, Tensor]
) -> None:
    calls: list[Tensor] = []

    class Watching(Average):
        info = replace(Average.info, halo=3, tile=tile)

        def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
            calls.append(ir)
            return super().forward(ir, vis)

    Fuser(Watching())(real_batch[0][:1], real_batch[1][:1])
    assert len(calls) == count


@pytest.mark.parametrize(
    ("ir", "vis", "reason"),
    [
        (np.zeros((4, 5)), np.zeros((5, 4)), "sizes differ: infrared 5x4, visible 4x5; register"),
        (np.zeros((2, 4, 4, 1)), np.zeros((3, 4, 4, 1)), "batches differ: 2 infrared and 3 visible"),
        (np.full((4, 4), np.nan), np.zeros((4, 4)), "infrared: 16 values are NaN or infinite"),
        (np.zeros((4, 4)), np.full((4, 4), np.inf), "visible: 16 values are NaN or infinite"),
        (np.zeros((1, 3)), np.array([[0.5, np.inf, -np.inf]]), "visible: 2 values are NaN or infinite"),
        (np.zeros(4), np.zeros((4, 4)), r"infrared: the shape \(4,\) is not"),
        (np.zeros((4, 4)), np.zeros((4, 4, 5)), r"visible: the shape \(4, 4, 5\) is not"),
        (np.zeros((4, 4)), np.zeros((1, 1, 4, 4, 3)), "visible: the shape"),
        (torch.zeros(4, 4), torch.zeros(7, 4, 4), r"is not \(H, W\), \(C, H, W\)"),
        (np.zeros((0, 4)), np.zeros((0, 4)), "infrared: the image is empty"),
        (np.zeros((4, 4), np.int64), np.zeros((4, 4)), "infrared: int64 images are not supported"),
        (np.zeros((4, 4)), np.zeros((4, 4), bool), "visible: bool images are not supported"),
        (np.zeros((4, 4)), np.zeros((4, 4), np.int16), "visible: int16 images are not supported"),
        (np.zeros((4, 4)), np.full((4, 4), -1.0), r"visible: .* these go from -1 to -1; scale it$"),
        ([[0, 1]], np.zeros((1, 2)), "infrared: an array or a tensor is needed, not list"),
        (np.zeros((1, 2)), 3, "visible: an array or a tensor is needed, not int"),
        (np.zeros((1, 2)), "vis.png", r"vis\.png: no such file"),
    ],
)
def test_bad_input(ir: object, vis: object, reason: str) -> None:
    with pytest.raises((ImageError, PairError), match=reason):
        Fuser("average")(ir, vis)


def test_a_bright_image_in_float16_is_finite() -> None:
    """The sum of its values overflows."""
    bright = np.full((400, 400), 0.75, np.float16)
    bright[0] = 0.5
    assert bright.sum(dtype=np.float64) > np.finfo(np.float16).max
    np.testing.assert_array_equal(Fuser("average")(bright, bright), bright)


def test_rounding_beyond_the_range_is_accepted() -> None:
    image = np.full(SIZE, 1 + 1e-6, np.float32)
    assert Fuser("average")(image, image).max() == 1


def test_swapped_pair_is_noticed(msrs_day: Pair) -> None:
    ir, vis = images.read(msrs_day.ir), images.read(msrs_day.vis)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Fuser("average")(ir, vis)
    with pytest.warns(SuspiciousPairWarning, match="swapped"):
        Fuser("average")(vis, ir)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("thermal", [Percentiles(), Levels(7000, 7500)])
def test_pixels_without_a_measurement_show_the_visible_image(
    kind: Any, thermal: Levels | Percentiles, rng: np.random.Generator
) -> None:
    counts = rng.integers(7000, 7500, (64, 64)).astype(np.uint16)
    vis = rng.integers(0, 256, (64, 64), np.uint8)
    plain = Fuser("average", thermal=thermal)(counts, vis)
    counts[:, :6] = 0
    with pytest.warns(SuspiciousPairWarning, match=r"9.4 % of the infrared pixels hold no measurement"):
        fused = np.asarray(Fuser("average", thermal=thermal)(kind(counts), kind(vis)))
    np.testing.assert_array_equal(fused[:, :6], vis[:, :6])
    assert np.abs(fused[:, 6:].astype(int) - plain[:, 6:]).max() <= 1


def test_unknown_device_and_color() -> None:
    with pytest.raises(DeviceError, match="device 'tpu9' cannot be used"):
        Fuser("average", device="tpu9")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="choose auto or cpu"):
            Fuser("average", device="cuda")


def test_impossible_arguments() -> None:
    for arguments, reason in (
        ({"method": "average", "color": "sepia"}, "color cannot be 'sepia'; choose one of auto, gray"),
        ({"method": "average", "tile": 0}, "tile cannot be 0"),
        ({"method": Average}, "give a spec or a method"),
    ):
        with pytest.raises(ParameterError, match=reason):
            Fuser(**arguments)
    with pytest.raises(ParameterError, match="strategy cannot be 'max'; choose one of l1-norm, mean, average"):
        Res2NetFuse(strategy="max")


def test_alpha_of_the_infrared_is_ignored(rng: np.random.Generator) -> None:
    ir = rng.integers(20000, 24000, (*SIZE, 2)).astype(np.uint16)
    ir[..., 1] = 65535
    black = np.zeros(SIZE, np.float32)
    np.testing.assert_array_equal(Fuser("maximum")(ir, black), Fuser("maximum")(ir[..., 0], black))


def test_stream_does_not_look_ahead() -> None:
    asked = 0

    def pairs() -> Iterator[tuple[Tensor, Tensor]]:
        nonlocal asked
        for shape in (SIZE, SIZE, SIZE, (3, 3)):
            asked += 1
            yield torch.rand(SIZE), torch.rand(shape)

    stream = Fuser("average").stream(pairs())
    for count in (1, 2, 3):
        next(stream)
        assert asked == count
    for batch in (1, 2, 5):
        stream = Fuser("average").stream(pairs(), batch=batch)
        for _ in range(3):
            next(stream)
        with pytest.raises(PairError):
            next(stream)


@pytest.mark.skipif(not computes_in(torch.device("cpu"), "bf16"), reason="this CPU does not compute in bfloat16")
def test_automatic_half_precision_warns_of_16_bits() -> None:
    ir = np.arange(1024).astype(np.uint8).reshape(32, 32)
    vis = ir.astype(np.uint16) * 257
    with pytest.warns(
        SuspiciousPairWarning,
        match="bf16 keeps about 8: for 16-bit visible images use precision fp32",
    ):
        Fuser("encoder-decoder", device="cpu", engine="torch")(ir, vis)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Fuser("encoder-decoder", device="cpu", engine="torch")(ir, ir)
        for precision in ("fp32", "bf16"):
            Fuser("encoder-decoder", device="cpu", engine="torch", precision=precision)(ir, vis)


class Wrong(Average):
    """A method of a user's that does something wrong."""

    info = MethodInfo(name="wrong", title="Wrong", tiling="halo")

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.change = change

    def forward(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        return self.change(super().forward(ir, vis))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda fused: fused * math.nan, "wrong returned 48 values that are NaN or infinite"),
        (lambda fused: fused[..., :3], r"wrong returned the shape \(1, 1, 6, 3\) instead of \(1, 1, 6, 8\)"),
        (lambda fused: fused @ fused, "wrong failed: RuntimeError: "),
    ],
)
def test_what_a_method_returns_is_checked(change: Callable[[Tensor], Tensor], reason: str) -> None:
    image = np.full((6, 8), 100, np.uint8)
    with pytest.raises(MethodError, match=reason):
        Fuser(Wrong(change), device="cpu")(image, image)


def test_paths_are_read(tno_01: Pair, msrs_day: Pair) -> None:
    fuser = Fuser("average")
    expected = [fuser(images.read(pair.ir), images.read(pair.vis)) for pair in (tno_01, msrs_day)]
    found = list(fuser.stream([(tno_01.ir, tno_01.vis), (str(msrs_day.ir), str(msrs_day.vis))]))
    assert all(np.array_equal(*both) for both in zip(found, expected, strict=True))
    assert np.array_equal(fuser(tno_01.ir, tno_01.vis), expected[0])
    with pytest.raises(PairError, match=re.escape(f"{tno_01.ir} and {msrs_day.vis}: the sizes differ")):
        fuser(tno_01.ir, msrs_day.vis)
    with pytest.raises(ImageError, match=r"none\.png: no such file"):
        fuser("none.png", tno_01.vis)
