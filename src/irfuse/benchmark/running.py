"""Run a benchmark: fuse and score what the cache lacks, and put the tables together."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from irfuse import __version__, datasets, notices
from irfuse.benchmark import plan as plans
from irfuse.benchmark.cache import Cache, Fused
from irfuse.benchmark.fusing import Fusing, Settings
from irfuse.benchmark.plan import Entry, ExternalEntry, Function, FunctionEntry, MethodEntry, Plan
from irfuse.benchmark.result import EVERY_METHOD, Failure, Remark, Result, Shares
from irfuse.benchmark.scoring import Scoring
from irfuse.device import machine, resolve
from irfuse.errors import (
    BenchmarkError,
    BenchmarkWarning,
    ParameterError,
    StoppedError,
)
from irfuse.imaging.levels import DEFAULT_THERMAL, Levels, Percentiles
from irfuse.io.files import user_cache
from irfuse.io.pairs import Pair
from irfuse.progress import Progress, silent


def run(
    data: str | Path | Sequence[Pair],
    methods: Sequence[str] = (),
    *,
    functions: Mapping[str, Function] | None = None,
    fused: Mapping[str, str | Path] | None = None,
    protocols: Sequence[str] = ("canonical",),
    metrics: Sequence[str] | None = None,
    stretch: bool = False,
    thermal: Levels | Percentiles = DEFAULT_THERMAL,
    device: str = "auto",
    jobs: int = 1,
    cache: str | Path | None = None,
    on_fetch: Progress = silent,
    on_fuse: Progress = silent,
    on_score: Progress = silent,
) -> Result:
    """Fuse pairs with methods, and score the results. Results of earlier runs are reused.

    Methods run on engine ``torch`` in ``fp32``, so that the scores do not depend on the installed engines. All input is
    checked before the work starts. A pair that cannot be read, or that a method fails on, costs only itself: it
    is listed among the failures of the result.

    Args:
        data: a named set such as ``tno21``, a folder of pairs, a CSV manifest, or pairs.
        methods: specs, such as ``res2netfuse:strategy=mean`` or ``my.py:MyMethod``.
        functions: functions by their names in tables. They fuse an infrared and a visible array as
            :func:`irfuse.io.images.read` returns them, and are called in each run.
        fused: folders of fused images by their names in tables. Another program made the images, which have the names
            of the pairs.
        protocols: the names of the protocols that compute the metrics.
        metrics: the names of the metrics, which each protocol must have. None takes all of the protocol, and of
            ``canonical`` the eight of the tables of CDDFuse. ``["all"]`` takes all metrics of each protocol.
        stretch, thermal, device: as :class:`irfuse.Fuser` takes them. They apply to `methods`.
        jobs: the number of processes that score. With more than one, a script must guard its start with
            ``if __name__ == "__main__":``.
        cache: the folder for fused images and scores; None is ``irfuse/benchmark`` in the user's cache folder.
        on_fetch, on_fuse, on_score: called after each step of fetching, fusing and scoring.

    Raises:
        IrfuseError: an argument is wrong. The message says what to do.
        BenchmarkError: no score could be computed.
        StoppedError: Ctrl-C was pressed. The same call continues the run.

    Warns:
        BenchmarkWarning: a method failed on some pairs, or was trained on some, or files have no partner, or there are
            remarks on pairs.

    >>> import tempfile
    >>> from irfuse import samples
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = run(samples.pairs()[1:3], ["average", "maximum"], metrics=["en", "qabf"], cache=folder)
    >>> result.table("canonical", "qabf").mean().round(1).to_dict()
    {'average': 0.3, 'maximum': 0.6}
    """
    start = time.perf_counter()
    if jobs < 1:
        raise ParameterError(f"jobs cannot be {jobs}; it must be at least 1")
    place = resolve(device)
    plan = plans.make(data, methods, functions or {}, fused or {}, protocols, metrics, thermal, on_fetch)
    for remark in plan.remarks:
        notices.warn(BenchmarkWarning(remark))
    store = Cache(user_cache("benchmark") if cache is None else Path(cache))
    try:
        done = Fusing(plan, store, Settings(stretch, thermal, device), on_fuse)
        for entry in plan.entries:
            done.fuse(entry)
        scored = Scoring(plan, store, thermal, done.fused)
        scored.run(jobs, on_score)
    except KeyboardInterrupt:
        raise StoppedError("stopped; nothing is lost; run the same again to continue") from None
    failures = tuple(dict.fromkeys((*plan.failures, *done.failures, *scored.failures)))
    scores = scored.table()
    unreadable = sum(failure.method == EVERY_METHOD for failure in failures)
    summaries = _summaries(failures, len(plan.scenes) + unreadable)
    if scores.empty:
        raise BenchmarkError("; ".join(["nothing could be scored", *summaries]))
    remarks = _lines((*done.remarks(), *scored.remarks()), plan)
    for summary in (*summaries, *_summary(remarks)):
        notices.warn(BenchmarkWarning(summary))
    levels = "percentiles of raw values" if isinstance(thermal, Percentiles) else "values"
    rest = time.perf_counter() - start - done.seconds - scored.seconds
    return Result(
        data=plan.data,
        citation=_citation(plan.data),
        pairs=tuple(scene.pair for scene in plan.scenes),
        methods=tuple(entry.name for entry in plan.entries),
        scores=_with_trained(scores, plan),
        costs=pd.DataFrame([_costs(entry, plan, done.fused) for entry in plan.entries]),
        fused={names: image.path for names, image in done.fused.items()},
        failures=failures,
        thermal=thermal,
        remarks=(*plan.remarks, *remarks),
        shares=Shares(done.seconds, scored.seconds, rest, jobs, done.used_again, scored.used_again),
        machine=machine(place),
        settings={
            "irfuse": __version__,
            "stretch": "yes" if stretch else "no",
            "infrared": f"from {thermal.low:g} to {thermal.high:g} ({levels})",
            "device": place.type,
            "engine": "torch in fp32",
        },
    )


def _summaries(failures: Sequence[Failure], pairs: int) -> list[str]:
    """Say for each method on how many of the pairs it failed, and why it first did."""
    summaries = []
    for method in dict.fromkeys(failure.method for failure in failures):
        theirs = [failure for failure in failures if failure.method == method]
        count, first = len({failure.pair for failure in theirs}), theirs[0]
        summaries.append(f"{method} failed on {count} of {pairs} pairs; the first: {first.pair}: {first.reason}")
    return summaries


def _summary(lines: Sequence[str]) -> list[str]:
    """Say how many remarks there are on pairs, and the first; none if there are none."""
    if len(lines) < 2:
        return list(lines)
    return [f"{len(lines)} remarks on pairs, which the report lists; the first: {lines[0]}"]


def _lines(remarks: Sequence[Remark], plan: Plan) -> list[str]:
    """Write each remark on a pair in one line, with the methods that it was made on unless these are all of several."""
    methods: dict[tuple[str, str], dict[str, None]] = {}
    for remark in remarks:
        methods.setdefault((remark.pair, remark.text), {})[remark.method] = None
    every = len(plan.entries) if len(plan.entries) > 1 else None
    return [
        f"{pair}: {text}" if len(named) == every else f"{', '.join(named)}: {pair}: {text}"
        for (pair, text), named in methods.items()
    ]


def _with_trained(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Add the column ``trained``: whether the method's weights were trained on an image of the pair."""
    known = {
        (entry.name, scene.name) for entry in plan.entries for scene in plan.scenes if plans.is_trained_on(entry, scene)
    }
    trained = [names in known for names in zip(scores["method"], scores["pair"], strict=True)]
    return scores.assign(trained=pd.Series(trained, dtype=bool))


