"""Tolerances: how close each engine and precision comes to PyTorch in float32.

``scripts/measure_tolerances.py`` measures them and writes ``tolerances.toml``.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from irfuse.engines.base import EngineName, Precision

PATH = Path(__file__).with_name("tolerances.toml")

LEAST = 50.0
"""The PSNR that ``auto`` requires, in decibels: a root-mean-square error of 0.8 of 255 gray levels."""


@dataclass(frozen=True)
class Tolerance:
    """One measurement.

    Attributes:
        spec: the method's spec.
        weights_sha256: the hash of the weights that were measured.
        engine, precision: what was compared with PyTorch in float32.
        psnr: the smallest PSNR over the luma of the sample pairs, in decibels.
        difference: the largest difference of a pixel, in [0, 1].
    """

    spec: str
    weights_sha256: str
    engine: EngineName
    precision: Precision
    psnr: float
    difference: float


@cache
def tolerances() -> tuple[Tolerance, ...]:
    """Return all measurements.

    >>> {tolerance.precision for tolerance in tolerances()} >= {"fp32", "bf16"}
    True
    """
    return tuple(Tolerance(**entry) for entry in tomllib.loads(PATH.read_text(encoding="utf-8"))["tolerances"])


def psnr(spec: str, engine: EngineName, precision: Precision) -> float | None:
    """Return the PSNR that was measured for a spec; None if it was not measured.

    PyTorch's compiler counts as PyTorch itself where it was not measured.
    """
    engines = (engine, "torch") if engine == "compile" else (engine,)
    found = {t.engine: t.psnr for t in tolerances() if (t.spec, t.precision) == (spec, precision)}
    return next((found[name] for name in engines if name in found), None)
