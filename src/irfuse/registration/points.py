"""Points: a calibration from points that a person, or another program, has found in both images."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irfuse import notices
from irfuse.errors import CalibrationError, SuspiciousPairWarning
from irfuse.io.spreadsheets import names_separator, read_lines
from irfuse.registration import geometry
from irfuse.registration.calibration import Calibration
from irfuse.registration.geometry import FEWEST, Matrix, Model, Points, Size, map_points

COLUMNS = ("ir_x", "ir_y", "vis_x", "vis_y")

_DELIMITERS = (";", "\t", ",")
"""In this order: where semicolons or tabs separate columns, commas are decimal points."""
_MISSED, _LEAST_TOLERANCE = 2.0, 3.0
"""How many pixels of the infrared image a person may miss a point by, and at least how many of the visible one."""
_MOST_OFF = 0.01
"""The distance from which a point counts as wrong, relative to the diagonal of the visible image."""


def read(path: str | Path) -> tuple[Points, Points]:
    """Read points from a CSV file with the columns ``ir_x``, ``ir_y``, ``vis_x`` and ``vis_y``, in pixels.

    Without a line of names, the columns have this order. They are separated by commas, semicolons, tabs or spaces.
    Empty lines, and lines that begin with #, are left out.

    Returns:
        The points of the infrared image and those of the visible image, (N, 2).

    Raises:
        CalibrationError: the file does not exist, or a line of it is not four numbers.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "points.csv")
    ...     _ = path.write_text("ir_x;ir_y;vis_x;vis_y\\n31,5;44;212;180\\n")
    ...     ir, vis = read(path)
    >>> ir.tolist(), vis.tolist()
    ([[31.5, 44.0]], [[212.0, 180.0]])
    """
    path = Path(path)
    rows = _rows(path)
    order = list(range(4))
    names = [cell.lower() for cell in rows[0]] if rows else []
    if any(name in COLUMNS for name in names):
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise CalibrationError(f"{path}: the column {missing[0]} is missing; needed are {', '.join(COLUMNS)}")
        order, rows = [names.index(name) for name in COLUMNS], rows[1:]
    values = []
    for number, row in enumerate(rows, 1):
        try:
            values.append([float(row[column].replace(",", ".")) for column in order])
        except (ValueError, IndexError):
            raise CalibrationError(
                f"{path}: point {number} is not four numbers ({', '.join(row)}); needed are {', '.join(COLUMNS)}"
            ) from None
    table = np.array(values, np.float64).reshape(-1, 4)
    if not np.isfinite(table).all():
        raise CalibrationError(f"{path}: a point is not finite")
    return table[:, :2], table[:, 2:]


def calibrate(ir: Points, vis: Points, ir_size: Size, vis_size: Size, model: Model) -> Calibration:
    """Make a calibration from points.

    Args:
        ir, vis: (N, 2), the points in pixels of both images.
        ir_size, vis_size: the sizes of the images.
        model: what the matrix may be.

    Returns:
        The calibration. Its residual is the median distance of the points, and its doubt says if they do not agree.

    Raises:
        CalibrationError: the points are too few, on a line, or outside of the images.

    Warns:
        SuspiciousPairWarning: single points do not agree with the others.

    >>> ir = np.array([[0.0, 0.0], [319.0, 0.0], [319.0, 239.0], [0.0, 239.0]])
    >>> calibrate(ir, 2 * ir, (240, 320), (480, 640), "homography").residual < 1e-6
    True
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
    matrix = geometry.fit(ir, vis, model, max(_LEAST_TOLERANCE, _MISSED * max(vis_size) / max(ir_size)))
    if matrix is None:
        raise CalibrationError(f"the points determine no {model}: they lie on a line, or on one spot")
    distances = np.linalg.norm(map_points(matrix, ir) - vis, axis=1)
    try:
        found = Calibration(
            tuple(map(tuple, matrix.tolist())),
            ir_size,
            vis_size,
            f"{len(ir)} points",
            residual=float(np.median(distances)),
            doubt=_doubt_about(matrix, distances, ir_size, vis_size),
        )
    except CalibrationError:
        raise CalibrationError(
            f"the points determine no {model} that two cameras could have: some may be exchanged, equal, or on a line"
        ) from None
    if not found.doubt:
        _name_wrong_points(distances, vis_size)
    return found


def _rows(path: Path) -> list[list[str]]:
    """Read the cells of each line, without those that hold none."""
    lines = [line for line in read_lines(path, CalibrationError) if not (line.startswith("#") or names_separator(line))]
    delimiter = next((mark for mark in _DELIMITERS if any(mark in line for line in lines)), None)
    try:
        rows: Sequence[list[str]] = (
            [line.split() for line in lines] if delimiter is None else list(csv.reader(lines, delimiter=delimiter))
        )
    except csv.Error as error:
        raise CalibrationError(f"{path}: cannot be read as CSV: {error}") from None
    stripped = ([cell.strip() for cell in row] for row in rows)
    return [row for row in stripped if any(row)]


def _doubt_about(matrix: Matrix, distances: NDArray[np.float64], ir_size: Size, vis_size: Size) -> str:
    """Say why a fit cannot be trusted; empty if it can."""
    usual = float(np.median(distances))
    if usual > _far(vis_size):
        return f"the points do not agree: they are usually {usual:.0f} pixels off in the visible image"
    if not geometry.is_plausible(matrix, ir_size):
        return "the points shear, tilt or mirror the infrared image more than two cameras side by side do"
    return ""


def _name_wrong_points(distances: NDArray[np.float64], vis_size: Size) -> None:
    wrong = np.flatnonzero(distances > _far(vis_size))
    if wrong.size:
        worst = int(distances.argmax())
        notices.warn(
            SuspiciousPairWarning(
                f"{wrong.size} of {len(distances)} points do not agree with the others; the worst, point {worst + 1}, "
                f"is {distances[worst]:.0f} pixels off in the visible image"
            )
        )


def _far(vis_size: Size) -> float:
    return _MOST_OFF * float(np.hypot(*vis_size))
