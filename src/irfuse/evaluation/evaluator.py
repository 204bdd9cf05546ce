"""The evaluator: scores of one fused image by the metrics of one protocol.

Images are checked, rounded to 8 bits, reduced to their luma or split into R, G and B, and scored in float64.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from irfuse import notices
from irfuse.choices import hint
from irfuse.device import resolve
from irfuse.errors import ImageError, ParameterError, UndefinedScoreWarning
from irfuse.evaluation import inputs
from irfuse.evaluation.inputs import Unit
from irfuse.imaging import checks, sizes
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.io.tables import ARROWS, Column
from irfuse.metrics import METRICS, Direction, MetricInfo
from irfuse.metrics.no_reference import PREFIX, load, score
from irfuse.metrics.protocols import find
from irfuse.metrics.protocols.base import Reading
from irfuse.ops.sharing import Memory, sharing


class Evaluator:
    """Scores fused images by metrics as one protocol computes them.

    Arrays are (H, W) or (H, W, C), tensors (H, W) or (C, H, W), with C from 1 to 4, in ``uint8``, ``uint16`` or floats
    in [0, 1]. Alpha is ignored, and values are rounded to 8 bits.

    Args:
        metrics: names of metrics, and of no-reference metrics as ``pyiqa:NAME``; None means all of the protocol.
        protocol: the protocol's name.
        device: where the metrics are computed: ``cpu``, ``cuda``, ``auto`` and so on.
        thermal: how infrared values become [0, 1], as :class:`irfuse.Fuser` takes it. None means the full range of the
            dtype, which is wrong for raw thermal counts.

    Raises:
        ParameterError: there is no such protocol, or it does not define a metric.
        MissingDependencyError: a no-reference metric is requested and pyiqa is not installed.
        DeviceError: this machine does not have the device.

    >>> image = np.arange(4096).reshape(64, 64) // 16
    >>> Evaluator(["en", "mi"], "li")(*[image.astype(np.uint8)] * 3)
    {'en': 8.0, 'mi': 16.0}
    """

    def __init__(
        self,
        metrics: Sequence[str] | None = None,
        protocol: str = "canonical",
        *,
        device: str = "cpu",
        thermal: Levels | Percentiles | None = None,
    ) -> None:
        if isinstance(metrics, str):
            raise ParameterError(f"metrics: a list of names is needed, such as [{metrics!r}]")
        self.protocol = find(protocol)
        self.metrics = list(self.protocol.readings) if metrics is None else list(dict.fromkeys(metrics))
        self.device = resolve(device)
        self.thermal = thermal
        if not self.metrics:
            raise ParameterError("no metric is named")
        for name in self.metrics:
            if name.startswith(PREFIX):
                load(name, self.device)
            else:
                self._check(name)

    def __call__(
        self, fused: NDArray[Any] | Tensor, ir: NDArray[Any] | Tensor, vis: NDArray[Any] | Tensor
    ) -> dict[str, float]:
        """Score one fused image; see :meth:`Sources.score`."""
        return self.sources(ir, vis).score(fused)

    def sources(self, ir: NDArray[Any] | Tensor, vis: NDArray[Any] | Tensor) -> "Sources":
        """Prepare the sources of one pair, to score many fused images.

        Raises:
            ImageError: an image cannot be scored: it is empty, holds NaN, has a wrong shape, or is smaller than a
                metric's window.
            PairError: the sizes differ.

        Warns:
            SuspiciousPairWarning: something looks wrong, see :mod:`irfuse.imaging.inspection`.
        """
        infrared, visible = inputs.read(ir, "infrared"), inputs.read(vis, "visible")
        sources = Sources(self, inputs.unit(infrared, self.thermal), inputs.unit(visible))
        # Two images are compared by giving one as both sources.
        if not np.array_equal(infrared.values, visible.values):
            checks.check_pair(infrared, visible)
        return sources

    def _check(self, name: str) -> None:
        if name not in self.protocol.readings:
            if _info(name):
                what = f"{name!r} is not defined by the protocol {self.protocol.name}"
            else:
                what = f"unknown metric {name!r}{hint(name, self.protocol.readings)}"
            raise ParameterError(f"{what} (metrics: {', '.join(self.protocol.readings)})")

    def check_side(self, side: int) -> None:
        """Refuse images whose smaller side is too small for a metric.

        Raises:
            ImageError: the error names the metrics and what they need.
        """
        small = {name: minimum for name in self.metrics if (minimum := self._minimum(name)) > side}
        if small:
            needs = ", ".join(f"{name} needs {minimum}x{minimum}" for name, minimum in small.items())
            raise ImageError(f"the smaller side has {side} pixels, and {needs}: name the metrics to compute")

    def _minimum(self, name: str) -> int:
        """Return the smallest side that a metric takes."""
        info = _info(name)
        return 1 if info is None else self.protocol.readings[name].minimum or info.minimum


class Sources:
    """The sources of one pair. What depends only on them is computed once for all fused images."""

    def __init__(self, evaluator: Evaluator, ir: Unit, vis: Unit) -> None:
        sizes.check_equal(ir.shape[1:], vis.shape[1:])
        evaluator.check_side(min(ir.shape[1:]))
        self._evaluator = evaluator
        self._ir, self._vis = ir, vis
        # Their planes, and the memory of what depends on them, in gray and in color.
        self._known: dict[bool, tuple[Tensor, Tensor, Memory]] = {}

    def score(self, fused: NDArray[Any] | Tensor) -> dict[str, float]:
        """Score one fused image.

        Returns:
            The scores by the metrics' names, in their order. An undefined score is NaN, with one warning for all.

        Raises:
            ImageError: the image cannot be scored: it is empty, holds NaN, or has a wrong shape.
            PairError: its size is not that of the sources.

        Warns:
            UndefinedScoreWarning: the warning names the scores and the cause.
        """
        unit = inputs.unit(inputs.read(fused, "fused"))
        sizes.check_equal(self._ir.shape[1:], unit.shape[1:], roles=("infrared", "fused"))
        protocol, device = self._evaluator.protocol, self._evaluator.device
        color = protocol.color == "rgb" and any(len(image) == 3 for image in (unit, self._ir, self._vis))
        if color not in self._known:
            planes = _planes(self._ir, color, device), _planes(self._vis, color, device)
            self._known[color] = (*planes, Memory(*planes))
        ir, vis, memory = self._known[color]
        images = _planes(unit, color, device), ir, vis
        scores = {}
        try:
            with torch.no_grad(), sharing(memory):
                for name in self._evaluator.metrics:
                    if name.startswith(PREFIX):
                        scores[name] = score(name, unit, device)
                    else:
                        scores[name] = _score(protocol.readings[name], *images)
        finally:
            memory.forget()
        undefined = tuple(name for name, value in scores.items() if value != value)
        if undefined:
            cause = _cause(*images)
            message = f"{', '.join(undefined)}: undefined: {cause}"
            notices.warn(UndefinedScoreWarning(message, undefined, cause))
        return scores


def direction(metric: str) -> Direction:
    """Say which values of a metric are better.

    >>> direction("qabf"), direction("nabf"), direction("qsf")
    ('higher', 'lower', 'zero')
    """
    if metric.startswith(PREFIX):
        return "lower" if getattr(load(metric, torch.device("cpu")), "lower_better", False) else "higher"
    return next(info.direction for info in METRICS if info.name == metric)


def column(metric: str) -> Column:
    """Describe a metric as the column of a table.

    >>> column("qabf")
    Column(name='qabf', symbol='Q^AB/F', arrow='↑')
    """
    symbol = next((info.symbol for info in METRICS if info.name == metric), metric)
    return Column(metric, symbol, ARROWS[direction(metric)])


def _score(reading: Reading, fused: Tensor, ir: Tensor, vis: Tensor) -> float:
    if reading.planes == "together":
        fused, ir, vis = (image.transpose(0, 1) for image in (fused, ir, vis))
    return float(reading.function(fused, ir, vis).mean())


def _planes(unit: Unit, color: bool, device: torch.device) -> Tensor:
    """Return a batch of gray planes, levels over 255: the luma, or R, G and B."""
    unit = np.broadcast_to(unit, (3, *unit.shape[1:])) if color else inputs.gray(unit)
    return torch.from_numpy(unit[:, None].copy()).to(device)


def _info(name: str) -> MetricInfo | None:
    return next((info for info in METRICS if info.name == name), None)


def _cause(*planes: Tensor) -> str:
    """Say why a score of these images may be undefined."""
    named = list(zip(("fused", "infrared", "visible"), planes, strict=True))
    constant = [name for name, plane in named if (plane.amax(dim=(1, 2, 3)) == plane.amin(dim=(1, 2, 3))).any()]
    if constant:
        return f"the {' and the '.join(constant)} image {'is' if len(constant) == 1 else 'are'} constant"
    differences = [name for name, source in named[1:] if ((planes[0] - source).std(dim=(1, 2, 3)) < 1e-9).any()]
    if differences:
        return f"the fused image equals the {' and the '.join(differences)} image up to a constant"
    return "zero over zero somewhere in these images"
