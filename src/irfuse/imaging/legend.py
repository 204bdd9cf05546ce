"""Legends: a bar of colors with the values that they stand for, drawn into a picture."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from irfuse import notices
from irfuse.errors import SuspiciousPairWarning

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_NORMAL = 480
"""The height of a picture for which the sizes in pixels are meant; larger ones get larger legends."""
_MARGIN, _BAR, _SMALLEST_TEXT = 8, 16, 0.35
_TICKS = 5
_DIMMED = 0.35
_DIGITS, _MISPLACED = 4, 0.05
"""The most digits behind the point, and the error of a rounded value, as a part of the distance to the next one."""


@dataclass(frozen=True)
class Legend:
    """A bar of colors.

    Attributes:
        colors: from the lowest value to the highest, (N, 3), RGB of 8 bits.
        low, high: these values.
        unit: what follows each value, such as ``°C``; empty for counts.
    """

    colors: NDArray[np.uint8]
    low: float
    high: float
    unit: str = ""

    def drawn(self, picture: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Draw the legend at the right edge of a picture.

        Args:
            picture: (H, W, 3), RGB in [0, 1].

        Returns:
            A copy. A picture that is too small for a legend stays as it is.

        Warns:
            SuspiciousPairWarning: the picture is too small.
        """
        height, width = picture.shape[:2]
        size = min(height, width) / _NORMAL
        margin, bar = (max(3, round(length * size)) for length in (_MARGIN, _BAR))
        scale, stroke = max(_SMALLEST_TEXT, 0.5 * size), max(1, round(size))
        texts = self.texts()
        sizes = [cv2.getTextSize(text, _FONT, scale, stroke)[0] for text in texts]
        text_width, text_height = (max(side) for side in zip(*sizes, strict=True))
        panel, length = 3 * margin + bar + text_width, height - 6 * margin
        drawn = picture.copy()
        if panel > width / 2 or length < 3 * text_height:
            notices.warn(SuspiciousPairWarning(f"a picture of {width}x{height} is too small for a legend"))
            return drawn
        if length < 2 * len(texts) * text_height:
            texts = [texts[0], texts[-1]]
        left, top = width - margin - panel, 3 * margin
        drawn[top - margin : top + length + margin, left : width - margin] *= _DIMMED
        rows = np.linspace(len(self.colors) - 1, 0, length).round().astype(int)
        drawn[top : top + length, left + margin : left + margin + bar] = self.colors[rows][:, None] / 255
        # OpenCV draws text only in 8 bits.
        ink = np.zeros((height, width), np.uint8)
        for i, text in enumerate(texts):
            center = top + (length - 1) * (1 - i / max(1, len(texts) - 1))
            baseline = min(max(round(center + text_height / 2), top + text_height), top + length)
            place = (left + 2 * margin + bar, baseline)
            cv2.putText(ink, text, place, _FONT, scale, 255, stroke, cv2.LINE_AA)
        cover = ink[..., None] / np.float32(255)
        return drawn * (1 - cover) + cover

    def texts(self) -> list[str]:
        """Write the values at equal distances, with as many digits as tell them apart; one if all are equal.

        >>> Legend(np.zeros((2, 3), np.uint8), 20, 40, "°C").texts()
        ['20 °C', '25 °C', '30 °C', '35 °C', '40 °C']
        """
        values = np.linspace(self.low, self.high, _TICKS if self.high > self.low else 1)
        allowed = (self.high - self.low) / (_TICKS - 1) * _MISPLACED
        enough = (digits for digits in range(_DIGITS) if np.abs(values.round(digits) - values).max() <= allowed)
        digits = next(enough, _DIGITS)
        return [f"{value:.{digits}f} {self.unit}".strip() for value in values]
