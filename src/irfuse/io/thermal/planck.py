"""From counts to temperatures, by Planck's law and the radiation of what lies between the camera and the surface.

The sensor's counts grow with the radiation that reaches it. That is the surface's own, what it reflects, and what the
air and a window before the camera radiate, less what both absorb:

    W. Minkina, S. Dudzik: "Infrared Thermography: Errors and Uncertainties", Wiley, 2009.
    G. J. Tattersall: "Thermimage: Thermal Image Analysis", doi:10.5281/zenodo.1069704, on the constants of FLIR.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irfuse.io.thermal.base import ZERO_CELSIUS, Celsius, Counts, Scene

_LEAST_SHARE = 0.5
"""The share of the pixels that must have a temperature if the numbers are possible."""
_ROUNDING = 0.01
_HOTTEST = 10_000
"""In kelvin, far above what a camera measures."""


@dataclass(frozen=True)
class Planck:
    """The constants of a camera, as FLIR names them.

    A surface of the temperature T, in kelvin, gives ``r1 / (r2 * (exp(b / T) - f)) - o`` counts. The air lets the share
    ``x * exp(-q * (alpha1 + beta1 * w)) + (1 - x) * exp(-q * (alpha2 + beta2 * w))`` through, where q is the root of
    half the distance in meters, and w the root of the water in the air.
    """

    r1: float
    r2: float
    b: float
    f: float
    o: float
    alpha1: float
    alpha2: float
    beta1: float
    beta2: float
    x: float

    def counts(self, celsius: float) -> float:
        """Compute the counts of a black surface."""
        return self.r1 / (self.r2 * (math.exp(self.b / (celsius + ZERO_CELSIUS)) - self.f)) - self.o

    def celsius(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the temperatures of black surfaces; NaN where there is none."""
        with np.errstate(all="ignore"):
            kelvin = self.b / np.log(self.r1 / (self.r2 * (counts + self.o)) + self.f)
            return np.where((kelvin > 0) & (kelvin < _HOTTEST), kelvin - ZERO_CELSIUS, np.nan)


def celsius(counts: Counts, planck: Planck, scene: Scene) -> Celsius | None:
    """Compute the temperatures of the surfaces that a camera sees.

    Args:
        counts: (H, W).
        planck: the camera's constants.
        scene: what lies between.

    Returns:
        (H, W) in °C, NaN where there is none, or None if the constants or the scene are impossible.
    """
    try:
        with np.errstate(all="ignore"):
            seen = _surface(counts, planck, scene)
    except (ArithmeticError, ValueError):
        return None
    found = planck.celsius(seen).astype(np.float32)
    return found if np.isfinite(found).mean() > _LEAST_SHARE else None


def _surface(counts: Counts, planck: Planck, scene: Scene) -> NDArray[np.float64]:
    """Compute the counts that the surfaces would give if they were black and nothing lay between.

    Raises:
        ArithmeticError, ValueError: the numbers are impossible.
    """
    emissivity, window, air = scene.emissivity, scene.transmission, scene.atmosphere
    if not (0 < emissivity <= 1 and 0 < window <= 1 and min(planck.r1, planck.r2, planck.b) > 0):
        raise ValueError
    # The window lies in the middle, with half the distance on either side.
    tau = _transmission(planck, scene)
    if not 0 < tau <= 1 + _ROUNDING:
        raise ValueError
    other = (
        (1 - emissivity) / emissivity * planck.counts(scene.reflected)
        + (1 - tau) / (emissivity * tau) * planck.counts(air)
        + (1 - window) / (emissivity * tau * window) * planck.counts(scene.window)
        + (1 - tau) / (emissivity * tau * window * tau) * planck.counts(air)
    )
    return counts.astype(np.float64) / (emissivity * tau * window * tau) - other


def _transmission(planck: Planck, scene: Scene) -> float:
    """Compute the share of the radiation that the air lets through on half the way."""
    air = scene.atmosphere
    water = math.sqrt(scene.humidity * math.exp(1.5587 + 0.06939 * air - 0.00027816 * air**2 + 0.00000068455 * air**3))
    path = math.sqrt(scene.distance / 2)
    first = math.exp(-path * (planck.alpha1 + planck.beta1 * water))
    second = math.exp(-path * (planck.alpha2 + planck.beta2 * water))
    return planck.x * first + (1 - planck.x) * second
