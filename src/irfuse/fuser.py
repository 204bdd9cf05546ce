"""The Fuser: all that lies between a pair of images and a method's bare tensors: colour, size, tiles, batches."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from irfuse import engines
from irfuse.choices import check_choice
from irfuse.device import exact_float32, resolve
from irfuse.engines.base import Engine
from irfuse.engines.choose import EngineChoice, PrecisionChoice, choose
from irfuse.errors import ImageError, IrfuseError, PairError, ParameterError, SuspiciousPairWarning
from irfuse.imaging import color as colors
from irfuse.imaging import levels, sizes
from irfuse.imaging.color import Color
from irfuse.imaging.levels import DEFAULT_THERMAL, Levels, Percentiles
from irfuse.methods import build
from irfuse.methods.base import IterativeMethod, Method, check_info
from irfuse.progress import Progress, silent

Image = TypeVar("Image", NDArray[Any], Tensor)


class Fuser:
    """Fuses pairs of images with one method.

    Arrays are (H, W), (H, W, C) or, as a batch, (B, H, W, C); tensors are (H, W), (C, H, W) or (B, C, H, W). C is 1 for
    grey, 2 for grey with alpha, 3 for RGB and 4 for RGB with alpha. Values are ``uint8``, ``uint16`` or floats in
    [0, 1]. The result has the visible image's kind, size, channels and dtype; its alpha is copied.

    Args:
        method: a method, or a spec that builds one. A method is moved to the device and put into evaluation mode.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1`` and so on.
        engine: what computes the method: ``torch``, ``compile``, ``onnx``, ``openvino``, or ``auto``, which is the
            fastest that is installed and keeps 50 dB against ``torch`` in ``fp32``. A method that is given as an object
            stays with that under ``auto``. Papers' numbers want ``engine="torch", precision="fp32"``. While ``onnx`` or
            ``openvino`` fuse, with as many threads as PyTorch has when the Fuser is made, PyTorch itself has one.
        precision: ``fp32``, ``fp16``, ``bf16``, or ``auto``, likewise.
        color: ``auto`` keeps the chroma of a colour visible image; ``gray`` returns the fused luma alone.
        stretch: stretch each fused luma to the whole of [0, 1].
        thermal: how infrared values become [0, 1]. `Levels` apply to any dtype; `Percentiles` to ``uint16`` images,
            while ``uint8`` and floating-point ones are taken as they are.
        on_iteration: told after each step of a method that optimises each pair.
        on_fetch: told how far the fetching of a backbone's weights is, in megabytes, where a spec's method needs some
            that are not on this machine.
        tile: images of more than tile x tile pixels are fused in parts of at most that size, where the method allows.

    Attributes:
        choice: the engine and the precision, and why.

    Raises:
        ParameterError: an argument is impossible.
        SpecError: the method's spec is wrong.
        WeightsError: the weights that the spec asks for cannot be had.
        DeviceError: the device is not there, or not one for that engine or precision.
        MissingDependencyError: the engine that is asked for is not installed.

    >>> ir = np.zeros((48, 64), np.uint8)
    >>> vis = np.full((48, 64, 3), (200, 100, 50), np.uint8)
    >>> fused = Fuser("average")(ir, vis)
    >>> fused.shape, fused.dtype
    ((48, 64, 3), dtype('uint8'))
    """

    def __init__(
        self,
        method: str | Method = "res2netfuse",
        *,
        device: str = "auto",
        engine: EngineChoice = "auto",
        precision: PrecisionChoice = "auto",
        color: Color = "auto",
        stretch: bool = False,
        thermal: Levels | Percentiles = DEFAULT_THERMAL,
        tile: int = 1024,
        on_iteration: Progress = silent,
        on_fetch: Progress = silent,
    ) -> None:
        check_choice("color", color, Color)
        sizes.check_tile(tile)
        if not isinstance(method, str | Method):
            raise ParameterError(f"method cannot be {method!r}; a spec or a method is needed")
        if isinstance(method, Method):
            check_info(method)
        # The device first: for one that is not there nothing is to be fetched.
        self.device = resolve(device)
        built = build(method, on_fetch=on_fetch) if isinstance(method, str) else method
        # Convolutions on a CPU take two thirds of the time with the channels last.
        self.method = built.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.choice = choose(self.method, method if isinstance(method, str) else None, self.device, engine, precision)
        self._loses_bits = precision == "auto" and self.choice.precision != "fp32"
        self._engine: Engine | None = None
        self._threads = torch.get_num_threads()
        self.color = color
        self.stretch = stretch
        self.thermal = thermal
        self.tile = tile
        self.on_iteration = on_iteration

    def __call__(self, ir: Image, vis: Image) -> Image:
        """Fuse one pair, or a batch of pairs of one size.

        Raises:
            ImageError: an image is empty, has a wrong shape or dtype, or holds NaN, infinite or out-of-range values.
            PairError: the sizes differ.
        """
        return next(self.stream([(ir, vis)]))

    def stream(self, pairs: Iterable[tuple[Image, Image]], *, batch: int = 1) -> Iterator[Image]:
        """Fuse many pairs, in their order.

        Args:
            pairs: as a call takes them.
            batch: how many neighbours to fuse at once, where their sizes, channels and dtypes are the same.

        Raises:
            ImageError, PairError: as a call does, when the pair's turn comes.
        """
        for alike in _runs((self._read(ir, vis) for ir, vis in pairs), batch):
            # Not inference mode, whose tensors a caller could not use in training.
            with self._own_threads(), torch.no_grad(), exact_float32(self.device):
                fused = self._fuse(torch.cat([pair.ir for pair in alike]), torch.cat([pair.vis for pair in alike]))
                parts = torch.split(fused, [len(pair.vis) for pair in alike])
                restored = [pair.restore(part) for pair, part in zip(alike, parts, strict=True)]
            yield from restored

    def _read(self, ir: Image, vis: Image) -> "_Pair":
        with self._own_threads():
            return _Pair.of(ir, vis)

    @contextmanager
    def _own_threads(self) -> Iterator[None]:
        """No threads of PyTorch's beside those that other engines bring along.

        They would stay awake for a while after each operation, on the cores that the engine's threads wait for.
        """
        if self.choice.engine in ("torch", "compile"):
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def _fuse(self, ir: Tensor, vis: Tensor) -> Tensor:
        """Fuse (B, C, H, W) tensors in their native dtype."""
        dtype = vis.dtype
        if dtype == torch.uint16 and self._loses_bits:
            warnings.warn(
                f"the visible image has 16 bits, of which {self.choice.precision} keeps about 8: take precision fp32",
                SuspiciousPairWarning,
                stacklevel=2,
            )
        ir_luma = torch.cat([self._thermal_luma(image) for image in ir.unsqueeze(1)])
        unit = _to_unit(vis.to(self.device), "visible")
        channels = unit.shape[1]
        # The image whose chroma the result has: the visible one, or what a method makes that fuses in colour.
        rgb = unit[:, : 3 if channels >= 3 else 1]
        luma = _luma(rgb)
        if self.method.vis_channels == 1:
            fused = self._fuse_planes(ir_luma, luma)
        else:
            rgb = self._fuse_planes(ir_luma, rgb.expand(-1, 3, -1, -1))
            fused = luma = _luma(rgb)
        if self.stretch:
            low, high = fused.amin(dim=(2, 3), keepdim=True), fused.amax(dim=(2, 3), keepdim=True)
            fused = (fused - low) / torch.where(high > low, high - low, 1)
        if self.color == "auto":
            if channels >= 3:
                fused = colors.recolor(rgb, luma, fused)
            if channels in (2, 4):
                fused = torch.cat([fused, unit[:, -1:]], dim=1)
        return _from_unit(fused, dtype).to(vis.device)

    def _thermal_luma(self, image: Tensor) -> Tensor:
        """The luma of one infrared image, (1, C, H, W) to (1, 1, H, W) in [0, 1]."""
        image = image.to(self.device)
        if not isinstance(self.thermal, Levels) and image.dtype != torch.uint16:
            return _luma(_to_unit(image, "infrared"))
        counts = _luma(image.to(torch.float32))
        scale = self.thermal if isinstance(self.thermal, Levels) else self.thermal.levels(counts.cpu().numpy())
        return scale.apply(counts)

    def _fuse_planes(self, ir: Tensor, vis: Tensor) -> Tensor:
        """Fuse (B, 1, H, W) and (B, C, H, W) tensors in [0, 1] of any size; C is what the method takes."""
        info = self.method.info
        height, width = ir.shape[2:]
        right = sizes.padded(width, info.multiple, info.minimum) - width
        below = sizes.padded(height, info.multiple, info.minimum) - height
        if right or below:
            ir, vis = (F.pad(image, (0, right, 0, below), mode="replicate") for image in (ir, vis))
        pixels = ir.shape[2] * ir.shape[3]
        fuse = self._fuse_tiles if info.tiling == "halo" and pixels > self.tile**2 else self._fuse_whole
        at_once = max(1, self.tile**2 // pixels)
        parts = [fuse(ir[i : i + at_once], vis[i : i + at_once]) for i in range(0, len(ir), at_once)]
        return torch.cat(parts)[..., :height, :width]

    def _fuse_whole(self, ir: Tensor, vis: Tensor) -> Tensor:
        if isinstance(self.method, IterativeMethod):
            return self.method.solve(ir, vis, self.on_iteration).fused
        return self._compute(ir, vis)

    def _compute(self, ir: Tensor, vis: Tensor, statistics: Tensor | None = None) -> Tensor:
        # Made when it is first needed: it can take a second, and a folder may hold nothing to do.
        if self._engine is None:
            self._engine = engines.make(self.choice, self.method, self._threads)
        return self._engine(ir, vis, statistics)

    def _fuse_tiles(self, ir: Tensor, vis: Tensor) -> Tensor:
        """Fuse in tiles that agree with the whole: each sees all that its pixels depend on."""
        info = self.method.info
        tiles = list(sizes.tiles(ir.shape[2], ir.shape[3], self.tile, info.halo, info.multiple))
        statistics = None
        if self.method.needs_statistics:
            statistics = self.method.merge([self.method.measure(*_outer(tile, ir, vis), tile.core) for tile in tiles])
        fused = torch.empty_like(vis)
        for tile in tiles:
            part = self._compute(*_outer(tile, ir, vis), statistics)
            fused[..., tile.rows, tile.columns] = part[(..., *tile.core)]
        return fused


@dataclass(frozen=True)
class _Pair:
    """A pair, or a batch of them, as (B, C, H, W) tensors in their native dtype, and the way back to what was given.

    Attributes:
        ir, vis: the sources.
        is_tensor, dimensions: of the visible image as it was given.
    """

    ir: Tensor
    vis: Tensor
    is_tensor: bool
    dimensions: int

    @classmethod
    def of(cls, ir: NDArray[Any] | Tensor, vis: NDArray[Any] | Tensor) -> "_Pair":
        pair = cls(_planes(ir, "infrared"), _planes(vis, "visible"), isinstance(vis, Tensor), vis.ndim)
        sizes.check_equal(pair.ir.shape[2:], pair.vis.shape[2:])
        if len(pair.ir) != len(pair.vis):
            raise PairError(f"the batches differ: {len(pair.ir)} infrared and {len(pair.vis)} visible images")
        if _in_color(pair.ir) and not _in_color(pair.vis):
            warnings.warn(
                "the infrared image is in colour and the visible one is not: are they swapped?",
                SuspiciousPairWarning,
                stacklevel=2,
            )
        return pair

    def is_like(self, other: "_Pair") -> bool:
        return all(
            (a.shape[1:], a.dtype, a.device) == (b.shape[1:], b.dtype, b.device)
            for a, b in ((self.ir, other.ir), (self.vis, other.vis))
        )

    def restore(self, fused: Tensor) -> Any:
        """The fused (B, C, H, W) as what the visible image was; C is the visible's, or 1."""
        if self.is_tensor:
            return fused if self.dimensions == 4 else fused[0] if self.dimensions == 3 else fused[0, 0]
        if self.dimensions == 4:
            return fused.movedim(1, 3).contiguous().numpy()
        if self.dimensions == 2 or fused.shape[1] < self.vis.shape[1]:
            return fused[0, 0].numpy()
        return fused[0].movedim(0, 2).contiguous().numpy()


