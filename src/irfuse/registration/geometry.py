"""Geometry: 3x3 matrices that map points (x, y, 1), with the centers of pixels at integers."""

from collections.abc import Iterable
from typing import Literal, Protocol, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]
Points: TypeAlias = NDArray[np.float64]
"""(N, 2), x and y."""
Size: TypeAlias = tuple[int, int]
"""Height and width."""
Model = Literal["similarity", "affine", "homography"]

FEWEST: dict[Model, int] = {"similarity": 2, "affine": 3, "homography": 4}
"""The fewest points that determine a model."""

_MOST_ZOOM, _LARGEST = 2.5, 640
"""The limits of a reduced image: how many times the wanted side, and how many pixels."""
_CELLS = 64
"""The rows and columns of the cells by which an overlap is measured."""
_MOST_STRETCH, _MOST_CHANGE = 1.35, 1.7
"""The largest ratio of the scales in two directions, and of the scales at two places."""
_TOLERANCE, _FEW = 3.0, 12
"""The distance in pixels up to which a point agrees with a fit, and how many points of a homography all count."""


def map_points(matrix: Matrix, points: Points) -> Points:
    """Map points, (N, 2).

    >>> map_points(np.diag([2.0, 3.0, 1.0]), np.array([[1.0, 1.0]])).tolist()
    [[2.0, 3.0]]
    """
    mapped = np.c_[points, np.ones(len(points))] @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def inverse(matrix: Matrix) -> Matrix:
    """Invert a matrix."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def resizing(size: Size, resized: Size) -> Matrix:
    """Make the matrix that maps the pixels of an image to those of the resized image."""
    y, x = resized[0] / size[0], resized[1] / size[1]
    # The corners of the images are at -0.5.
    return np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5], [0, 0, 1]])


def grid(size: Size, count: int = 9) -> Points:
    """Spread count x count points over an image, from corner to corner."""
    ys, xs = np.meshgrid(*(np.linspace(-0.5, side - 0.5, count) for side in size), indexing="ij")
    return np.stack([xs.ravel(), ys.ravel()], axis=1)


def depths(matrix: Matrix, size: Size) -> NDArray[np.float64]:
    """Compute what a matrix divides by at points of an image, (81,): of one sign unless it folds the image."""
    points = grid(size)
    return np.asarray(np.c_[points, np.ones(len(points))] @ matrix[2])


def scales(matrix: Matrix, size: Size) -> NDArray[np.float64]:
    """Compute how much a matrix enlarges at several points of an image.

    Returns:
        (N, 2), the larger and the smaller scale at each point; the smaller one is negative where the matrix mirrors.
    """
    points = grid(size, 3)
    start = map_points(matrix, points)
    along_x, along_y = (map_points(matrix, points + step) - start for step in ([1.0, 0.0], [0.0, 1.0]))
    jacobians = np.stack([along_x, along_y], axis=2)
    found = np.linalg.svd(jacobians, compute_uv=False)
    found[:, 1] *= np.sign(np.linalg.det(jacobians))
    return np.asarray(found)


def mean_scale(matrix: Matrix, size: Size) -> float:
    """Compute the geometric mean of the scales."""
    return float(np.exp(np.log(np.abs(scales(matrix, size)).clip(min=1e-9)).mean()))


def reduction(matrix: Matrix, size: Size, other: Size, side: int) -> float:
    """Compute how much to reduce the other image, so that what both images show has a longer side of about `side`.

    Args:
        matrix: of an image to the other one.
        size, other: the sizes of both.
        side: in pixels. If the image shows only a small part of the other one, it has fewer.
    """
    share = mean_scale(matrix, size) * max(size) / max(other)
    longest = max(side, min(side / share, _MOST_ZOOM * side, _LARGEST))
    return min(1.0, longest / max(other))


def is_plausible(matrix: Matrix, size: Size) -> bool:
    """Tell whether two cameras side by side can differ by a matrix: no fold, no mirror, little shear and perspective.

    Args:
        matrix: of an image of this size to the other one.
        size: of the image.
    """
    if not np.isfinite(matrix).all():
        return False
    if depths(matrix, size).min() <= 1e-6:
        return False
    found = scales(matrix, size)
    if found.min() <= 0:
        return False
    return bool((found[:, 0] / found[:, 1]).max() < _MOST_STRETCH and found.max() / found.min() < _MOST_CHANGE)


def overlap(matrix: Matrix, size: Size, other: Size) -> float:
    """Compute the share of the other image that an image covers.

    Args:
        matrix: of the image to the other one.
        size, other: the sizes of both.
    """
    # The middles of cells that tile the other image.
    ys, xs = np.meshgrid(*((np.arange(_CELLS) + 0.5) * side / _CELLS - 0.5 for side in other), indexing="ij")
    x, y = map_points(inverse(matrix), np.stack([xs.ravel(), ys.ravel()], axis=1)).T
    return float(((x >= -0.5) & (x <= size[1] - 0.5) & (y >= -0.5) & (y <= size[0] - 0.5)).mean())


def common(matrix: Matrix, size: Size, other: Size) -> float:
    """Compute the share of the smaller field of view that both images show.

    Args:
        matrix: of the image to the other one.
        size, other: the sizes of both.
    """
    return max(overlap(matrix, size, other), overlap(inverse(matrix), other, size))


class HasMatrix(Protocol):
    """What has a matrix."""

    @property
    def matrix(self) -> Matrix: ...


T = TypeVar("T", bound=HasMatrix)


def distinct(candidates: Iterable[T], size: Size, least: float, count: int) -> list[T]:
    """Take the first candidates that differ from each other.

    Args:
        candidates: what has matrices of an image to another one, the best first.
        size: of the image.
        least: how far two of them put its points apart, in pixels of the other image, on average over both directions.
        count: how many to take.
    """
    points = grid(size, 3)
    taken: list[tuple[T, Points]] = []
    for candidate in candidates:
        mapped = map_points(candidate.matrix, points)
        if all(np.abs(other - mapped).mean() > least for _, other in taken):
            taken.append((candidate, mapped))
            if len(taken) == count:
                break
    return [candidate for candidate, _ in taken]


def fit(source: Points, target: Points, model: Model, tolerance: float = _TOLERANCE) -> Matrix | None:
    """Fit a matrix to point pairs. Return None if the points do not determine it.

    Points that do not agree with the others are left out, except if a homography has only a few.

    Args:
        source, target: (N, 2), the points and where they are mapped to.
        model: what the matrix may be.
        tolerance: the distance, in pixels of the target, up to which a point agrees.
    """
    if len(source) < FEWEST[model] or _is_flat(source, model) or _is_flat(target, model):
        return None
    # OpenCV refuses columns of a larger table.
    source, target = np.ascontiguousarray(source), np.ascontiguousarray(target)
    if model == "homography":
        matrix, _ = cv2.findHomography(source, target, cv2.RANSAC if len(source) > _FEW else 0, tolerance)
        return None if matrix is None else np.asarray(matrix, np.float64)
    estimate = cv2.estimateAffine2D if model == "affine" else cv2.estimateAffinePartial2D
    rows, _ = estimate(source, target, method=cv2.RANSAC, ransacReprojThreshold=tolerance)
    return None if rows is None else np.vstack([rows, [0.0, 0.0, 1.0]])


def _is_flat(points: Points, model: Model) -> bool:
    """Tell whether points lie on one spot, or for all models but a similarity on one line."""
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    least = spread[0] if model == "similarity" else spread[1]
    return bool(least < 1e-3 * max(1.0, float(np.abs(points).max())))
