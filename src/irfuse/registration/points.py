"""Points: a calibration from points that a person, or another program, has found in both images."""

import csv
from pathlib import Path

import numpy as np

from irfuse.errors import CalibrationError
from irfuse.registration import geometry
from irfuse.registration.calibration import Calibration
from irfuse.registration.geometry import FEWEST, Model, Points, Size, map_points

COLUMNS = ("ir_x", "ir_y", "vis_x", "vis_y")


def read(path: str | Path) -> tuple[Points, Points]:
    """Read points from a CSV file with the columns ``ir_x``, ``ir_y``, ``vis_x`` and ``vis_y``, in pixels.

    Without a line of names, the columns have this order.

    Returns:
        The points of the infrared image and those of the visible image, (N, 2).

    Raises:
        CalibrationError: the file does not exist, or a line of it is not four numbers.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CalibrationError(f"{path}: cannot be read as CSV ({error})") from None
    order = list(range(4))
    names = [cell.strip().lower() for cell in rows[0]] if rows else []
    if any(name in COLUMNS for name in names):
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise CalibrationError(f"{path}: the column {missing[0]} is missing; needed are {', '.join(COLUMNS)}")
        order, rows = [names.index(name) for name in COLUMNS], rows[1:]
    values = []
    for number, row in enumerate(rows, 1):
        try:
            values.append([float(row[column]) for column in order])
        except (ValueError, IndexError):
            raise CalibrationError(
                f"{path}: point {number} is not four numbers ({','.join(row)}); needed are {', '.join(COLUMNS)}"
            ) from None
    table = np.array(values, np.float64).reshape(-1, 4)
    if not np.isfinite(table).all():
        raise CalibrationError(f"{path}: a point is not finite")
    return table[:, :2], table[:, 2:]


def calibrate(ir: Points, vis: Points, ir_size: Size, vis_size: Size, model: Model) -> Calibration:
    """Make a calibration from points, (N, 2), of both images.

    Raises:
        CalibrationError: the points are too few, on a line, outside of the images, or do not agree.
    """
    fewest = FEWEST[model]
    if len(ir) < fewest:
        raise CalibrationError(f"{len(ir)} points do not determine a {model}; give at least {fewest}")
    for role, points, size in (("infrared", ir, ir_size), ("visible", vis, vis_size)):
        outside = ((points < -0.5) | (points > np.array(size[::-1]) - 0.5)).any(axis=1)
        if outside.any():
            number = int(outside.argmax())
            raise CalibrationError(
                f"point {number + 1} lies outside of the {role} image: {points[number, 0]:g}, {points[number, 1]:g}"
            )
    matrix = geometry.fit(ir, vis, model)
    if matrix is None:
        raise CalibrationError(f"the points determine no {model}: they lie on a line, or on one spot")
    residual = float(np.median(np.linalg.norm(map_points(matrix, ir) - vis, axis=1)))
    return Calibration(tuple(map(tuple, matrix.tolist())), ir_size, vis_size, f"{len(ir)} points", residual=residual)
