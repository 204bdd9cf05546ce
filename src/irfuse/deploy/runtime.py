"""An exported model file, run by ONNX Runtime on NumPy arrays: no PyTorch is needed, nor loaded.

Colour, 16 bits and thermal levels are handled as :class:`irfuse.Fuser` handles them; the file itself pads to its size
rule, and says how large images are cut into tiles.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irfuse.choices import check_choice
from irfuse.errors import ExportError, ImageError, MissingDependencyError, SuspiciousPairWarning
from irfuse.imaging import color as colors
from irfuse.imaging import levels, sizes
from irfuse.imaging.color import Color
from irfuse.imaging.levels import DEFAULT_THERMAL, Levels, Percentiles
from irfuse.io.images import Array

METADATA_KEY = "irfuse"
"""Under which a file holds, as JSON, what it says of itself."""

Planes = NDArray[np.float32]
"""(B, C, H, W) in [0, 1]."""


class Graph:
    """The bare network of an exported file.

    Args:
        model: the file, or its content.
        name: what an error calls it; empty is the file's own name.

    Attributes:
        metadata: what the file says of itself: its method, weights, licence, and how it is fed.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        ExportError: the file is no model, or none that irfuse exported.
    """

    def __init__(self, model: Path | bytes, *, name: str = "") -> None:
        self._name = name = name or str(model if isinstance(model, Path) else "the model")
        self._session = session(model, name)
        try:
            self.metadata: dict[str, Any] = json.loads(
                self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY, "")
            )
        except json.JSONDecodeError:
            raise ExportError(f"{name}: not a model of irfuse; make one with irfuse export METHOD -o FILE") from None

    def __call__(self, ir: Planes, vis: Planes) -> Planes:
        """Fuse (B, 1, H, W) and (B, C, H, W) to (B, C, H, W).

        Raises:
            ExportError: ONNX Runtime cannot compute it, for lack of memory say.
        """
        try:
            fused: Planes = self._session.run(None, {"ir": ir, "vis": vis})[0]
        except Exception as error:
            # It has no class of its own for what it raises.
            raise ExportError(f"{self._name}: ONNX Runtime cannot compute it: {str(error).splitlines()[0]}") from None
        return fused


class Model:
    """Fuses pairs of arrays with an exported model file, as :class:`irfuse.Fuser` does with a method.

    Args:
        path: the file.
        color, stretch, thermal, tile: as :class:`irfuse.Fuser` takes them.

    Attributes:
        metadata: what the file says of itself.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        ExportError: the file cannot be read, is no model, or is none that irfuse exported.
        ParameterError: an argument is impossible.

    >>> Model("fuse.onnx")(ir, vis).shape  # doctest: +SKIP
    (480, 640, 3)
    """

    def __init__(
        self,
        path: str | Path,
        *,
        color: Color = "auto",
        stretch: bool = False,
        thermal: Levels | Percentiles = DEFAULT_THERMAL,
        tile: int = 1024,
    ) -> None:
        check_choice("color", color, Color)
        sizes.check_tile(tile)
        self._graph = Graph(Path(path))
        self.metadata = self._graph.metadata
        self._color, self._stretch, self._thermal, self._tile = color, stretch, thermal, tile

    def __call__(self, ir: Array, vis: Array) -> Array:
        """Fuse one pair of arrays, (H, W) or (H, W, C), C from 1 to 4; the result has the shape and dtype of `vis`.

        Raises:
            ImageError: an image is empty, has a wrong shape or dtype, or holds NaN, infinite or out-of-range values.
            PairError: the sizes differ.
        """
        _check_pair(ir, vis)
        unit = _to_unit(_with_channels(vis), "visible")
        channels = unit.shape[2]
        rgb = unit[..., : 3 if channels >= 3 else 1]
        if self.metadata["vis_channels"] == 1:
            fused = self._fuse(self._thermal_luma(ir), _luma(rgb))
        else:
            rgb = self._fuse(self._thermal_luma(ir), np.broadcast_to(rgb, (*rgb.shape[:2], 3)))
            fused = _luma(rgb)
        if self._stretch:
            low, high = fused.min(), fused.max()
            fused = (fused - low) / (high - low if high > low else 1)
        if self._color == "auto":
            if channels >= 3:
                fused = colors.recolor(rgb, _luma(rgb), fused)
            if channels in (2, 4):
                fused = np.concatenate([fused, unit[..., -1:]], axis=2)
        result = _from_unit(fused, vis.dtype.newbyteorder("="))
        return result[..., 0] if vis.ndim == 2 or result.shape[2] < channels else result

    def _thermal_luma(self, image: Array) -> Planes:
        """The luma of an infrared image in its native values, (H, W, 1) in [0, 1]."""
        image = _with_channels(image)
        if not isinstance(self._thermal, Levels) and image.dtype != np.uint16:
            return _luma(_to_unit(image, "infrared"))
        counts = _luma(image.astype(np.float32))
        scale = self._thermal if isinstance(self._thermal, Levels) else self._thermal.levels(counts)
        return scale.apply(counts)

    def _fuse(self, ir: Planes, vis: Planes) -> Planes:
        """Fuse (H, W, 1) and (H, W, C) in [0, 1], in tiles where the image is large and the method has them."""
        facts = self.metadata
        height, width = ir.shape[:2]
        if facts["tiling"] != "halo" or height * width <= self._tile**2:
            return self._run(ir, vis)
        # Tiles lie on whole multiples, so the image is continued to one as the file itself would.
        below, right = (sizes.padded(side, facts["multiple"], 1) - side for side in (height, width))
        ir, vis = (np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge") for image in (ir, vis))
        fused = np.empty_like(vis)
        for tile in sizes.tiles(height + below, width + right, self._tile, facts["halo"], facts["multiple"]):
            outer = tile.outer_rows, tile.outer_columns
            fused[tile.rows, tile.columns] = self._run(ir[outer], vis[outer])[tile.core]
        return fused[:height, :width]

    def _run(self, ir: Planes, vis: Planes) -> Planes:
        fused = self._graph(*[np.ascontiguousarray(image.transpose(2, 0, 1)[None]) for image in (ir, vis)])
        planes: Planes = fused[0].transpose(1, 2, 0)
        return planes


def session(model: Path | bytes, name: str, threads: int = 0) -> Any:
    """An ONNX Runtime session on the CPU.

    Args:
        model: the file, or its content.
        name: what an error calls it.
        threads: how many to compute with; 0 is ONNX Runtime's own choice.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        ExportError: the file is not there, or no model.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(f'ONNX Runtime does not load ({error}): pip install "irfuse[onnx]"') from None
    if isinstance(model, Path) and not model.is_file():
        found = "not a file" if model.exists() else "no such file"
        raise ExportError(f"{name}: {found}; make one with irfuse export METHOD -o FILE")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # In a folder the cores that its threads would keep awake are those that decode the next pair.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Errors come as exceptions; its log would repeat them on the terminal.
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            str(model) if isinstance(model, Path) else model, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # It has no class of its own for what it raises.
        reason = str(error).splitlines()[0].rpartition(" : ")[2]
        raise ExportError(
            f"{name}: ONNX Runtime cannot read it ({reason}); make one with irfuse export METHOD -o FILE"
        ) from None


