"""Fuse what is not fused yet, score what is not scored yet, and put the tables together."""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from irfuse import __version__, datasets
from irfuse.benchmark import plan as plans
from irfuse.benchmark.cache import Cache, Cost, Fused, Scored, default_folder, key
from irfuse.benchmark.costs import Meter
from irfuse.benchmark.plan import Entrant, Function, Guest, Method, Own, Plan, Scene
from irfuse.benchmark.result import Hole, Result, Shares
from irfuse.device import machine, resolve
from irfuse.errors import (
    BenchmarkWarning,
    IrfuseError,
    OutputError,
    ParameterError,
    StoppedError,
    SuspiciousPairWarning,
    UndefinedScoreWarning,
)
from irfuse.evaluation import batch
from irfuse.evaluation.evaluator import Evaluator
from irfuse.fuser import Fuser
from irfuse.imaging.levels import DEFAULT_THERMAL, Levels, Percentiles
from irfuse.io import images
from irfuse.io.files import sha256
from irfuse.io.pairs import Pair
from irfuse.progress import Progress, silent

_NOTHING = Cost(0.0, False, None, None)
"""What the fused image of another program took here."""


@dataclass(frozen=True)
class _Settings:
    """How methods of irfuse fuse.

    Attributes:
        stretch, thermal, device: as the Fuser takes them.
    """

    stretch: bool
    thermal: Levels | Percentiles
    device: str

    def key(self) -> tuple[str | bool, ...]:
        """What a fused image and its cost depend on. The machine is among it: seconds of another one say nothing."""
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
    """Fuse pairs by methods, and score what they give. What was done before is not done again.

    irfuse's methods are computed by engine ``torch`` in ``fp32``, whatever is installed.

    Everything is checked before the work starts. A method that fails on a pair leaves a hole that the result names.

    Args:
        data: a named set (``tno21``), a folder of pairs, a CSV manifest, or pairs.
        methods: specs of irfuse's methods, such as ``res2netfuse:strategy=mean``.
        functions: by their names in tables, functions that fuse an infrared and a visible array as
            :func:`irfuse.io.images.read` returns them. They are called in each run.
        fused: by their names in tables, folders of fused images that another program made, named like the pairs.
        protocols: whose ways to compute the metrics.
        metrics: names; each protocol must have them. None means all that it has.
        stretch, thermal, device: as :class:`irfuse.Fuser` takes them, for irfuse's methods.
        jobs: processes that score. With more than one, a script needs ``if __name__ == "__main__":`` around its start.
        cache: the folder for fused images and scores; None is ``irfuse/benchmark`` where this user's caches lie.
        on_fetch, on_fuse, on_score: told how far the parts of the work are.

    Raises:
        IrfuseError: something is wrong with what was given; the message says what to do.
        StoppedError: Ctrl-C; the same call goes on.

    >>> import tempfile
    >>> from irfuse import samples
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = run(samples.pairs()[:2], ["average", "maximum"], metrics=["en", "qabf"], cache=folder)
    >>> result.table("canonical", "qabf").mean().round(1).to_dict()
    {'average': 0.3, 'maximum': 0.7}
    """
    start = time.perf_counter()
    if jobs < 1:
        raise ParameterError(f"jobs cannot be {jobs}; at least one is needed")
    place = resolve(device)
    plan = plans.make(data, methods, functions or {}, fused or {}, protocols, metrics, thermal, on_fetch)
    for remark in plan.remarks:
        warnings.warn(remark, BenchmarkWarning, stacklevel=2)
    store = Cache(default_folder() if cache is None else Path(cache))
    try:
        done = _Fusing(plan, store, _Settings(stretch, thermal, device), on_fuse)
        for entrant in plan.entrants:
            done.fuse(entrant)
        scored = _Scoring(plan, store, thermal, done.fused)
        scored.run(jobs, on_score)
    except KeyboardInterrupt:
        raise StoppedError("stopped; nothing is lost: the same again goes on") from None
    levels = "percentiles of 16 bits" if isinstance(thermal, Percentiles) else "values"
    rest = time.perf_counter() - start - done.seconds - scored.seconds
    return Result(
        data=plan.data,
        citation=_citation(plan.data),
        pairs=tuple(scene.pair for scene in plan.scenes),
        entrants=tuple(entrant.name for entrant in plan.entrants),
        scores=_with_trained(scored.table(), plan),
        costs=pd.DataFrame([_costs(entrant, plan, done.fused) for entrant in plan.entrants]),
        fused={names: image.path for names, image in done.fused.items()},
        holes=tuple(dict.fromkeys((*done.holes, *scored.holes))),
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
    """The fused images of a plan, by entrant and pair, and what could not be fused."""

    def __init__(self, plan: Plan, cache: Cache, settings: _Settings, on_step: Progress) -> None:
        self._plan, self._cache, self._settings, self._on_step = plan, cache, settings, on_step
        self._settled = 0
        self._total = sum(
            len(entrant.fused) if isinstance(entrant, Guest) else len(plan.scenes) for entrant in plan.entrants
        )
        self.fused: dict[tuple[str, str], Fused] = {}
        self.holes: list[Hole] = []
        self.used_again = 0
        self.seconds = 0.0
        """Those that this run spent in methods."""

    def fuse(self, entrant: Entrant) -> None:
        """Fuse all pairs by one entrant."""
        if isinstance(entrant, Guest):
            for scene in self._plan.scenes:
                # What its folder lacks, a remark of the plan has said.
                if scene.name in entrant.fused:
                    path = entrant.fused[scene.name]
                    self._settle(entrant, scene, Fused(path, sha256(path), _NOTHING))
            return
        rest = []
        for scene in self._plan.scenes:
            found = self._cache.fused(self._key(entrant, scene)) if isinstance(entrant, Method) else None
            if found is None:
                rest.append(scene)
            else:
                self.used_again += 1
                self._settle(entrant, scene, found)
        if not rest:
            return
        meter = Meter(resolve(self._settings.device))
        with self._failures_named(entrant, rest):
            function = self._function(entrant)
            for scene in rest:
                with self._failures_named(entrant, [scene]):
                    self._settle(entrant, scene, self._fuse(entrant, scene, function, meter))

    def remarks(self) -> list[str]:
        return [f"{entrant}: {pair}: {said}" for (entrant, pair), f in self.fused.items() for said in f.remarks]

    def _function(self, entrant: Method | Own) -> Function:
        if isinstance(entrant, Own):
            return entrant.function
        how = self._settings
        # Scores are not to depend on what is installed, and operations are counted by PyTorch alone.
        return Fuser(
            entrant.spec,
            device=how.device,
            engine="torch",
            precision="fp32",
            stretch=how.stretch,
            thermal=how.thermal,
        )

    def _key(self, entrant: Method | Own, scene: Scene) -> str:
        if isinstance(entrant, Own):
            # The record is never looked up, and overwritten in each run.
            return key("function", entrant.name, scene.ir_sha256, scene.vis_sha256)
        content = (entrant.digest, scene.ir_sha256, scene.vis_sha256)
        return key("fused", __version__, entrant.spec, *content, *self._settings.key())

    def _fuse(self, entrant: Method | Own, scene: Scene, function: Function, meter: Meter) -> Fused:
        ir, vis = images.read(scene.pair.ir), images.read(scene.pair.vis)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SuspiciousPairWarning)
            fused, cost = meter.measure(function, ir, vis)
        self.seconds += cost.seconds
        remarks = tuple(str(w.message) for w in caught if issubclass(w.category, SuspiciousPairWarning))
        return self._cache.keep_fused(self._key(entrant, scene), fused, cost, remarks)

    @contextmanager
    def _failures_named(self, entrant: Entrant, scenes: Sequence[Scene]) -> Iterator[None]:
        # Whatever a method does to a pair, even something unforeseen, must not cost the others. Where nothing can be
        # kept, they would be lost, too.
        try:
            yield
        except OutputError:
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, IrfuseError) else f"{type(error).__name__}: {error}"
            for scene in scenes:
                self.holes.append(Hole(entrant.name, scene.name, " ".join(reason.split())))
                self._step(entrant, scene)

    def _settle(self, entrant: Entrant, scene: Scene, fused: Fused) -> None:
        self.fused[entrant.name, scene.name] = fused
        self._step(entrant, scene)

    def _step(self, entrant: Entrant, scene: Scene) -> None:
        self._settled += 1
        self._on_step(self._settled, self._total, f"{entrant.name}: {scene.name}")