def _citation(data: str) -> str:
    """The source and the license of a named set; empty for other data."""
    sets = {known.name: known for known in (*datasets.PAIR_SETS, *datasets.BENCHMARK_SETS)}
    return f"{sets[data].citation} (license: {sets[data].license})" if data in sets else ""


def _costs(entry: Entry, plan: Plan, fused: Mapping[tuple[str, str], Fused]) -> dict[str, object]:
    """The row of a method in the table of costs."""
    known = [(scene, fused[entry.name, scene.name].cost) for scene in plan.scenes if (entry.name, scene.name) in fused]
    times = [cost.seconds for _, cost in known if cost.counts]
    memory = [cost.memory for _, cost in known if cost.memory is not None]
    counted = [(cost.operations, scene.size) for scene, cost in known if cost.operations is not None]
    # Only PyTorch's operations are counted, and a function may compute otherwise.
    if isinstance(entry, FunctionEntry):
        counted = [(operations, size) for operations, size in counted if operations]
    operations, size = counted[0] if counted else (None, None)
    return {
        "method": entry.name,
        "kind": {MethodEntry: "method", FunctionEntry: "function", ExternalEntry: "external"}[type(entry)],
        "seconds": sum(times) / len(times) if times else float("nan"),
        "timed": len(times),
        "memory": float(max(memory)) if memory else float("nan"),
        "parameters": float(entry.parameters) if isinstance(entry, MethodEntry) else float("nan"),
        "operations": float("nan") if operations is None else float(operations),
        "size": f"{size[1]}x{size[0]}" if size else "",
    }
