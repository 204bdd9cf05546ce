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

_LEAST_OVERLAP = 0.01


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
        depths = np.c_[geometry.grid(self.ir_size), np.ones(81)] @ rows[2]
        if abs(np.linalg.det(rows)) < 1e-9 or depths.min() * depths.max() <= 0:
            raise CalibrationError("the matrix is degenerate: it folds the infrared image, or flattens it to a line")
        if self.overlap < _LEAST_OVERLAP:
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
        content = json.loads(path.read_text(encoding="utf-8"))
        return Calibration(
            tuple(tuple(float(value) for value in row) for row in content["matrix"]),
            _size(content["infrared"]),
            _size(content["visible"]),
            str(content.get("made_by", "unknown")),
            _number(content.get("support")),
            _number(content.get("residual")),
            str(content.get("doubt", "")),
        )
    except FileNotFoundError:
        raise CalibrationError(f"{path}: no such file; make one with irfuse register IR VIS -o {path}") from None
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CalibrationError(
            f"{path}: is not a calibration ({type(error).__name__}: {error}); make one with irfuse register IR VIS "
            "-o FILE"
        ) from None


def _size(content: Mapping[str, Any]) -> Size:
    return int(content["height"]), int(content["width"])


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
