"""Run a benchmark: fuse and score what the cache lacks, and put the tables together."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from irfuse import __version__, datasets, notices
from irfuse.benchmark import plan as plans
from irfuse.benchmark.cache import Cache, Cost, Fused, Scored, default_folder, key
from irfuse.benchmark.costs import Meter
from irfuse.benchmark.plan import Entry, ExternalEntry, Function, FunctionEntry, MethodEntry, Plan, Scene
from irfuse.benchmark.result import Failure, Result, Shares
from irfuse.device import machine, resolve
from irfuse.errors import (
    BenchmarkWarning,
    IrfuseError,
    OutputError,
    ParameterError,
    StoppedError,
    UndefinedScoreWarning,
)
from irfuse.evaluation import batch
from irfuse.evaluation.evaluator import Evaluator
from irfuse.fuser import Fuser
from irfuse.imaging.levels import DEFAULT_THERMAL, Levels, Percentiles
from irfuse.io import images
from irfuse.io.files import sha256
from irfuse.io.pairs import Pair
from irfuse.methods import code_digest
from irfuse.progress import Progress, silent

_NOTHING = Cost(0.0, False, None, None)
"""The cost of a fused image that another program made."""


@dataclass(frozen=True)
class _Settings:
    """The settings of the Fuser.

    Attributes:
        stretch, thermal, device: as the Fuser takes them.
    """

    stretch: bool
    thermal: Levels | Percentiles
    device: str

    def key(self) -> tuple[str | bool, ...]:
        """The settings that a fused image and its cost depend on, among them the machine."""
        return self.stretch, repr(self.thermal), machine(resolve(self.device))


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
    checked before the work starts. A pair that a method fails on is listed among the failures of the result.

    Args:
        data: a named set such as ``tno21``, a folder of pairs, a CSV manifest, or pairs.
        methods: specs, such as ``res2netfuse:strategy=mean`` or ``my.py:MyMethod``.
        functions: functions by their names in tables. They fuse an infrared and a visible array as
            :func:`irfuse.io.images.read` returns them, and are called in each run.
        fused: folders of fused images by their names in tables. Another program made the images, which have the names
            of the pairs.
        protocols: the names of the protocols that compute the metrics.
        metrics: the names of the metrics, which each protocol must have. None takes all metrics of each protocol.
        stretch, thermal, device: as :class:`irfuse.Fuser` takes them. They apply to `methods`.
        jobs: the number of processes that score. With more than one, a script must guard its start with
            ``if __name__ == "__main__":``.
        cache: the folder for fused images and scores; None is ``irfuse/benchmark`` in the user's cache folder.
        on_fetch, on_fuse, on_score: called after each step of fetching, fusing and scoring.

    Raises:
        IrfuseError: an argument is wrong. The message says what to do.
        StoppedError: Ctrl-C was pressed. The same call continues the run.

    >>> import tempfile
    >>> from irfuse import samples
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = run(samples.pairs()[:2], ["average", "maximum"], metrics=["en", "qabf"], cache=folder)
    >>> result.table("canonical", "qabf").mean().round(1).to_dict()
    {'average': 0.3, 'maximum': 0.7}
    """
    start = time.perf_counter()
    if jobs < 1:
        raise ParameterError(f"jobs cannot be {jobs}; it must be at least 1")
    place = resolve(device)
    plan = plans.make(data, methods, functions or {}, fused or {}, protocols, metrics, thermal, on_fetch)
    for remark in plan.remarks:
        notices.warn(BenchmarkWarning(remark))
    store = Cache(default_folder() if cache is None else Path(cache))
    try:
        done = _Fusing(plan, store, _Settings(stretch, thermal, device), on_fuse)
        for entry in plan.entries:
            done.fuse(entry)
        scored = _Scoring(plan, store, thermal, done.fused)
        scored.run(jobs, on_score)
    except KeyboardInterrupt:
        raise StoppedError("stopped; nothing is lost; run the same again to continue") from None
    levels = "percentiles of 16 bits" if isinstance(thermal, Percentiles) else "values"
    rest = time.perf_counter() - start - done.seconds - scored.seconds
    return Result(
        data=plan.data,
        citation=_citation(plan.data),
        pairs=tuple(scene.pair for scene in plan.scenes),
        methods=tuple(entry.name for entry in plan.entries),
        scores=_with_trained(scored.table(), plan),
        costs=pd.DataFrame([_costs(entry, plan, done.fused) for entry in plan.entries]),
        fused={names: image.path for names, image in done.fused.items()},
        failures=tuple(dict.fromkeys((*done.failures, *scored.failures))),
        thermal=thermal,
        remarks=(*plan.remarks, *done.remarks(), *scored.remarks()),
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


class _Fusing:
    """The fused images of a plan by method and pair, and the failures."""

    def __init__(self, plan: Plan, cache: Cache, settings: _Settings, on_step: Progress) -> None:
        self._plan, self._cache, self._settings, self._on_step = plan, cache, settings, on_step
        self._settled = 0
        self._total = sum(
            len(entry.fused) if isinstance(entry, ExternalEntry) else len(plan.scenes) for entry in plan.entries
        )
        self.fused: dict[tuple[str, str], Fused] = {}
        self.failures: list[Failure] = []
        self.used_again = 0
        self.seconds = 0.0
        """The time that this run spent in methods."""

    def fuse(self, entry: Entry) -> None:
        """Fuse all pairs by one method."""
        if isinstance(entry, ExternalEntry):
            for scene in self._plan.scenes:
                # A remark of the plan lists what the folder lacks.
                if scene.name in entry.fused:
                    path = entry.fused[scene.name]
                    self._settle(entry, scene, Fused(path, sha256(path), _NOTHING))
            return
        rest = []
        for scene in self._plan.scenes:
            found = self._cache.fused(self._key(entry, scene)) if isinstance(entry, MethodEntry) else None
            if found is None:
                rest.append(scene)
            else:
                self.used_again += 1
                self._settle(entry, scene, found)
        if not rest:
            return
        meter = Meter(resolve(self._settings.device))
        with self._failures_named(entry, rest):
            function = self._function(entry)
            for scene in rest:
                with self._failures_named(entry, [scene]):
                    self._settle(entry, scene, self._fuse(entry, scene, function, meter))

    def remarks(self) -> list[str]:
        return [f"{method}: {pair}: {said}" for (method, pair), f in self.fused.items() for said in f.remarks]

    def _function(self, entry: MethodEntry | FunctionEntry) -> Function:
        if isinstance(entry, FunctionEntry):
            return entry.function
        how = self._settings
        # Scores must not depend on what is installed, and only PyTorch counts operations.
        fuser = Fuser(
            entry.spec,
            device=how.device,
            engine="torch",
            precision="fp32",
            stretch=how.stretch,
            thermal=how.thermal,
        )
        if code_digest(type(fuser.method)) != entry.code:
            raise ParameterError(f"the code of {entry.spec} has changed since this run began; run it again")
        return fuser

    def _key(self, entry: MethodEntry | FunctionEntry, scene: Scene) -> str:
        if isinstance(entry, FunctionEntry):
            # The record is never looked up, and each run replaces it.
            return key("function", entry.name, scene.ir_sha256, scene.vis_sha256)
        content = (entry.digest, *filter(None, [entry.code]), scene.ir_sha256, scene.vis_sha256)
        return key("fused", __version__, entry.spec, *content, *self._settings.key())

    def _fuse(self, entry: MethodEntry | FunctionEntry, scene: Scene, function: Function, meter: Meter) -> Fused:
        ir, vis = images.read(scene.pair.ir), images.read(scene.pair.vis)
        with notices.collected() as found:
            fused, cost = meter.measure(function, ir, vis)
        self.seconds += cost.seconds
        return self._cache.keep_fused(self._key(entry, scene), fused, cost, tuple(map(str, found)))

    @contextmanager
    def _failures_named(self, entry: Entry, scenes: Sequence[Scene]) -> Iterator[None]:
        # No failure of a pair, however unexpected, may stop the run. If the disk is full, nothing could be kept.
        try:
            yield
        except OutputError:
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, IrfuseError) else f"{type(error).__name__}: {error}"
            for scene in scenes:
                self.failures.append(Failure(entry.name, scene.name, " ".join(reason.split())))
                self._step(entry, scene)

    def _settle(self, entry: Entry, scene: Scene, fused: Fused) -> None:
        self.fused[entry.name, scene.name] = fused
        self._step(entry, scene)

    def _step(self, entry: Entry, scene: Scene) -> None:
        self._settled += 1
        self._on_step(self._settled, self._total, f"{entry.name}: {scene.name}")


