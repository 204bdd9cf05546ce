"""The evaluator of clips: how steady a fused clip is. It holds three frames at a time, however long the clip is."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from irfuse import notices
from irfuse.choices import hint
from irfuse.errors import ImageError, PairError, ParameterError, SuspiciousPairWarning, UndefinedScoreWarning, naming
from irfuse.evaluation import inputs
from irfuse.imaging import checks, sizes
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.io.images import Source, contents, files, load
from irfuse.io.tables import ARROWS, Column
from irfuse.metrics import temporal
from irfuse.metrics.temporal import CLIP_METRICS, ClipMetricInfo
from irfuse.ops.flow import Flow, Mask, dis

_Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """A frame of a clip, as it is scored. :meth:`VideoEvaluator.frame` makes it.

    Attributes:
        fused: the fused frame, (H, W, 3) in gray levels. A gray frame has three equal channels.
        fused_luma, ir, vis: the luma of the fused frame and of its sources, (H, W).
    """

    fused: NDArray[np.float32]
    fused_luma: _Gray
    ir: _Gray
    vis: _Gray


@dataclass(frozen=True)
class ClipScores:
    """The scores of a clip.

    Attributes:
        frames: for each frame, the scores by the metrics' names; NaN where a score is undefined, as for the first
            frame, which has no previous one. The score ``warp_ratio`` of a frame is relative to the whole clip's
            sources.
        clip: their means over the frames where they are defined; NaN if there is none.
    """

    frames: list[dict[str, float]]
    clip: dict[str, float]


class VideoEvaluator:
    """Scores how steady fused clips are.

    Args:
        metrics: names of the metrics of clips, see :data:`irfuse.metrics.temporal.CLIP_METRICS`; None means all.
        thermal: how infrared values become [0, 1], as :class:`irfuse.Evaluator` takes it.

    Raises:
        ParameterError: there is no such metric.

    Warns:
        SuspiciousPairWarning: `thermal` is percentiles, which are taken from each frame.

    >>> scene = np.random.default_rng(0).integers(50, 200, (48, 64)).astype(np.uint8)
    >>> clip = [(scene + brighter, scene, scene) for brighter in (0, 3, 0, 3)]
    >>> VideoEvaluator(["warp_error", "level_jump"])(clip)
    {'warp_error': 3.0, 'level_jump': 3.0}
    """

    def __init__(self, metrics: Sequence[str] | None = None, *, thermal: Levels | Percentiles | None = None) -> None:
        if isinstance(metrics, str):
            raise ParameterError(f"metrics: a list of names is needed, such as [{metrics!r}]")
        known = [info.name for info in CLIP_METRICS]
        self.metrics = known if metrics is None else list(dict.fromkeys(metrics))
        self.thermal = thermal
        if isinstance(thermal, Percentiles):
            notices.warn(
                SuspiciousPairWarning(
                    "thermal percentiles are taken from each frame, so that the infrared clip itself may flicker: give "
                    "a thermal range"
                )
            )
        if not self.metrics:
            raise ParameterError("no metric is named")
        for name in self.metrics:
            if name not in known:
                raise ParameterError(
                    f"unknown metric of clips {name!r}{hint(name, known)} (metrics of clips: {', '.join(known)})"
                )

    def __call__(self, frames: Iterable[tuple[Source, Source, Source]]) -> dict[str, float]:
        """Score a clip.

        Args:
            frames: the fused, the infrared and the visible image of each frame, in their order: paths of image files,
                or arrays or tensors as :class:`irfuse.Evaluator` takes them.

        Returns:
            The scores by the metrics' names, in their order. An undefined score is NaN, with one warning for all.

        Raises:
            ImageError: there is no frame, or one cannot be scored.
            PairError: the sizes of a frame's images differ.

        Warns:
            SuspiciousPairWarning, ImageFileWarning: something looks wrong. What several frames share is said once.
            UndefinedScoreWarning: the warning names the scores and the cause.
        """
        return self.score(self._frames(frames)).clip

    def frame(self, fused: Source, ir: Source, vis: Source, *, as_picture: bool = False) -> Frame:
        """Prepare a frame for :meth:`score`.

        Args:
            fused, ir, vis: the images.
            as_picture: whether to read the pictures of radiometric JPEG files instead of what they measured.

        Raises:
            ImageError: an image cannot be scored, or is smaller than a metric allows.
            PairError: the sizes differ.

        Warns:
            SuspiciousPairWarning: something looks wrong, see :mod:`irfuse.imaging.inspection`.
        """
        of_ir, of_vis = contents(as_picture)
        loaded_ir, loaded_vis, loaded_fused = load(ir, of_ir), load(vis, of_vis), load(fused, "picture")
        with naming(files(ir, vis), ImageError, PairError):
            infrared, visible = inputs.read(loaded_ir, "infrared"), inputs.read(loaded_vis, "visible")
            sources = inputs.unit(infrared, self.thermal), inputs.unit(visible)
            sizes.check_equal(sources[0].shape[1:], sources[1].shape[1:])
            if not np.array_equal(infrared.values, visible.values):
                checks.check_pair(infrared, visible)
        with naming(files(fused), ImageError), naming(files(fused, ir), PairError):
            unit = inputs.unit(inputs.read(loaded_fused, "fused"))
            sizes.check_equal(sources[0].shape[1:], unit.shape[1:], roles=("infrared", "fused"))
            self._check_side(min(unit.shape[1:]))
        color = np.broadcast_to(unit, (3, *unit.shape[1:])).transpose(1, 2, 0)
        return Frame(np.ascontiguousarray(color * 255, np.float32), _gray(unit), _gray(sources[0]), _gray(sources[1]))

    def score(self, frames: Iterable[Frame | None]) -> ClipScores:
        """Score a clip frame by frame.

        Args:
            frames: the frames in their order. None is a frame that is missing: nothing is compared across it, and it
                has no scores.

        Raises:
            ImageError: there is no frame, or their sizes differ.

        Warns:
            UndefinedScoreWarning: the warning names the scores and the cause.
        """
        rows: list[dict[str, float]] = []
        of_sources: list[float] = []
        for into, out in _steps(frames):
            rows.append({name: _value(name, into, out) for name in self.metrics})
            if "warp_ratio" in self.metrics and into is not None:
                of_sources.append(into.source_error)
        if not rows:
            raise ImageError("no frame could be scored")
        if "warp_ratio" in self.metrics:
            scale = _mean(of_sources)
            for row in rows:
                row["warp_ratio"] = row["warp_ratio"] / scale if scale > 0 else math.nan
        clip = {name: _mean([row[name] for row in rows]) for name in self.metrics}
        undefined = tuple(name for name, value in clip.items() if math.isnan(value))
        if undefined:
            cause = _cause(len(rows), undefined)
            message = f"{', '.join(undefined)}: undefined: {cause}"
            notices.warn(UndefinedScoreWarning(message, undefined, cause))
        return ClipScores(rows, clip)

    def _frames(self, images: Iterable[tuple[Source, Source, Source]]) -> Iterator[Frame]:
        said: set[str] = set()
        for fused, ir, vis in images:
            with notices.collected() as found:
                frame = self.frame(fused, ir, vis)
            for warning in found:
                if notices.kind(str(warning)) not in said:
                    notices.warn(warning)
                said.add(notices.kind(str(warning)))
            yield frame

    def _check_side(self, side: int) -> None:
        small = [info for info in CLIP_METRICS if info.name in self.metrics and info.minimum > side]
        if small:
            needs = ", ".join(f"{info.name} needs {info.minimum}x{info.minimum}" for info in small)
            raise ImageError(f"the smaller side has {side} pixels, and {needs}: name the metrics to compute")


def column(metric: str) -> Column:
    """Describe a metric of clips as the column of a table.

    >>> column("warp_error")
    Column(name='warp_error', symbol='E_warp', arrow='↓')
    """
    return Column(metric, _info(metric).symbol, ARROWS["lower"])


class _Flows:
    """The flows between two frames of one clip. Each is estimated when it is first needed."""

    def __init__(self, earlier: _Gray, later: _Gray) -> None:
        self._earlier, self._later = earlier, later

    @cached_property
    def forward(self) -> Flow:
        return dis(self._earlier, self._later)

    @cached_property
    def backward(self) -> Flow:
        return dis(self._later, self._earlier)


class _Step:
    """What the metrics share of two frames in a row."""

    def __init__(self, earlier: Frame, later: Frame) -> None:
        if earlier.ir.shape != later.ir.shape:
            before, after = (f"{frame.ir.shape[1]}x{frame.ir.shape[0]}" for frame in (earlier, later))
            raise ImageError(
                f"the frames of a clip need one size, and {after} follows {before}: score each part by itself"
            )
        self.earlier, self.later = earlier, later
        self.fused = _Flows(earlier.fused_luma, later.fused_luma)
        self.ir = _Flows(earlier.ir, later.ir)
        self.vis = _Flows(earlier.vis, later.vis)

    @cached_property
    def agreement(self) -> Mask:
        return temporal.agreement((self.ir.forward, self.ir.backward), (self.vis.forward, self.vis.backward))

    @cached_property
    def fused_error(self) -> float:
        return self._warp_error(self.earlier.fused_luma, self.later.fused_luma)

    @cached_property
    def source_error(self) -> float:
        """The warp error of the source that has more of it."""
        return max(self._warp_error(self.earlier.ir, self.later.ir), self._warp_error(self.earlier.vis, self.later.vis))

    def _warp_error(self, earlier: _Gray, later: _Gray) -> float:
        earlier_levels, later_levels = earlier.astype(np.float32), later.astype(np.float32)
        return temporal.warp_error(earlier_levels, later_levels, self.vis.forward, self.agreement)


def _steps(frames: Iterable[Frame | None]) -> Iterator[tuple[_Step | None, _Step | None]]:
    """Yield for each frame the step to it and the step from it; None where the clip begins or ends."""
    into: _Step | None = None
    current: Frame | None = None
    for frame in frames:
        out = None if current is None or frame is None else _Step(current, frame)
        if current is not None:
            yield into, out
        into, current = out, frame
    if current is not None:
        yield into, None


def _level_jump(into: _Step, out: _Step) -> float:
    return temporal.level_jump(*(float(frame.fused_luma.mean()) for frame in (into.earlier, into.later, out.later)))


def _biswe(into: _Step, out: _Step) -> float:
    masks = (
        temporal.visible_in_both((into.ir.backward, into.ir.forward), (into.vis.backward, into.vis.forward)),
        temporal.visible_in_both((out.ir.forward, out.ir.backward), (out.vis.forward, out.vis.backward)),
    )
    neighbors = into.earlier.fused, out.later.fused
    return temporal.biswe(into.later.fused, neighbors, (into.fused.backward, out.fused.forward), masks)


def _ms2r(into: _Step, out: _Step) -> float:
    return temporal.ms2r(
        (into.fused.forward, out.fused.forward),
        (into.ir.forward, out.ir.forward),
        (into.vis.forward, out.vis.forward),
    )


def _flowd(into: _Step) -> float:
    return temporal.flowd(into.later.fused, into.earlier.fused, into.vis.backward)


_OF_STEP: dict[str, Callable[[_Step], float]] = {
    "warp_error": lambda into: into.fused_error,
    # The errors of the whole clip's sources are known at its end.
    "warp_ratio": lambda into: into.fused_error,
    "flowd_dis": _flowd,
}
"""The metrics that compare a frame with the previous one."""

_OF_BOTH_STEPS: dict[str, Callable[[_Step, _Step], float]] = {
    "level_jump": _level_jump,
    "biswe_dis": _biswe,
    "ms2r_dis": _ms2r,
}
"""The metrics that compare a frame with the previous and the next one."""


def _value(name: str, into: _Step | None, out: _Step | None) -> float:
    if into is None:
        return math.nan
    if name in _OF_STEP:
        return _OF_STEP[name](into)
    return math.nan if out is None else _OF_BOTH_STEPS[name](into, out)


def _gray(unit: inputs.Unit) -> _Gray:
    levels: _Gray = np.rint(inputs.gray(unit)[0] * 255).astype(np.uint8)
    return levels


def _mean(values: Iterable[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return fmean(defined) if defined else math.nan


def _info(metric: str) -> ClipMetricInfo:
    return next(info for info in CLIP_METRICS if info.name == metric)


def _cause(count: int, undefined: Sequence[str]) -> str:
    """Say why scores of a clip of so many frames may be undefined."""
    needed = max(2 if _info(name).neighbors == "previous" else 3 for name in undefined)
    if count < needed:
        return f"{needed} frames in a row are needed, and the clip has {count}"
    return "the sources do not move alike anywhere, they do not change at all, or frames are missing"