def _check_pair(ir: Array, vis: Array) -> None:
    for image, name in ((ir, "infrared"), (vis, "visible")):
        if not isinstance(image, np.ndarray):
            raise ImageError(f"{name}: an array is needed, not {type(image).__name__}")
        levels.full_scale(image.dtype.name, name)
        if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 2, 3, 4)):
            raise ImageError(f"{name}: the shape {image.shape} is not (H, W) or (H, W, C) with C from 1 to 4")
        if 0 in image.shape:
            raise ImageError(f"{name}: the image is empty, its shape is {image.shape}")
        if image.dtype.kind == "f" and not np.isfinite(image).all():
            raise ImageError(f"{name}: {np.count_nonzero(~np.isfinite(image))} values are NaN or infinite")
    sizes.check_equal(ir.shape[:2], vis.shape[:2])
    if _in_color(ir) and not _in_color(vis):
        warnings.warn(
            "the infrared image is in colour and the visible one is not: are they swapped?",
            SuspiciousPairWarning,
            stacklevel=3,
        )


def _in_color(image: Array) -> bool:
    return image.ndim == 3 and image.shape[2] >= 3 and bool((image[..., :1] != image[..., 1:3]).any())


def _with_channels(image: Array) -> Array:
    return image[..., None] if image.ndim == 2 else image


def _luma(image: Planes) -> Planes:
    if image.shape[2] < 3:
        return image[..., :1]
    return colors.luma(image[..., 0:1], image[..., 1:2], image[..., 2:3])


def _to_unit(image: Array, name: str) -> Planes:
    unit: Planes = image.astype(np.float32) / np.float32(levels.full_scale(image.dtype.name, name))
    if image.dtype.kind == "f":
        levels.check_range(float(unit.min()), float(unit.max()), name)
        unit = unit.clip(0, 1)
    return unit


def _from_unit(unit: Planes, dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "f":
        return unit.astype(dtype)
    return (unit * np.float32(levels.full_scale(dtype.name, "visible"))).round().astype(dtype)
