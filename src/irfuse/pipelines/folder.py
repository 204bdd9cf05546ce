"""Folders of pairs: decode, fuse and encode side by side, with bounded queues, resumption and a report of failures."""

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from irfuse.errors import (
    DeviceError,
    ImageError,
    IrfuseError,
    MissingDependencyError,
    OutputError,
    PairError,
    StoppedError,
    SuspiciousPairWarning,
)
from irfuse.io import images
from irfuse.io.files import make_folder, remove_unfinished
from irfuse.io.images import Array
from irfuse.io.pairs import Pair
from irfuse.progress import Progress, silent

FusePair = Callable[[Array, Array], Array]

T = TypeVar("T")
R = TypeVar("R")

_THREADS = 2
_AHEAD = 4
"""How many pairs may be decoded and waiting, and how many results may wait to be written."""


@dataclass
class Report:
    """What became of the pairs of a run.

    Attributes:
        fused, skipped: the names of the pairs that were fused now, and that were there already.
        failures: (name, reason) of each pair that could not be fused.
        warnings: (name, warning) of pairs that were fused but look wrong.
    """

    fused: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def settled(self) -> int:
        """How many pairs are through, one way or another."""
        return len(self.fused) + len(self.skipped) + len(self.failures)


def run(
    pairs: Sequence[Pair],
    output: Path,
    fuse: FusePair,
    *,
    extension: str = ".png",
    description: str = "",
    resume: bool = False,
    on_step: Progress = silent,
) -> Report:
    """Fuse pairs of files into ``output/NAME.png``.

    Each result is written whole or not at all. A pair that fails is reported, and the others go on. Only one run at a
    time may write to a folder.

    Args:
        pairs: with names that differ.
        output: the folder; it is made if it is not there.
        fuse: takes the infrared and the visible image as :func:`irfuse.io.images.read` returns them. It is called from
            this thread, one pair at a time.
        extension: of the results' names, which chooses their format.
        description: stored in each result where its format allows, see :func:`irfuse.io.images.encode`.
        resume: leave alone what is there already and can be read; without it, results are replaced.
        on_step: told at the start, and once for each pair, when its result is written or it is skipped or has failed.

    Raises:
        OutputError: the folder cannot be written, or a result would replace an input.
        MissingDependencyError, DeviceError: `fuse` raised it.
        StoppedError: Ctrl-C; the results so far are whole.
    """
    targets = {pair.name: output / (pair.name + extension) for pair in pairs}
    inputs = {path.resolve() for pair in pairs for path in (pair.ir, pair.vis)}
    for target in targets.values():
        if target.resolve() in inputs:
            raise OutputError(f"{target} would replace an input; choose another output folder")
    make_folder(output)
    remove_unfinished(output, {target.name for target in targets.values()})
    report = Report()
    on_step(0, len(pairs), "")

    def decode(pair: Pair) -> tuple[Array, Array] | None:
        if resume and is_whole(targets[pair.name]):
            return None
        return images.read(pair.ir), images.read(pair.vis)

    def fused(decoded: Iterable[tuple[Pair, Future[tuple[Array, Array] | None]]]) -> Iterator[tuple[Pair, Array]]:
        for pair, future in decoded:
            result = None
            with _failures_reported(pair, report):
                sources = future.result()
                if sources is None:
                    report.skipped.append(pair.name)
                else:
                    result = _fuse(fuse, pair, sources, report)
            if result is None:
                on_step(report.settled, len(pairs), pair.name)
            else:
                yield pair, result

    def encode(pair: Pair, image: Array) -> None:
        images.write(targets[pair.name], image, description)

    def settle(pair: Pair, written: Future[None]) -> None:
        with _failures_reported(pair, report):
            written.result()
            report.fused.append(pair.name)
        on_step(report.settled, len(pairs), pair.name)

    try:
        with ThreadPoolExecutor(_THREADS) as readers, ThreadPoolExecutor(_THREADS) as writers:
            written: deque[tuple[Pair, Future[None]]] = deque()
            for pair, image in fused(_ahead(readers, decode, pairs)):
                written.append((pair, writers.submit(encode, pair, image)))
                while written and (len(written) > _AHEAD or written[0][1].done()):
                    settle(*written.popleft())
            for pair, future in written:
                settle(pair, future)
    except KeyboardInterrupt:
        # Leaving the executors has waited for the results that were being written.
        raise StoppedError(f"stopped; what {output} holds is whole: go on with --resume") from None
    return report


def fuse_files(ir: str | Path, vis: str | Path, fuse: FusePair) -> Array:
    """Fuse the images of two files; an error names them.

    Raises:
        ImageError, PairError: a file cannot be read, or the images cannot be fused.
    """
    sources = images.read(ir), images.read(vis)
    try:
        return fuse(*sources)
    except (ImageError, PairError) as error:
        raise type(error)(f"{ir} and {vis}: {error}") from None


def _ahead(executor: Executor, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, Future[R]]]:
    """Each item with the future of its result, in order, while the next few items are already worked on."""
    futures: deque[tuple[T, Future[R]]] = deque()
    for item in items:
        futures.append((item, executor.submit(function, item)))
        if len(futures) > _AHEAD:
            yield futures.popleft()
    yield from futures


def is_whole(path: Path) -> bool:
    """Whether a result is there and can be read."""
    try:
        images.read(path)
    except ImageError:
        return False
    return True


def _fuse(fuse: FusePair, pair: Pair, sources: tuple[Array, Array], report: Report) -> Array:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SuspiciousPairWarning)
        result = fuse(*sources)
    for warning in caught:
        if issubclass(warning.category, SuspiciousPairWarning):
            report.warnings.append((pair.name, str(warning.message)))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return result


@contextmanager
def _failures_reported(pair: Pair, report: Report) -> Iterator[None]:
    # Whatever a pair does, even something unforeseen, must not cost the other ones.
    try:
        yield
    except (MissingDependencyError, DeviceError):
        # These are of the machine: every other pair would fail likewise.
        raise
    except Exception as error:
        reason = str(error) if isinstance(error, IrfuseError) else f"{type(error).__name__}: {error}"
        report.failures.append((pair.name, " ".join(reason.split())))