class _Scoring:
    """The scores of fused images. Those of equal images of one pair are one."""

    def __init__(
        self, plan: Plan, cache: Cache, thermal: Levels | Percentiles, fused: Mapping[tuple[str, str], Fused]
    ) -> None:
        self._plan, self._cache, self._thermal, self._fused = plan, cache, thermal, fused
        self._keys = {
            (protocol, scene.name, entrant.name): key(
                "scores", __version__, fused[names].sha256, scene.ir_sha256, scene.vis_sha256, repr(thermal), protocol
            )
            for protocol in plan.evaluators
            for scene in plan.scenes
            for entrant in plan.entrants
            if (names := (entrant.name, scene.name)) in fused
        }
        self.found: dict[str, Scored] = {}
        self.holes: list[Hole] = []
        self.used_again = 0
        self.seconds = 0.0
        """Those that this run spent on scoring."""

    def run(self, jobs: int, on_step: Progress) -> None:
        """Score what is not scored yet, pair by pair, so that what is computed of the sources is shared."""
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
            (entrant, pair, protocol, metric, self.found[digest].scores[metric])
            for (protocol, pair, entrant), digest in self._keys.items()
            for metric in self._plan.evaluators[protocol].metrics
            if metric in self.found[digest].scores
        ]
        return pd.DataFrame(rows, columns=["entrant", "pair", "protocol", "metric", "value"])

    def remarks(self) -> list[str]:
        """What looks wrong, and which of the metrics that were asked for are undefined."""
        said: dict[str, None] = {}
        for (protocol, pair, entrant), digest in self._keys.items():
            found = self.found[digest]
            undefined: dict[str, list[str]] = {}
            for metric in self._plan.evaluators[protocol].metrics:
                if metric in found.undefined:
                    undefined.setdefault(found.undefined[metric], []).append(metric)
            for remark in (*found.remarks, *(f"{', '.join(m)}: undefined: {why}" for why, m in undefined.items())):
                said[f"{entrant}: {pair}: {remark}"] = None
        return list(said)

    def _parts(self) -> dict[tuple[str, tuple[str, ...]], list[batch.Triple]]:
        """What to score, by the protocol and the metrics that are missing."""
        parts: dict[tuple[str, tuple[str, ...]], dict[str, batch.Triple]] = {}
        pairs = {scene.name: scene.pair for scene in self._plan.scenes}
        for (protocol, pair, entrant), digest in self._keys.items():
            known = self.found[digest].scores
            missing = tuple(name for name in self._plan.evaluators[protocol].metrics if name not in known)
            if missing:
                triple = batch.Triple(digest, self._fused[entrant, pair].path, pairs[pair].ir, pairs[pair].vis)
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
        for (_, pair, entrant), digest in self._keys.items():
            if digest == outcome.name:
                self.holes.append(Hole(entrant, pair, str(outcome.error)))


