"""Fuse many pairs of files: decode, fuse and encode at the same time, in bounded memory.

A run can be resumed, and a pair that fails does not stop it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from irfuse.errors import (
    DeviceError,
    ImageError,
    MissingDependencyError,
    PairError,
    StoppedError,
    naming,
    reason,
)
from irfuse.io import images, origin
from irfuse.io.files import make_folder, remove_unfinished
from irfuse.io.images import Array
from irfuse.io.metadata import Metadata
from irfuse.io.pairs import Pair
from irfuse.io.thermal import export, reading
from irfuse.notices import about, collected
from irfuse.pipelines.checks import Checks
from irfuse.progress import Progress, silent

FusePair = Callable[[Array, Array], Array]
AlignInfrared = Callable[[Array, Array], Array]
"""Brings the infrared image of a pair to the field of view of the fused image."""


def as_it_is(ir: Array, vis: Array) -> Array:
    """Return the infrared image of a pair that needs no alignment."""
    return ir


class _Sources(NamedTuple):
    """What was read of a pair.

    Attributes:
        ir, vis: the images.
        metadata: what the result keeps of the visible image's file.
        warnings: those of reading.
    """

    ir: Array
    vis: Array
    metadata: Metadata
    warnings: list[Warning]


class _Result(NamedTuple):
    """A fused image, and what is written with it.

    Attributes:
        image: the fused image.
        metadata: of the visible image's file.
        measured: the temperatures or counts of the infrared image, if they are wanted.
    """

    image: Array
    metadata: Metadata
    measured: Array | None


T = TypeVar("T")
R = TypeVar("R")

_THREADS = 2
_AHEAD = 4
"""The number of pairs that may be decoded and waiting, and of results that may wait to be written."""


@dataclass
class Report:
    """The outcome of a run.

    Attributes:
        fused, skipped: the names of the pairs that were fused, and of those whose result existed already.
        failures: (name, reason) of each pair that could not be fused.
        warnings: (name, warning) of pairs that look wrong; the name is empty where a warning begins with a path.
    """

    fused: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def settled(self) -> int:
        """The number of pairs that were fused or skipped or have failed."""
        return len(self.fused) + len(self.skipped) + len(self.failures)


def run(
    pairs: Iterable[Pair],
    output: Path,
    fuse: FusePair,
    *,
    extension: str = ".png",
    description: str = "",
    resume: bool = False,
    as_picture: bool = False,
    temperatures: Path | None = None,
    align_ir: AlignInfrared = as_it_is,
    on_step: Progress = silent,
) -> Report:
    """Fuse pairs of files into ``output/NAME.png``.

    Each result is written whole or not at all. A pair that fails is reported, and the run goes on. Several runs may
    write to one folder.

    The pairs may be a sequence or any other iterable, such as a generator that waits for new files. A sequence is
    checked before the work starts. Pairs of another iterable are checked one by one: a pair fails if it has the name of
    an earlier pair, if its result would replace an input of its own or of an earlier pair, or if an input of its own is
    the result of an earlier pair. If the iterable raises an exception, the pairs before it are finished first.

    Args:
        pairs: pairs with different names.
        output: the folder of the results; it is created if it does not exist.
        fuse: takes the infrared and the visible image as :func:`irfuse.io.images.read` returns them. It is called from
            this thread, one pair at a time.
        extension: the ending of the results' names; it chooses their format.
        description: stored in each result if its format allows it; see :func:`irfuse.io.images.encode`.
        resume: keep results that exist, can be read and do not say that another method or other settings made them.
            Those that say so are made again with a warning. Without `resume`, all results are replaced.
        as_picture: read the pictures of radiometric JPEG files, see :func:`irfuse.io.images.contents`.
        temperatures: a folder for the temperatures or counts of each pair, as ``NAME.tiff``. A pair without them fails.
        align_ir: brings an infrared image to the field of view of the fused one, for its temperatures.
        on_step: called at the start, and once for each pair when its result is written or when it is skipped or has
            failed. The total is None unless `pairs` is a sequence.

    Raises:
        OutputError: the folder cannot be written, or a result would replace an input.
        MissingDependencyError, DeviceError: raised by `fuse`.
        StoppedError: Ctrl-C was pressed; the results so far are whole.
    """
    checks = Checks(output, extension, temperatures)
    known = pairs if isinstance(pairs, Sequence) else None
    total = None if known is None else len(known)
    if known is not None:
        checks.check_all(known)
    make_folder(output)
    if temperatures is not None:
        make_folder(temperatures)
        remove_unfinished(temperatures, {f"{pair.name}.tiff" for pair in known or ()})
    if known is not None:
        remove_unfinished(output, {checks.target(pair).name for pair in known})
    report = Report()
    on_step(0, total, "")

    def decode(pair: Pair) -> _Sources | None:
        existing = Existing.at(checks.target(pair), description) if resume else MISSING
        if existing.remark:
            report.warnings.append((pair.name, existing.remark))
        temperature = checks.temperature(pair)
        if existing.kept and (temperature is None or temperature.exists()):
            return None
        of_ir, of_vis = images.contents(as_picture)
        with collected() as found:
            ir = images.read(pair.ir, of_ir)
            vis, metadata = images.read_with_metadata(pair.vis, of_vis)
        return _Sources(ir, vis, metadata, found)

    def accepted() -> Iterator[Pair]:
        for pair in pairs:
            problem = checks.too_long(pair) or (checks.problem(pair) if known is None else None)
            if problem is None:
                yield pair
            else:
                report.failures.append((pair.name, problem))
                on_step(report.settled, total, pair.name)

    def fused(decoded: Iterable[tuple[Pair, Future[_Sources | None]]]) -> Iterator[tuple[Pair, _Result]]:
        for pair, future in decoded:
            result = None
            with _failures_reported(pair, report):
                sources = future.result()
                if sources is None:
                    report.skipped.append(pair.name)
                else:
                    image = _fuse(fuse, pair, sources, report)
                    result = _Result(
                        image, sources.metadata, None if temperatures is None else align_ir(sources.ir, sources.vis)
                    )
            if result is None:
                on_step(report.settled, total, pair.name)
            else:
                yield pair, result

    def encode(pair: Pair, result: _Result) -> list[Warning]:
        with collected() as found:
            temperature = checks.temperature(pair)
            if temperature is not None and result.measured is not None:
                write_temperatures(temperature, result.measured)
            images.write(checks.target(pair), result.image, description, result.metadata)
        return found

    def settle(pair: Pair, written: Future[list[Warning]]) -> None:
        with _failures_reported(pair, report):
            report.warnings += [about(pair.name, warning) for warning in written.result()]
            report.fused.append(pair.name)
        on_step(report.settled, total, pair.name)

    try:
        with ThreadPoolExecutor(_THREADS) as readers, ThreadPoolExecutor(_THREADS) as writers:
            written: deque[tuple[Pair, Future[list[Warning]]]] = deque()
            try:
                for pair, result in fused(_ahead(readers, decode, accepted())):
                    written.append((pair, writers.submit(encode, pair, result)))
                    while written and (len(written) > _AHEAD or written[0][1].done()):
                        settle(*written.popleft())
            finally:
                for pair, future in written:
                    settle(pair, future)
    except KeyboardInterrupt:
        # Leaving the executors has waited for the results that were being written.
        raise StoppedError(f"stopped; all results in {output} are whole; continue with --resume") from None
    finally:
        if known is None:
            remove_unfinished(output, {Path(target).name for target in checks.targets})
    return report


def write_temperatures(path: Path, ir: Array) -> None:
    """Write the temperatures in °C, or the counts, of an infrared image as TIFF.

    Raises:
        ImageError: it holds neither.
        OutputError: the place cannot be written to.
    """
    with naming("infrared", ImageError):
        measured = export.exact(reading.of_image(ir).values)
    images.write(path, measured)


def fuse_files(ir: str | Path, vis: str | Path, fuse: FusePair, *, as_picture: bool = False) -> tuple[Array, Metadata]:
    """Fuse the images of two files; see :func:`run`.

    Returns:
        The fused image, and what it keeps of the visible image's file.

    Raises:
        ImageError, PairError: a file cannot be read, or the images cannot be fused. The message names both files.
    """
    of_ir, of_vis = images.contents(as_picture)
    infrared = images.read(ir, of_ir)
    visible, metadata = images.read_with_metadata(vis, of_vis)
    with naming(images.files(ir, vis), ImageError, PairError):
        return fuse(infrared, visible), metadata


def _ahead(executor: Executor, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, Future[R]]]:
    """Yield each item with the future of its result, in order, while the next few items are computed.

    If `items` raises an exception, the items before it are yielded first.
    """
    futures: deque[tuple[T, Future[R]]] = deque()
    try:
        for item in items:
            futures.append((item, executor.submit(function, item)))
            if len(futures) > _AHEAD:
                yield futures.popleft()
    except Exception:
        yield from futures
        raise
    yield from futures


@dataclass(frozen=True)
class Existing:
    """What becomes of the result of a pair when a run is resumed.

    Attributes:
        kept: keep it.
        remark: what the user should know about it; empty if nothing.
    """

    kept: bool
    remark: str = ""

    @classmethod
    def at(cls, path: Path, description: str) -> "Existing":
        """Look at a result, and compare what made it with what would make it now.

        Args:
            path: the file. It is made again if it does not exist, cannot be read or looks damaged.
            description: what :func:`irfuse.io.origin.describe` returns for the new result. With any other text,
                results are kept, whatever made them.
        """
        try:
            with collected() as found:
                metadata = images.read_with_metadata(path, "picture")[1]
        except ImageError:
            return MISSING
        if found:
            return MISSING
        wanted = origin.maker(description)
        if wanted is None:
            return cls(True)
        made = origin.maker(metadata.description)
        if made == wanted:
            return cls(True)
        if made is None and path.suffix.lower() not in origin.FORMATS:
            return cls(True, f"kept, although {path.suffix} files do not say what made them")
        return cls(False, f"made again, because its result was made by {made or 'something else'}")


MISSING = Existing(kept=False)
"""A result that does not exist, or not whole."""


def _fuse(fuse: FusePair, pair: Pair, sources: _Sources, report: Report) -> Array:
    with collected() as found:
        result = fuse(sources.ir, sources.vis)
    report.warnings += [about(pair.name, warning) for warning in (*sources.warnings, *found)]
    return result


@contextmanager
def _failures_reported(pair: Pair, report: Report) -> Iterator[None]:
    # No failure of a pair, however unexpected, may stop the run.
    try:
        yield
    except (MissingDependencyError, DeviceError):
        # These concern the machine. Every other pair would fail as well.
        raise
    except Exception as error:
        report.failures.append((pair.name, reason(error)))
