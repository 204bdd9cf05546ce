"""Many triples of images to scores: read, evaluate in several processes, go on when one fails."""

import multiprocessing
import os
import signal
import warnings
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from irfuse import images
from irfuse.errors import ImageError, IrfuseError, PairError, ParameterError, StoppedError, UndefinedScoreWarning
from irfuse.evaluation import Evaluator

Source = str | Path | NDArray[Any] | Tensor
"""An image: a file, or an array or tensor as :class:`irfuse.evaluation.Evaluator` takes them."""


@dataclass(frozen=True)
class Triple:
    """A fused image and its sources, by the name that its scores go by."""

    name: str
    fused: Source
    ir: Source
    vis: Source


@dataclass(frozen=True)
class Outcome:
    """What became of a triple.

    Attributes:
        name: of the triple.
        scores: by the metrics' names; empty if it failed.
        error: why it failed.
        undefined: which scores are NaN, and why.
    """

    name: str
    scores: dict[str, float]
    error: IrfuseError | None = None
    undefined: str = ""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(triples: Sequence[Triple], evaluator: Evaluator, *, jobs: int = 1) -> Generator[Outcome, None, None]:
    """Score triples, in their order. Neighbours that have the same sources share what is computed of these.

    Args:
        jobs: how many processes; with one, this process does the work with all its threads.

    Raises:
        StoppedError: Ctrl-C.
    """
    groups = [
        list(group) for _, group in groupby(triples, lambda triple: (_identity(triple.ir), _identity(triple.vis)))
    ]
    jobs = min(jobs, len(groups))
    try:
        if jobs <= 1:
            for group in groups:
                yield from _score(group, evaluator)
            return
        # A fork of a process that has used PyTorch's threads may hang.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context, _prepare_worker) as pool:
            try:
                futures = [pool.submit(_outcomes, group, evaluator) for group in groups]
                for future in futures:
                    yield from future.result()
            finally:
                pool.shutdown(cancel_futures=True)
    except KeyboardInterrupt:
        raise StoppedError("stopped; no scores were written") from None
    except BrokenProcessPool as error:
        raise ParameterError(f"a process of the {jobs} died, perhaps for want of memory; use fewer jobs") from error


def _identity(source: Source) -> str | int:
    return str(source) if isinstance(source, str | Path) else id(source)


def _prepare_worker() -> None:
    torch.set_num_threads(1)
    # Ctrl-C is the main process's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _outcomes(group: list[Triple], evaluator: Evaluator) -> list[Outcome]:
    return list(_score(group, evaluator))


def _score(group: list[Triple], evaluator: Evaluator) -> Iterator[Outcome]:
    """Score triples of the same sources."""
    try:
        sources = evaluator.sources(_image(group[0].ir), _image(group[0].vis))
    except IrfuseError as error:
        yield from (Outcome(triple.name, {}, error) for triple in group)
        return
    for triple in group:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UndefinedScoreWarning)
            try:
                scores = sources.score(_image(triple.fused))
            except (ImageError, PairError) as error:
                yield Outcome(triple.name, {}, error)
                continue
        yield Outcome(triple.name, scores, undefined="; ".join(str(warning.message) for warning in caught))


def _image(source: Source) -> Any:
    return images.read(source) if isinstance(source, str | Path) else source
