"""The Python calls: from paths, arrays or tensors to a fused image or scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from irfuse import notices
from irfuse.engines.choose import EngineChoice, PrecisionChoice
from irfuse.errors import ParameterError, SuspiciousPairWarning, UndefinedScoreWarning
from irfuse.evaluation import batch
from irfuse.evaluation.evaluator import Evaluator
from irfuse.fuser import Fuser
from irfuse.imaging import planes
from irfuse.imaging.color import Color
from irfuse.imaging.levels import DEFAULT_THERMAL, Levels, Percentiles
from irfuse.io import images
from irfuse.io.images import Source
from irfuse.methods import available
from irfuse.methods.base import Method, MethodInfo
from irfuse.metrics import METRICS, MetricInfo
from irfuse.metrics.protocols import PROTOCOLS
from irfuse.metrics.protocols.base import Protocol
from irfuse.registration.alignment import Aligner
from irfuse.registration.calibration import Calibration


def fuse(
    ir: Source,
    vis: Source,
    *,
    method: str | Method = "ember",
    device: str = "auto",
    engine: EngineChoice = "auto",
    precision: PrecisionChoice = "auto",
    color: Color = "auto",
    stretch: bool = False,
    thermal: Levels | Percentiles = DEFAULT_THERMAL,
    registration: Aligner | Calibration | Literal["auto"] | None = None,
) -> Any:
    """Fuse one pair, or one batch of pairs. For many calls, make one :class:`irfuse.Fuser`.

    Args:
        ir, vis: paths of image files, or arrays or tensors as :class:`irfuse.Fuser` takes them.
        method, device, engine, precision, color, stretch, thermal, registration: as :class:`irfuse.Fuser` takes them.

    Returns:
        An array, or a tensor if `vis` is one, with the visible image's size, channels and dtype.

    Raises:
        IrfuseError: the images cannot be fused; the message says why and what to do.

    >>> from irfuse import samples
    >>> pair = samples.pairs()[0]
    >>> fuse(pair.ir, pair.vis).shape
    (480, 640, 3)
    """
    fuser = Fuser(
        method,
        device=device,
        engine=engine,
        precision=precision,
        color=color,
        stretch=stretch,
        thermal=thermal,
        registration=registration,
        pixels=_pixels(vis),
    )
    return fuser(ir, vis)


def evaluate(
    fused: Source,
    ir: Source,
    vis: Source,
    metrics: Sequence[str] | None = None,
    protocol: str = "canonical",
    *,
    device: str = "cpu",
    thermal: Levels | Percentiles | None = None,
) -> dict[str, float]:
    """Score a fused image by metrics as one protocol computes them.

    Args:
        fused, ir, vis: paths of image files, or arrays or tensors as :class:`irfuse.Evaluator` takes them;
            other dtypes than 8 bits are rounded to 8 bits. To compare just two images, give one as both sources.
        metrics: their names, see :func:`list_metrics`, or ``pyiqa:NAME``; None means all of the protocol.
        protocol: its name, see :func:`list_protocols`.
        device, thermal: as :class:`irfuse.Evaluator` takes them.

    Returns:
        The scores by the metrics' names. An undefined score is NaN, with one :class:`UndefinedScoreWarning` for all.

    Raises:
        IrfuseError: the images cannot be scored; the message says why and what to do.

    >>> from irfuse import samples
    >>> pair = samples.pairs()[0]
    >>> scores = evaluate(pair.vis, pair.ir, pair.vis, ["qabf", "ssim_a"])
    >>> {name: round(score, 2) for name, score in scores.items()}
    {'qabf': 0.69, 'ssim_a': 0.63}
    """
    return evaluate_batch([fused], [ir], [vis], metrics, protocol, device=device, thermal=thermal)[0]


def evaluate_batch(
    fused: Sequence[Source],
    ir: Sequence[Source],
    vis: Sequence[Source],
    metrics: Sequence[str] | None = None,
    protocol: str = "canonical",
    *,
    device: str = "cpu",
    thermal: Levels | Percentiles | None = None,
    jobs: int = 1,
) -> list[dict[str, float]]:
    """Score many fused images, as :func:`evaluate` scores one.

    Args:
        fused, ir, vis: the same number of each, or batches with a leading dimension. Neighbors with the same sources
            (the same path or the same object) share what is computed of these.
        metrics, protocol, device, thermal: as :func:`evaluate` takes them.
        jobs: the number of processes. With more than one, a script needs ``if __name__ == "__main__":`` around its
            start.

    Raises:
        IrfuseError: an image cannot be scored; the message names it.

    >>> from irfuse import samples
    >>> pair = samples.pairs()[0]
    >>> len(evaluate_batch([pair.ir, pair.vis], [pair.ir] * 2, [pair.vis] * 2, ["mse"]))
    2
    """
    if not len(fused) == len(ir) == len(vis):
        raise ParameterError(
            f"give as many infrared and visible images as fused ones, not {len(fused)}, {len(ir)} and {len(vis)}"
        )
    evaluator = Evaluator(metrics, protocol, device=device, thermal=thermal)
    triples = [batch.Triple(_name(sources), *sources) for sources in zip(fused, ir, vis, strict=True)]
    scores = []
    said: set[tuple[str | int, str | int, str]] = set()
    for triple, outcome in zip(triples, batch.run(triples, evaluator, jobs=jobs), strict=True):
        if outcome.error is not None:
            raise outcome.error
        for warning in outcome.warnings:
            # What looks wrong with the sources is said once for all their fused images.
            what = (batch.identity(triple.ir), batch.identity(triple.vis), str(warning))
            if isinstance(warning, UndefinedScoreWarning) or what not in said:
                notices.warn(_named(warning, outcome.name))
            said.add(what)
        scores.append(outcome.scores)
    doubt = batch.unregistered(triples)
    if doubt:
        notices.warn(SuspiciousPairWarning(doubt))
    return scores


def list_metrics() -> list[MetricInfo]:
    """List the metrics: name, symbol, direction and range of each.

    >>> [info.name for info in list_metrics() if info.direction == "zero"]
    ['qsf']
    """
    return list(METRICS)


def list_protocols() -> list[Protocol]:
    """List the protocols, each with its readings by the metrics' names.

    >>> [protocol.name for protocol in list_protocols() if "viff" in protocol.readings]
    ['canonical']
    """
    return list(PROTOCOLS)


def list_methods() -> list[MethodInfo]:
    """List the methods: name, paper and size rule of each.

    >>> [info.name for info in list_methods()][0]
    'ember'
    """
    return [method.info for method in available()]


def _pixels(image: Source) -> int:
    """Count the pixels of an image or a batch."""
    # The Fuser reads it again, and gives the warnings.
    with notices.collected():
        batch, _, height, width = planes.read(images.load(image, "visible"), "visible").values.shape
    return int(batch * height * width)


def _name(sources: tuple[Source, Source, Source]) -> str:
    """Name the files of a triple, for warnings; arrays have no names."""
    return ", ".join(str(source) for source in sources if isinstance(source, str | Path))


def _named(warning: Warning, name: str) -> Warning:
    """Put the name of a triple before the message of a warning, unless it has none or the warning names its file."""
    name, text = notices.about(name, warning)
    if not name:
        return warning
    text = f"{name}: {text}"
    if isinstance(warning, UndefinedScoreWarning):
        return UndefinedScoreWarning(text, warning.metrics, warning.cause)
    return type(warning)(text)
