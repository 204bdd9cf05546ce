"""Pairs of unaligned cameras, made from the sample pairs by known matrices."""

import cv2
import numpy as np

from irfuse import samples
from irfuse.imaging.planes import Array
from irfuse.io import images
from irfuse.registration.calibration import Calibration
from irfuse.registration.geometry import Matrix, Size, grid, inverse, map_points

IR_SIZE: Size = (256, 320)
MATRIX: Matrix = np.array([[1.42, 0.05, 60.0], [-0.04, 1.45, 42.0], [2e-5, -3e-5, 1.0]])
"""Of the smaller infrared image to the visible one: turned by 2 degrees, slightly tilted, 0.7 of the width."""


def sample(name: str) -> tuple[Array, Array]:
    """The registered images of a sample pair."""
    pair = next(pair for pair in samples.pairs() if pair.name == name)
    return images.read(pair.ir), images.read(pair.vis)


def unaligned(name: str = "msrs_00633D", matrix: Matrix = MATRIX, size: Size = IR_SIZE) -> tuple[Array, Array]:
    """A sample pair, of which the infrared camera sees less."""
    ir, vis = sample(name)
    small = cv2.warpPerspective(cv2.GaussianBlur(ir, (0, 0), 0.6), inverse(matrix), size[::-1], flags=cv2.INTER_LINEAR)
    return np.asarray(small, ir.dtype), vis


def calibration(matrix: Matrix = MATRIX, ir_size: Size = IR_SIZE, vis_size: Size = (480, 640)) -> Calibration:
    return Calibration(tuple(map(tuple, matrix.tolist())), ir_size, vis_size, "hand")


def error(found: Calibration, matrix: Matrix = MATRIX) -> float:
    """The median distance, in pixels of the visible image, between two places of the infrared image."""
    points = grid(found.ir_size)
    return float(np.median(np.linalg.norm(map_points(found.array, points) - map_points(matrix, points), axis=1)))
