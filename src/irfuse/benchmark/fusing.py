"""Fusing: the fused images of a plan, from the cache or made now."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from irfuse import __version__, notices
from irfuse.benchmark.cache import Cache, Cost, Fused, key
from irfuse.benchmark.costs import Meter
from irfuse.benchmark.plan import Entry, ExternalEntry, Function, FunctionEntry, MethodEntry, Plan, Scene
from irfuse.benchmark.result import Failure, Remark
from irfuse.device import machine, resolve
from irfuse.errors import OutputError, ParameterError, reason
from irfuse.fuser import Fuser
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.io import images
from irfuse.io.files import sha256
from irfuse.methods import code_digest
from irfuse.progress import Progress

_NOTHING = Cost(0.0, False, None, None)
"""The cost of a fused image that another program made."""


@dataclass(frozen=True)
class Settings:
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


class Fusing:
    """The fused images of a plan by method and pair, and the failures."""

    def __init__(self, plan: Plan, cache: Cache, settings: Settings, on_step: Progress) -> None:
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
        kept = self._kept(entry)
        rest = [scene for scene in self._plan.scenes if scene.name not in kept]
        if not rest and all(fused.cost.operations is None for fused in kept.values()):
            # The pair whose operations an earlier run counted is not one of these. Fusing a pair again counts them.
            rest = list(self._plan.scenes[:1])
        for scene in self._plan.scenes:
            if scene not in rest:
                self.used_again += 1
                self._settle(entry, scene, kept[scene.name])
        if not rest:
            return
        meter = Meter(resolve(self._settings.device))
        with self._failures_named(entry, rest):
            function = self._function(entry)
            for scene in rest:
                with self._failures_named(entry, [scene]):
                    self._settle(entry, scene, self._fuse(entry, scene, function, meter, kept.get(scene.name)))

    def remarks(self) -> list[Remark]:
        return [Remark(method, pair, said) for (method, pair), f in self.fused.items() for said in f.remarks]

    def _kept(self, entry: MethodEntry | FunctionEntry) -> dict[str, Fused]:
        """Look up the fused images of a method in the cache, by their pairs. There are none of a function."""
        if isinstance(entry, FunctionEntry):
            return {}
        found = {scene.name: self._cache.fused(self._key(entry, scene)) for scene in self._plan.scenes}
        return {name: fused for name, fused in found.items() if fused is not None}

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

    def _fuse(
        self,
        entry: MethodEntry | FunctionEntry,
        scene: Scene,
        function: Function,
        meter: Meter,
        former: Fused | None,
    ) -> Fused:
        """Fuse a pair, and keep the fused image. The time and the memory of a former call stay."""
        # The plan has said what reading remarks.
        with notices.collected():
            ir, vis = images.read(scene.pair.ir), images.read(scene.pair.vis, "visible")
        with notices.collected() as found:
            fused, cost = meter.measure(function, ir, vis)
        self.seconds += cost.seconds
        if former is not None:
            cost = replace(former.cost, operations=cost.operations)
        return self._cache.keep_fused(self._key(entry, scene), fused, cost, tuple(map(str, found)))

    @contextmanager
    def _failures_named(self, entry: Entry, scenes: Sequence[Scene]) -> Iterator[None]:
        # No failure of a pair, however unexpected, may stop the run. If the disk is full, nothing could be kept.
        try:
            yield
        except OutputError:
            raise
        except Exception as error:
            for scene in scenes:
                self.failures.append(Failure(entry.name, scene.name, reason(error)))
                self._step(entry, scene)

    def _settle(self, entry: Entry, scene: Scene, fused: Fused) -> None:
        self.fused[entry.name, scene.name] = fused
        self._step(entry, scene)

    def _step(self, entry: Entry, scene: Scene) -> None:
        self._settled += 1
        self._on_step(self._settled, self._total, f"{entry.name}: {scene.name}")