def _planes(image: NDArray[Any] | Tensor, name: str) -> Tensor:
    """An image, whose shape, dtype and values are checked, as (B, C, H, W)."""
    if not isinstance(image, np.ndarray | Tensor):
        raise ImageError(f"{name}: an array or a tensor is needed, not {type(image).__name__}")
    levels.full_scale(_dtype_name(image), name)
    shape, axis, form = tuple(image.shape), -1, "(H, W), (H, W, C) or (B, H, W, C)"
    if isinstance(image, Tensor):
        axis, form = -3, "(H, W), (C, H, W) or (B, C, H, W)"
    if len(shape) not in (2, 3, 4) or (len(shape) > 2 and shape[axis] not in (1, 2, 3, 4)):
        raise ImageError(f"{name}: the shape {shape} is not {form} with C from 1 to 4")
    if 0 in shape:
        raise ImageError(f"{name}: the image is empty, its shape is {shape}")
    if isinstance(image, Tensor):
        planes = image[None] if image.ndim < 4 else image
    else:
        # PyTorch takes neither foreign byte orders nor, without a warning, read-only memory.
        planes = torch.from_numpy(np.require(image, image.dtype.newbyteorder("="), ["C", "W"]))
        planes = planes[None] if image.ndim < 4 else planes
        planes = planes.movedim(3, 1) if image.ndim > 2 else planes
    planes = planes[None] if image.ndim == 2 else planes
    # One NaN or infinite value makes the sum so, which takes a small part of the time of looking at each. But a sum can
    # also overflow: that of a bright image in float16 does.
    if planes.is_floating_point() and not planes.sum().isfinite():
        bad = planes.numel() - int(planes.isfinite().sum())
        if bad:
            raise ImageError(f"{name}: {bad} values are NaN or infinite")
    return planes


