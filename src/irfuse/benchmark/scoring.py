"""Scoring: the scores of fused images, from the cache or computed now."""

import time
from collections.abc import Mapping

import pandas as pd

from irfuse import __version__
from irfuse.benchmark.cache import Cache, Fused, Scored, key
from irfuse.benchmark.plan import Plan
from irfuse.benchmark.result import Failure, Remark
from irfuse.errors import ImageFileWarning, UndefinedScoreWarning
from irfuse.evaluation import batch
from irfuse.evaluation.evaluator import Evaluator
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.progress import Progress


class Scoring:
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

    def remarks(self) -> list[Remark]:
        """Remark on images that look wrong, and on undefined scores of the requested metrics."""
        said: dict[Remark, None] = {}
        for (protocol, pair, method), digest in self._keys.items():
            found = self.found[digest]
            undefined: dict[str, list[str]] = {}
            for metric in self._plan.evaluators[protocol].metrics:
                if metric in found.undefined:
                    undefined.setdefault(found.undefined[metric], []).append(metric)
            for remark in (*found.remarks, *(f"{', '.join(m)}: undefined: {why}" for why, m in undefined.items())):
                said[Remark(method, pair, remark)] = None
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
            # The plan has said what reading remarks.
            said = (UndefinedScoreWarning, ImageFileWarning)
            remarks = tuple(str(warning) for warning in outcome.warnings if not isinstance(warning, said))
            scored = Scored(outcome.scores, causes, remarks)
            self.found[outcome.name] = self._cache.keep_scores(outcome.name, scored)
            return
        for (_, pair, method), digest in self._keys.items():
            if digest == outcome.name:
                self.failures.append(Failure(method, pair, str(outcome.error)))
