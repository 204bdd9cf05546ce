"""How near each engine and precision comes to float32 PyTorch, as measured: ``tolerances.toml``.

``scripts/measure_tolerances.py`` measures and writes it.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from irfuse.engines.base import EngineName, Precision

PATH = Path(__file__).with_name("tolerances.toml")

LEAST = 50.0
"""What ``auto`` asks for, in decibels: an error of 0.8 gray levels of 255 in the square mean."""


@dataclass(frozen=True)
class Tolerance:
    """One measurement.

    Attributes:
        spec: of the method.
        weights_sha256: of the weights that were measured.
        engine, precision: what was compared with float32 PyTorch.
        psnr: the smallest over the sample pairs, in decibels, from their luma to the method's own result.
        difference: the largest of a pixel, in [0, 1].
    """

    spec: str
    weights_sha256: str
    engine: EngineName
    precision: Precision
    psnr: float
    difference: float


@cache
def tolerances() -> tuple[Tolerance, ...]:
    """All that was measured.

    >>> {tolerance.precision for tolerance in tolerances()} >= {"fp32", "bf16"}
    True
    """
    return tuple(Tolerance(**entry) for entry in tomllib.loads(PATH.read_text(encoding="utf-8"))["tolerances"])


def psnr(spec: str, engine: EngineName, precision: Precision) -> float | None:
    """What was measured for a spec; None if nothing was.

    What PyTorch's compiler makes is as near as PyTorch itself, where it was not measured.
    """
    engines = (engine, "torch") if engine == "compile" else (engine,)
    found = {t.engine: t.psnr for t in tolerances() if (t.spec, t.precision) == (spec, precision)}
    return next((found[name] for name in engines if name in found), None)