def _in_color(planes: Tensor) -> bool:
    return planes.shape[1] >= 3 and not bool(
        (planes[:, 0] == planes[:, 1]).all() and (planes[:, 0] == planes[:, 2]).all()
    )


def _luma(planes: Tensor) -> Tensor:
    return colors.luma(planes[:, 0:1], planes[:, 1:2], planes[:, 2:3]) if planes.shape[1] >= 3 else planes[:, :1]


def _to_unit(image: Tensor, name: str) -> Tensor:
    unit = image.to(torch.float32)
    if not image.is_floating_point():
        return unit.div_(levels.full_scale(_dtype_name(image), name))
    low, high = torch.aminmax(unit)
    levels.check_range(low.item(), high.item(), name)
    return unit.clamp(0, 1)


def _from_unit(unit: Tensor, dtype: torch.dtype) -> Tensor:
    if dtype.is_floating_point:
        return unit.to(dtype)
    return unit.mul(levels.full_scale(str(dtype).removeprefix("torch."), "visible")).round_().to(dtype)


def _dtype_name(image: NDArray[Any] | Tensor) -> str:
    return str(image.dtype).removeprefix("torch.") if isinstance(image, Tensor) else image.dtype.name


def _outer(tile: sizes.Tile, ir: Tensor, vis: Tensor) -> tuple[Tensor, Tensor]:
    where = (..., tile.outer_rows, tile.outer_columns)
    return ir[where], vis[where]


def _runs(pairs: Iterable[_Pair], most: int) -> Iterator[list[_Pair]]:
    """Runs of at most `most` neighbours that are alike; none waits for a pair that it does not need."""
    run: list[_Pair] = []
    try:
        for pair in pairs:
            if run and not pair.is_like(run[0]):
                yield run
                run = []
            run.append(pair)
            if len(run) == most:
                yield run
                run = []
    except IrfuseError:
        if run:
            yield run
        raise
    if run:
        yield run
