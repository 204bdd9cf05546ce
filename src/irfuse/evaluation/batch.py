"""Scores of many fused images: read, evaluate in several processes, and go on when one fails."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from irfuse.errors import (
    ImageError,
    IrfuseError,
    PairError,
    ParameterError,
    StoppedError,
    naming,
    reason,
)
from irfuse.evaluation.evaluator import Evaluator
from irfuse.imaging import misregistration
from irfuse.io.images import Source, contents, files, load
from irfuse.notices import collected


@dataclass(frozen=True)
class Triple:
    """A fused image, its sources, and the name of its scores.

    Attributes:
        name: what the scores are named after.
        fused, ir, vis: the images.
        as_picture: whether to read the pictures of radiometric JPEG files instead of what they measured.
    """

    name: str
    fused: Source
    ir: Source
    vis: Source
    as_picture: bool = False

    def sources(self) -> tuple[Any, Any]:
        """Read the infrared and the visible image.

        Raises:
            ImageError: a file cannot be read.
        """
        of_ir, of_vis = contents(self.as_picture)
        return load(self.ir, of_ir), load(self.vis, of_vis)


@dataclass(frozen=True)
class Outcome:
    """The result for one triple.

    Warnings of files and errors name the files that they are about.

    Attributes:
        name: the triple's name.
        scores: the scores by the metrics' names; empty if it failed.
        error: why it failed, or None.
        warnings: which scores are NaN and why, and what looks wrong.
    """

    name: str
    scores: dict[str, float]
    error: IrfuseError | None = None
    warnings: tuple[Warning, ...] = ()


def run(triples: Sequence[Triple], evaluator: Evaluator, *, jobs: int = 1) -> Generator[Outcome, None, None]:
    """Score triples in their order. Neighbors with the same sources share what is computed of these.

    Args:
        triples: the images.
        evaluator: what scores them.
        jobs: the number of processes. With one, this process does the work with all its threads.

    Raises:
        ParameterError: `jobs` is below 1, or a process died.
        StoppedError: Ctrl-C.
    """
    if jobs < 1:
        raise ParameterError(f"jobs cannot be {jobs}; at least one is needed")
    groups = [list(group) for _, group in groupby(triples, lambda triple: (identity(triple.ir), identity(triple.vis)))]
    jobs = min(jobs, len(groups))
    try:
        if jobs <= 1:
            for group in groups:
                yield from _score(group, evaluator)
        else:
            yield from _score_in_processes(groups, evaluator, jobs)
    except KeyboardInterrupt:
        raise StoppedError("stopped before all images were scored") from None


def unregistered(triples: Sequence[Triple]) -> str | None:
    """Say that most of the first pairs of files look unregistered; None if they do not.

    Args:
        triples: those that could be scored.
    """
    pairs: dict[tuple[str, str], Triple] = {}
    for triple in triples:
        if _is_file(triple.ir) and _is_file(triple.vis):
            pairs.setdefault((str(triple.ir), str(triple.vis)), triple)
    measured = []
    for triple in list(pairs.values())[: misregistration.WATCHED]:
        # What reading remarks was said with the scores.
        with collected():
            found = misregistration.measure_images(*triple.sources())
        measured += [] if found is None else [found]
    return misregistration.doubt(measured)


def _score_in_processes(groups: list[list[Triple]], evaluator: Evaluator, jobs: int) -> Iterator[Outcome]:
    # A fork of a process that has used PyTorch's threads may hang.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _prepare_worker)
    try:
        with _without_interrupts():
            futures = [pool.submit(_outcomes, group, evaluator) for group in groups]
        for future in futures:
            yield from future.result()
    except BrokenProcessPool as error:
        raise ParameterError(
            f"one of the {jobs} processes died: use fewer jobs if memory ran out; a script needs "
            '`if __name__ == "__main__":` around its start to use several jobs'
        ) from error
    finally:
        # Only this pool's workers: other threads, and the user, may have processes of their own. The pool forgets them
        # when it is shut down.
        workers = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from processes that start in the block; this process gets it when the block ends."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def identity(source: Source) -> str | int:
    """Return what two sources that are the same image share: the path, or the identity of the object."""
    return str(source) if _is_file(source) else id(source)


def _is_file(source: Source) -> bool:
    return isinstance(source, str | Path)


def _prepare_worker() -> None:
    torch.set_num_threads(1)
    # If the main process is killed, its workers must not wait for it forever.
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _outcomes(group: list[Triple], evaluator: Evaluator) -> list[Outcome]:
    return list(_score(group, evaluator))


def _score(group: list[Triple], evaluator: Evaluator) -> Iterator[Outcome]:
    """Score triples of the same sources."""
    try:
        with collected() as of_sources:
            ir, vis = group[0].sources()
            with naming(files(group[0].ir, group[0].vis), ImageError, PairError):
                sources = evaluator.sources(ir, vis)
    except IrfuseError as error:
        yield from (Outcome(triple.name, {}, error) for triple in group)
        return
    except Exception as error:
        # Memory can run out for one pair of large images, and must not cost the others.
        yield from (Outcome(triple.name, {}, ImageError(reason(error))) for triple in group)
        return
    for triple in group:
        scores: dict[str, float] = {}
        failure: IrfuseError | None = None
        with collected() as found:
            try:
                fused = load(triple.fused, "picture")
                with naming(files(triple.fused), ImageError), naming(files(triple.fused, triple.ir), PairError):
                    scores = sources.score(fused)
            except IrfuseError as error:
                failure = error
            except Exception as error:
                # A metric of pyiqa can fail in any way, and must not cost the other images.
                failure = ImageError(reason(error))
        yield Outcome(triple.name, scores, failure, (*of_sources, *found))