def _with_trained(scores: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Scores with a column that says whether the entrant's weights were trained on an image of the pair."""
    known = {
        (entrant.name, scene.name)
        for entrant in plan.entrants
        for scene in plan.scenes
        if plans.is_trained_on(entrant, scene)
    }
    trained = [names in known for names in zip(scores["entrant"], scores["pair"], strict=True)]
    return scores.assign(trained=pd.Series(trained, dtype=bool))


def _citation(data: str) -> str:
    """Whom to cite for a named set, and under which licence it is; empty for other data."""
    sets = {known.name: known for known in (*datasets.PAIR_SETS, *datasets.BENCHMARK_SETS)}
    return f"{sets[data].citation} (licence: {sets[data].licence})" if data in sets else ""


def _costs(entrant: Entrant, plan: Plan, fused: Mapping[tuple[str, str], Fused]) -> dict[str, object]:
    """The row of an entrant in the table of costs."""
    known = [
        (scene, fused[entrant.name, scene.name].cost) for scene in plan.scenes if (entrant.name, scene.name) in fused
    ]
    times = [cost.seconds for _, cost in known if cost.counts]
    memory = [cost.memory for _, cost in known if cost.memory is not None]
    counted = [(cost.operations, scene.size) for scene, cost in known if cost.operations is not None]
    # Of a function only those operations are known that PyTorch does.
    if isinstance(entrant, Own):
        counted = [(operations, size) for operations, size in counted if operations]
    operations, size = counted[0] if counted else (None, None)
    return {
        "entrant": entrant.name,
        "kind": {Method: "method", Own: "function", Guest: "guest"}[type(entrant)],
        "seconds": sum(times) / len(times) if times else float("nan"),
        "timed": len(times),
        "memory": float(max(memory)) if memory else float("nan"),
        "parameters": float(entrant.parameters) if isinstance(entrant, Method) else float("nan"),
        "operations": float("nan") if operations is None else float(operations),
        "size": f"{size[1]}x{size[0]}" if size else "",
    }
