"""Calibrations: how the infrared camera of a rig sees what its visible camera sees, and their JSON files."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from irfuse.errors import CalibrationError, PairError
from irfuse.io.files import write_atomic
from irfuse.registration import geometry
from irfuse.registration.geometry import Matrix, Size

_LEAST_COMMON = 0.01
"""Of the smaller field of view. Less is an error of whoever wrote the matrix."""
_FLATTEST, _LARGEST = 1e-9, 1e6
"""The least determinant, and the largest number, of a matrix that divides by 1 in the middle of the infrared image."""


@dataclass(frozen=True)
class Calibration:
    """The place of infrared images in visible images.

    Attributes:
        matrix: 3x3, as rows. It maps (x, y, 1) of the infrared image to the visible one, with the centers of pixels at
            integers.
        ir_size, vis_size: the heights and widths of the images.
        made_by: what made it, such as ``automatic``.
        support: the share of the image parts that agree, from 0 to 1; NaN if it was not measured.
        residual: the distance in pixels of the visible image that usually remains; NaN if it was not measured.
        doubt: why it cannot be trusted; empty if nothing speaks against it.

    Raises:
        CalibrationError: the matrix is degenerate, or the images would not overlap.

    >>> rig = Calibration(((2.0, 0.0, 10.0), (0.0, 2.0, 20.0), (0.0, 0.0, 1.0)), (240, 320), (540, 720), "hand")
    >>> round(rig.overlap, 2)
    0.79
    >>> rig.field[0]
    (9.0, 19.0)
    """

    matrix: tuple[tuple[float, ...], ...]
    ir_size: Size
    vis_size: Size
    made_by: str
    support: float = math.nan
    residual: float = math.nan
    doubt: str = ""

    def __post_init__(self) -> None:
        rows = self.array
        if rows.shape != (3, 3) or not np.isfinite(rows).all():
            raise CalibrationError("the matrix must have 3 rows of 3 finite numbers")
        for size in (self.ir_size, self.vis_size):
            if len(size) != 2 or min(size) < 1:
                raise CalibrationError(f"{size} is not a height and a width")
        if not self._is_invertible():
            raise CalibrationError("the matrix is degenerate: it folds the infrared image, or flattens it to a line")
        if geometry.common(rows, self.ir_size, self.vis_size) < _LEAST_COMMON:
            raise CalibrationError("the matrix puts the infrared image outside of the visible one")

    @property
    def array(self) -> Matrix:
        """The matrix as an array."""
        return np.asarray(self.matrix, np.float64)

    @property
    def overlap(self) -> float:
        """The share of the visible image that the infrared image covers."""
        return geometry.overlap(self.array, self.ir_size, self.vis_size)

    @property
    def field(self) -> tuple[tuple[float, float], ...]:
        """The corners of the infrared image in the visible one as (x, y), clockwise from the top left one."""
        height, width = self.ir_size
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5
        return tuple((float(x), float(y)) for x, y in geometry.map_points(self.array, corners))

    def check(self, ir_size: Size, vis_size: Size) -> None:
        """Refuse images of other sizes.

        Raises:
            PairError: the sizes are not those of the calibration.
        """
        for role, size, expected in (("infrared", ir_size, self.ir_size), ("visible", vis_size, self.vis_size)):
            if tuple(size) != expected:
                raise PairError(
                    f"the calibration is for {role} images of {expected[1]}x{expected[0]} pixels, and this one has "
                    f"{size[1]}x{size[0]}; make a calibration from images of this camera"
                )

    def _is_invertible(self) -> bool:
        # Multiples of a matrix are the same transform.
        rows = self.array / (np.abs(self.array).max() or 1)
        depths = geometry.depths(rows, self.ir_size)
        if not ((depths > 0).all() or (depths < 0).all()) or np.abs(depths.mean()) < 1 / _LARGEST:
            return False
        return bool(abs(np.linalg.det(rows / depths.mean())) > _FLATTEST)

    def write(self, path: Path) -> None:
        """Write a JSON file.

        Raises:
            OutputError: the file cannot be written.
        """
        content = {
            "matrix": [list(row) for row in self.matrix],
            "infrared": {"width": self.ir_size[1], "height": self.ir_size[0]},
            "visible": {"width": self.vis_size[1], "height": self.vis_size[0]},
            "field": [list(corner) for corner in self.field],
            "overlap": self.overlap,
            "support": None if math.isnan(self.support) else self.support,
            "residual": None if math.isnan(self.residual) else self.residual,
            "made_by": self.made_by,
            "doubt": self.doubt,
        }
        write_atomic(path, (json.dumps(content, indent=2) + "\n").encode())


def read_calibration(path: str | Path) -> Calibration:
    """Read the JSON file of a calibration. Only ``matrix`` and both sizes are needed.

    Raises:
        CalibrationError: the file does not exist, or is not a calibration.
    """
    path = Path(path)
    try:
        # Editors on Windows put a byte order mark before the text.
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        return Calibration(
            tuple(tuple(float(value) for value in row) for row in content["matrix"]),
            _size(content["infrared"]),
            _size(content["visible"]),
            _text(content.get("made_by")) or "unknown",
            _number(content.get("support")),
            _number(content.get("residual")),
            _text(content.get("doubt")),
        )
    except FileNotFoundError:
        raise CalibrationError(f"{path}: no such file; make one with irfuse register IR VIS -o {path}") from None
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise CalibrationError(
            f"{path}: is not a calibration ({type(error).__name__}: {error}); make one with irfuse register IR VIS "
            "-o FILE"
        ) from None


def _size(content: Mapping[str, Any]) -> Size:
    return _side(content["height"]), _side(content["width"])


def _side(value: Any) -> int:
    side = int(value)
    if side != value:
        raise ValueError(f"{value!r} is not a number of pixels")
    return side


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _text(value: Any) -> str:
    """Return a text in one line; empty for null."""
    return "" if value is None else " ".join(str(value).split())
