"""The runtime: runs exported model files with ONNX Runtime on NumPy arrays, without PyTorch.

Color, 16 bits and thermal levels are handled as in :class:`irfuse.Fuser`. The file pads to its own size rule, and says
how to cut large images into tiles.
"""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from irfuse.choices import check_choice
from irfuse.errors import ExportError, MissingDependencyError
from irfuse.imaging import checks, planes, sizes, tiling
from irfuse.imaging.color import Color
from irfuse.imaging.levels import DEFAULT_THERMAL, Levels, Percentiles
from irfuse.imaging.planes import Array
from irfuse.installation import install
from irfuse.registration.alignment import Aligner
from irfuse.registration.calibration import Calibration
from irfuse.registration.each import aligner

METADATA_KEY = "irfuse"
"""The key of the metadata in a file, which are JSON."""

Float32 = NDArray[np.float32]
"""(B, C, H, W) in [0, 1]."""


class Graph:
    """The network of an exported file.

    Args:
        model: the file, or its content.
        name: what an error calls it; by default the file's name.

    Attributes:
        metadata: the file's description of itself: its method, weights, license and inputs.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        ExportError: the file is not a model, or not one that irfuse exported.
    """

    def __init__(self, model: Path | bytes, *, name: str = "") -> None:
        self._name = name = name or str(model if isinstance(model, Path) else "the model")
        self._session = session(model, name)
        try:
            self.metadata: dict[str, Any] = json.loads(
                self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY, "")
            )
        except json.JSONDecodeError:
            raise ExportError(
                f"{name}: not a model that irfuse exported; make one with irfuse export METHOD -o FILE"
            ) from None

    def __call__(self, ir: Float32, vis: Float32) -> Float32:
        """Fuse (B, 1, H, W) and (B, C, H, W) to (B, C, H, W).

        Raises:
            ExportError: ONNX Runtime cannot compute it, for example for lack of memory.
        """
        return compute(self._session, ir, vis, self._name)


class Model:
    """Fuses pairs of arrays with an exported model file, as :class:`irfuse.Fuser` does with a method.

    Several threads may call one Model at once.

    Args:
        path: the file.
        color, stretch, thermal, tile, registration: as :class:`irfuse.Fuser` takes them.

    Attributes:
        metadata: the file's description of itself.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        ExportError: the file cannot be read, is not a model, or is not one that irfuse exported.
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
        registration: Aligner | Calibration | Literal["auto"] | None = None,
    ) -> None:
        check_choice("color", color, Color)
        sizes.check_tile(tile)
        self._graph = Graph(Path(path))
        self.metadata = self._graph.metadata
        self._color, self._stretch, self._thermal, self._tile = color, stretch, thermal, tile
        self._registration = aligner(registration)

    def __call__(self, ir: Array, vis: Array) -> Array:
        """Fuse one pair, or a batch of pairs of one size.

        Args:
            ir, vis: (H, W), (H, W, C) or, as a batch, (B, H, W, C), C from 1 to 4.

        Returns:
            An array of the size, channels and dtype of `vis`, or its luma if `color` is ``gray``.

        Raises:
            ImageError: an image is empty or has a wrong shape or dtype, a visible image holds NaN, infinite or
                out-of-range values, or an infrared image holds nothing else.
            PairError: the sizes differ, or the pair cannot be registered.
            ExportError: ONNX Runtime cannot compute it, for example for lack of memory.
        """
        ir_planes, vis_planes = planes.from_array(ir, "infrared"), planes.from_array(vis, "visible")
        if self._registration is None:
            checks.check_pair(ir_planes, vis_planes)
        else:
            checks.check_unregistered(ir_planes, vis_planes)
            ir_planes, vis_planes = self._registration(ir_planes, vis_planes)
        prepared = planes.prepare(ir_planes, vis_planes, self._thermal, self.metadata["vis_channels"])
        fused = self._fuse(prepared.ir, prepared.vis)
        return vis_planes.restore(prepared.finish(fused, self._color, stretch=self._stretch))

    def _fuse(self, ir: Float32, vis: Float32) -> Float32:
        """Fuse (B, 1, H, W) and (B, C, H, W) in [0, 1], in tiles where the image is large and the method has them."""
        facts = self.metadata
        height, width = ir.shape[2:]
        if facts["tiling"] != "halo" or height * width <= self._tile**2:
            return self._graph(ir, vis)
        # Tiles lie on whole multiples, so the image is continued to one, as the file itself would do.
        below, right = (sizes.padded(side, facts["multiple"], 1) - side for side in (height, width))
        ir, vis = tiling.pad(ir, below, right), tiling.pad(vis, below, right)
        tiles = list(sizes.tiles(height + below, width + right, self._tile, facts["halo"], facts["multiple"]))
        return tiling.assemble(tiles, ir, vis, self._graph)[..., :height, :width]


def session(model: Path | bytes, name: str, threads: int = 0) -> Any:
    """Open an ONNX Runtime session on the CPU.

    Args:
        model: the file, or its content.
        name: what an error calls it.
        threads: the number of threads; 0 leaves the choice to ONNX Runtime.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        ExportError: the file does not exist, or is not a model.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(f"ONNX Runtime does not load ({error}): {install('onnx')}") from None
    if isinstance(model, Path) and not model.is_file():
        found = "not a file" if model.exists() else "no such file"
        raise ExportError(f"{name}: {found}; make one with irfuse export METHOD -o FILE")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Spinning threads would keep the cores busy that decode the next pair of a folder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Errors are raised as exceptions; the log would repeat them on the terminal.
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            str(model) if isinstance(model, Path) else model, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # ONNX Runtime has no exception class of its own.
        reason = str(error).splitlines()[0].rpartition(" : ")[2]
        raise ExportError(
            f"{name}: ONNX Runtime cannot read it ({reason}); make one with irfuse export METHOD -o FILE"
        ) from None


def compute(session: Any, ir: Float32, vis: Float32, name: str) -> Float32:
    """Run a session on (B, 1, H, W) and (B, C, H, W), and return (B, C, H, W).

    Args:
        session: see :func:`session`.
        ir, vis: the planes in [0, 1].
        name: what an error calls the model.

    Raises:
        ExportError: ONNX Runtime cannot compute it, for example for lack of memory.
    """
    try:
        fused: Float32 = session.run(None, {"ir": np.ascontiguousarray(ir), "vis": np.ascontiguousarray(vis)})[0]
    except Exception as error:
        # ONNX Runtime has no exception class of its own.
        raise ExportError(f"{name}: ONNX Runtime cannot compute it: {str(error).splitlines()[0]}") from None
    return fused
