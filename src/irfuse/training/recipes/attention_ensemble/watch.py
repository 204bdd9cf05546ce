"""The watch over an adversarial training."""

from statistics import median
from typing import Any

from irfuse.errors import DivergedError

_WATCHED = 100
_DIVERGED = 10.0


class Watch:
    """Notices when the reconstruction becomes useless.

    Args:
        way_out: the options that the error recommends to lower.
    """

    def __init__(self, way_out: str) -> None:
        self._way_out = way_out
        self._pixels: list[float] = []
        self._variances: list[float] = []
        self._best = float("inf")

    def add(self, pixel: float, variance: float) -> None:
        """Notice when the reconstruction is much worse than before, for longer than a few steps.

        Args:
            pixel: the pixel loss of a step.
            variance: the variance of its images.

        Raises:
            DivergedError: the loss has become ten times what it was at its best.
        """
        self._pixels = [*self._pixels, pixel][-_WATCHED:]
        self._variances = [*self._variances, variance][-_WATCHED:]
        if len(self._pixels) == _WATCHED:
            now = median(self._pixels)
            if now > _DIVERGED * self._best:
                self._fail(f"{now:.2g}, and was {self._best:.2g}")
            self._best = min(self._best, now)

    def check_learned(self) -> None:
        """Notice, at the end of all but the shortest trainings, that a gray image would be as close.

        Raises:
            DivergedError: the pixel loss is not below the variance of the images.
        """
        if len(self._pixels) == _WATCHED and median(self._pixels) > median(self._variances):
            self._fail(f"{median(self._pixels):.2g}, no better than a gray image")

    def state_dict(self) -> dict[str, Any]:
        return {"pixels": self._pixels, "variances": self._variances, "best": self._best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._pixels, self._variances, self._best = state["pixels"], state["variances"], state["best"]

    def _fail(self, pixel: str) -> None:
        raise DivergedError(f"the training diverged: the pixel loss is {pixel}; use a smaller {self._way_out}")
