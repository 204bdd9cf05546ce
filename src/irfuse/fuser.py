"""The Fuser: everything between a pair of images and a method's tensors: levels, color, sizes, tiles and batches."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

import torch
from numpy.typing import NDArray
from torch import Tensor

from irfuse import engines, notices
from irfuse.choices import check_choice
from irfuse.device import resolve, warn_of_tf32
from irfuse.engines.base import TENSOR_ENGINES, Engine
from irfuse.engines.choose import EngineChoice, PrecisionChoice, choose
from irfuse.errors import (
    ImageError,
    IrfuseError,
    MethodError,
    PairError,
    ParameterError,
    SuspiciousPairWarning,
    is_out_of_memory,
    naming,
)
from irfuse.imaging import checks, planes, sizes, tiling
from irfuse.imaging.arrays import join, not_finite
from irfuse.imaging.color import Color
from irfuse.imaging.levels import DEFAULT_THERMAL, Levels, Percentiles
from irfuse.imaging.planes import Planes, Prepared
from irfuse.io import images
from irfuse.io.images import Source
from irfuse.methods import METHODS, build
from irfuse.methods.base import IterativeMethod, Method, check_info
from irfuse.progress import Progress, silent
from irfuse.registration.alignment import Aligner
from irfuse.registration.calibration import Calibration
from irfuse.registration.each import aligner

_AT_ONCE = 1024
"""The square root of the pixels of a batch that are fused at once, unless `tile` says otherwise."""

Image = TypeVar("Image", NDArray[Any], Tensor)


class Fuser:
    """Fuses pairs of images with one method.

    Images are paths of files, arrays or tensors. Of a radiometric JPEG, the infrared image is its temperatures or
    counts, and the visible image its photograph; :func:`irfuse.io.images.read` also reads its picture.

    Arrays are (H, W), (H, W, C) or, as a batch, (B, H, W, C). Tensors are (H, W), (C, H, W) or (B, C, H, W). C is 1 for
    gray, 2 for gray with alpha, 3 for RGB and 4 for RGB with alpha.
    Values are ``uint8``, ``uint16`` or floats in [0, 1]. Infrared values may also be ``int16``, ``int32`` or floats of
    any range, such as temperatures. Infrared pixels without a measurement, such as NaN and fill values, are left out of
    the levels, and the result shows only the visible image there; see :mod:`irfuse.imaging.inspection`.

    The result has the visible image's size, channels and dtype, and a copy of its alpha. It is a tensor if the visible
    image is one, and otherwise an array.

    Several threads may call one Fuser at once.

    Args:
        method: a method, or the spec of one. A method is moved to the device and set to evaluation mode.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1`` and so on.
        engine: what computes the method: ``torch``, ``compile``, ``onnx`` or ``openvino``. ``auto`` is the fastest that
            is installed and keeps 50 dB against ``torch`` in ``fp32``; for a method given as an object it is ``torch``
            in ``fp32``. For a paper's numbers use ``engine="torch", precision="fp32"``. ``onnx`` and ``openvino`` use
            as many threads as PyTorch has when the Fuser is made.
        precision: ``fp32``, ``fp16`` or ``bf16``; ``auto`` chooses it together with the engine.
        color: ``auto`` keeps the chroma of a color visible image, ``gray`` returns only the fused luma.
        stretch: whether to stretch each fused luma to the whole of [0, 1].
        thermal: how infrared values become [0, 1]. `Levels` apply to every dtype. `Percentiles` do not apply to
            ``uint8`` and to floating-point images in [0, 1], which are then used as they are.
        tile: images of more than tile x tile pixels are fused in tiles of at most that size, if the method allows it.
            By default the method says how large.
        registration: for cameras that see the scene differently. A calibration, see :func:`irfuse.register`, warps
            infrared images to the visible ones. ``auto`` registers each pair. For more choices, give an
            :class:`irfuse.registration.alignment.Alignment` or :class:`irfuse.registration.each.EachPair`. By default
            the images of a pair must have one size and show the same scene pixel by pixel.
        pixels: the number of pixels that will be fused in all, if it is known. For one or two small images, ``auto``
            chooses an engine that is ready at once.
        on_iteration: called after each step of a method that optimizes each pair.
        on_fetch: called with the progress, in megabytes, while weights of a backbone are downloaded.

    Attributes:
        choice: the engine, the precision, and the reason for both.

    Raises:
        ParameterError: an argument is impossible.
        SpecError: the method's spec is wrong.
        WeightsError: the weights cannot be found or fetched.
        DeviceError: the device does not exist, or does not run that engine or precision.
        MissingDependencyError: the requested engine is not installed.

    Warns:
        PrecisionWarning: the GPU rounds float32 to TF32, see :func:`irfuse.device.warn_of_tf32`.

    >>> import numpy as np
    >>> ir = np.arange(3072, dtype=np.uint8).reshape(48, 64)
    >>> vis = np.full((48, 64, 3), (200, 100, 50), np.uint8)
    >>> fused = Fuser("average")(ir, vis)
    >>> fused.shape, fused.dtype
    ((48, 64, 3), dtype('uint8'))
    """

    def __init__(
        self,
        method: str | Method = "ember",
        *,
        device: str = "auto",
        engine: EngineChoice = "auto",
        precision: PrecisionChoice = "auto",
        color: Color = "auto",
        stretch: bool = False,
        thermal: Levels | Percentiles = DEFAULT_THERMAL,
        tile: int | None = None,
        registration: Aligner | Calibration | Literal["auto"] | None = None,
        pixels: int | None = None,
        on_iteration: Progress = silent,
        on_fetch: Progress = silent,
    ) -> None:
        check_choice("color", color, Color)
        if tile is not None:
            sizes.check_tile(tile)
        if not isinstance(method, str | Method):
            raise ParameterError(f"method cannot be {method!r}; give a spec or a method")
        if isinstance(method, Method):
            check_info(method)
        # The device comes first: nothing should be fetched for one that does not exist.
        self.device = resolve(device)
        built = build(method, on_fetch=on_fetch) if isinstance(method, str) else method
        # With the channels last, convolutions on a CPU take two thirds of the time.
        self.method = built.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        spec = method if isinstance(method, str) else None
        self.choice = choose(self.method, spec, self.device, engine, precision, pixels)
        if self.choice.precision == "fp32":
            warn_of_tf32(self.device)
        self._loses_bits = precision == "auto" and self.choice.precision != "fp32"
        self._engine: Engine | None = None
        self._making = threading.Lock()
        self._threads = torch.get_num_threads()
        self.color = color
        self.stretch = stretch
        self.thermal = thermal
        self.tile = self.method.info.tile if tile is None else tile
        self._at_once = (_AT_ONCE if tile is None else tile) ** 2
        self.registration = aligner(registration)
        self.on_iteration = on_iteration

    @overload
    def __call__(self, ir: str | Path, vis: str | Path) -> NDArray[Any]: ...
    @overload
    def __call__(self, ir: Image, vis: Image) -> Image: ...
    @overload
    def __call__(self, ir: Source, vis: Source) -> Any: ...
    def __call__(self, ir: Any, vis: Any) -> Any:
        """Fuse one pair, or a batch of pairs of one size.

        Raises:
            ImageError: an image is empty or has a wrong shape or dtype, a visible image holds NaN, infinite or
                out-of-range values, or an infrared image holds nothing else.
            PairError: the sizes differ, or are not those of the calibration.
            RegistrationError: a pair cannot be registered with confidence.
            MethodError: the method failed, or did not return an image.
            MissingDependencyError, ExportError: the engine cannot be made, or cannot compute.

        Warns:
            SuspiciousPairWarning: something looks wrong: the images seem to be swapped, the infrared image is constant
                or in false colors, outliers hold the levels, and so on.
            ImageFileWarning: see :func:`irfuse.io.images.read`.
        """
        return next(self.stream([(ir, vis)]))

    @overload
    def stream(self, pairs: Iterable[tuple[str | Path, str | Path]], *, batch: int = 1) -> Iterator[NDArray[Any]]: ...
    @overload
    def stream(self, pairs: Iterable[tuple[Image, Image]], *, batch: int = 1) -> Iterator[Image]: ...
    def stream(self, pairs: Iterable[tuple[Any, Any]], *, batch: int = 1) -> Iterator[Any]:
        """Fuse many pairs in their order.

        Args:
            pairs: as a call takes them.
            batch: how many neighbors of one size to fuse at once.

        Raises:
            ParameterError: `batch` is below 1.
            ImageError, PairError: as a call does, when the pair's turn comes.
        """
        if batch < 1:
            raise ParameterError(f"batch cannot be {batch}; it must be at least 1")
        for alike in _runs((self._prepare(ir, vis) for ir, vis in pairs), batch):
            # Not inference mode, whose tensors a caller could not use in training.
            with torch.no_grad():
                ir = join([pair.prepared.ir for pair in alike])
                fused = self._checked(ir, join([pair.prepared.vis for pair in alike]))
                ends: list[int] = list(accumulate(len(pair.prepared.vis) for pair in alike))
                parts = [fused[start:end] for start, end in pairwise([0, *ends])]
                results = [self._finish(pair, part) for pair, part in zip(alike, parts, strict=True)]
            yield from results

    def _prepare(self, ir: Source, vis: Source) -> "_Pair":
        loaded = images.load(ir), images.load(vis, "visible")
        with naming(images.files(ir, vis), ImageError, PairError):
            return self._prepare_images(*loaded)

    def _prepare_images(self, ir: Any, vis: Any) -> "_Pair":
        ir_native, vis_native = planes.read(ir, "infrared"), planes.read(vis, "visible")
        # Before the images go to a GPU, since this looks at them on the CPU.
        if self.registration is None:
            checks.check_pair(ir_native, vis_native)
        else:
            checks.check_unregistered(ir_native, vis_native)
            ir_native, vis_native = self.registration(ir_native, vis_native)
        ir_planes, vis_planes = self._place(ir_native), self._place(vis_native)
        if vis_planes.dtype == "uint16" and self._loses_bits:
            notices.warn(
                SuspiciousPairWarning(
                    f"the visible image has 16 bits, of which {self.choice.precision} keeps about 8: "
                    "for 16-bit visible images use precision fp32"
                )
            )
        with torch.no_grad():
            prepared = planes.prepare(ir_planes, vis_planes, self.thermal, self.method.vis_channels)
        return _Pair(vis, vis_planes, prepared)

    def _place(self, native: Planes[Any]) -> Planes[Any]:
        """Turn an image into what the engine takes: tensors on the device, or arrays."""
        if self.choice.engine not in TENSOR_ENGINES:
            return native.arrays()
        invalid, weight = (None if part is None else self._tensor(part) for part in (native.invalid, native.weight))
        return replace(native, values=self._tensor(native.values), invalid=invalid, weight=weight)

    def _tensor(self, values: NDArray[Any] | Tensor) -> Tensor:
        return (values if isinstance(values, Tensor) else torch.from_numpy(values)).to(self.device)

    def _finish(self, pair: "_Pair", fused: Any) -> Any:
        """Turn what the method made into what the visible image was."""
        native = pair.prepared.finish(fused, self.color, stretch=self.stretch)
        if isinstance(pair.vis, Tensor):
            tensor = native if isinstance(native, Tensor) else torch.from_numpy(native)
            return pair.planes.restore_tensor(tensor.to(pair.vis.device))
        return pair.planes.restore(native.cpu().numpy() if isinstance(native, Tensor) else native)

    def _checked(self, ir: Any, vis: Any) -> Any:
        """Fuse planes, and refuse what a method of the user's own may do wrong."""
        name = self.method.info.name
        try:
            fused = self._fuse_planes(ir, vis)
        except IrfuseError:
            raise
        except Exception as error:
            if type(self.method) in METHODS or is_out_of_memory(error):
                raise
            raise MethodError(" ".join(f"{name} failed: {type(error).__name__}: {error}".split())) from error
        if fused.shape != vis.shape:
            raise MethodError(f"{name} returned the shape {tuple(fused.shape)} instead of {tuple(vis.shape)}")
        bad = not_finite(fused)
        if bad:
            raise MethodError(f"{name} returned {bad} values that are NaN or infinite")
        return fused

    def _fuse_planes(self, ir: Any, vis: Any) -> Any:
        """Fuse (B, 1, H, W) and (B, C, H, W) in [0, 1] of any size; C is what the method takes."""
        info = self.method.info
        height, width = ir.shape[2:]
        below, right = (sizes.padded(side, info.multiple, info.minimum) - side for side in (height, width))
        ir, vis = tiling.pad(ir, below, right), tiling.pad(vis, below, right)
        pixels = ir.shape[2] * ir.shape[3]
        fuse = self._fuse_tiles if info.tiling == "halo" and pixels > self.tile**2 else self._fuse_whole
        at_once = max(1, self._at_once // pixels)
        parts = [fuse(ir[i : i + at_once], vis[i : i + at_once]) for i in range(0, len(ir), at_once)]
        return join(parts)[..., :height, :width]

    def _fuse_whole(self, ir: Any, vis: Any) -> Any:
        if isinstance(self.method, IterativeMethod):
            return self.method.solve(ir, vis, self.on_iteration).fused
        return self._compute(ir, vis)

    def _fuse_tiles(self, ir: Any, vis: Any) -> Any:
        """Fuse in tiles, each with everything that its pixels depend on, so that seams are exact."""
        info = self.method.info
        tiles = list(sizes.tiles(ir.shape[2], ir.shape[3], self.tile, info.halo, info.multiple))
        statistics = None
        if self.method.needs_statistics:
            parts = [self.method.measure(tiling.cut(tile, ir), tiling.cut(tile, vis), tile.core) for tile in tiles]
            statistics = self.method.merge(parts)
        return tiling.assemble(tiles, ir, vis, lambda ir, vis: self._compute(ir, vis, statistics))

    def _compute(self, ir: Any, vis: Any, statistics: Tensor | None = None) -> Any:
        # The engine is made when it is first needed: this can take a second, and a folder may have nothing to do.
        with self._making:
            if self._engine is None:
                self._engine = engines.make(self.choice, self.method, self._threads)
        return self._engine(ir, vis, statistics)


@dataclass(frozen=True)
class _Pair:
    """A pair on its way through the Fuser.

    Attributes:
        vis: the visible image as it was given.
        planes: its native values.
        prepared: the pair as the method takes it.
    """

    vis: Any
    planes: Planes[Any]
    prepared: Prepared[Any]

    def is_like(self, other: "_Pair") -> bool:
        """Whether both can be fused in one batch."""
        return bool(self.prepared.vis.shape[1:] == other.prepared.vis.shape[1:])


def _runs(pairs: Iterable[_Pair], most: int) -> Iterator[list[_Pair]]:
    """Group neighbors that are alike, at most `most` of them; no group waits for a pair that it does not need."""
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
    except Exception:
        if run:
            yield run
        raise
    if run:
        yield run