class _Scoring:
    """The scores of fused images. Equal images of one pair are scored once."""

    def __init__(
        self, plan: Plan, cache: Cache, thermal: Levels | Percentiles, fused: Mapping[tuple[str, str], Fused]
    ) -> None:
        self._plan, self._cache, self._thermal, self._fused = plan, cache, thermal, fused
        self._keys = {
            (protocol, scene.name, entry.name): key(
                "scores", __version__, fused[names].sha256, scene.ir_sha256, scene.vis_sha256, repr(thermal), protocol
            )
            for protocol in plan.evaluators
            for scene in plan.scenes
            for entry in plan.entries
            if (names := (entry.name, scene.name)) in fused
        }
        self.found: dict[str, Scored] = {}
        self.failures: list[Failure] = []
        self.used_again = 0
        self.seconds = 0.0
        """The time that this run spent on scoring."""

    def run(self, jobs: int, on_step: Progress) -> None:
        """Score what is not scored yet, pair by pair, so that the methods share what is computed from the sources."""
        self.found = {digest: self._cache.scores(digest) for digest in self._keys.values()}
        parts = self._parts()
        total, done = sum(map(len, parts.values())), 0
        self.used_again = len(set(self._keys.values())) - total
        start = time.perf_counter()
        for (protocol, metrics), triples in parts.items():
            evaluator = Evaluator(metrics, protocol, thermal=self._thermal)
            for outcome in batch.run(triples, evaluator, jobs=jobs):
                self._keep(outcome)
                done += 1
                on_step(done, total, protocol)
        self.seconds = time.perf_counter() - start

    def table(self) -> pd.DataFrame:
        rows = [
            (method, pair, protocol, metric, self.found[digest].scores[metric])
            for (protocol, pair, method), digest in self._keys.items()
            for metric in self._plan.evaluators[protocol].metrics
            if metric in self.found[digest].scores
        ]
        return pd.DataFrame(rows, columns=["method", "pair", "protocol", "metric", "value"])

    def remarks(self) -> list[str]:
        """Remark on images that look wrong, and on undefined scores of the requested metrics."""
        said: dict[str, None] = {}
        for (protocol, pair, method), digest in self._keys.items():
            found = self.found[digest]
            undefined: dict[str, list[str]] = {}
            for metric in self._plan.evaluators[protocol].metrics:
                if metric in found.undefined:
                    undefined.setdefault(found.undefined[metric], []).append(metric)
            for remark in (*found.remarks, *(f"{', '.join(m)}: undefined: {why}" for why, m in undefined.items())):
                said[f"{method}: {pair}: {remark}"] = None
        return list(said)

    def _parts(self) -> dict[tuple[str, tuple[str, ...]], list[batch.Triple]]:
        """List what to score by the protocol and the missing metrics."""
        parts: dict[tuple[str, tuple[str, ...]], dict[str, batch.Triple]] = {}
        pairs = {scene.name: scene.pair for scene in self._plan.scenes}
        for (protocol, pair, method), digest in self._keys.items():
            known = self.found[digest].scores
            missing = tuple(name for name in self._plan.evaluators[protocol].metrics if name not in known)
            if missing:
                triple = batch.Triple(digest, self._fused[method, pair].path, pairs[pair].ir, pairs[pair].vis)
                parts.setdefault((protocol, missing), {})[digest] = triple
        return {part: list(triples.values()) for part, triples in parts.items()}

    def _keep(self, outcome: batch.Outcome) -> None:
        if outcome.error is None:
            undefined = [warning for warning in outcome.warnings if isinstance(warning, UndefinedScoreWarning)]
            causes = {metric: warning.cause for warning in undefined for metric in warning.metrics}
            remarks = tuple(str(warning) for warning in outcome.warnings if warning not in undefined)
            scored = Scored(outcome.scores, causes, remarks)
            self.found[outcome.name] = self._cache.keep_scores(outcome.name, scored)
            return
        for (_, pair, method), digest in self._keys.items():
            if digest == outcome.name:
                self.failures.append(Failure(method, pair, str(outcome.error)))


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
