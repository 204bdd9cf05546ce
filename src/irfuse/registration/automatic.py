"""Automatic registration: from two images of one scene to a matrix, and how far it can be trusted."""

import math
from dataclasses import dataclass

import numpy as np

from irfuse.registration import geometry, search
from irfuse.registration.channels import View
from irfuse.registration.geometry import Matrix, Model, grid, map_points
from irfuse.registration.refinement import refined
from irfuse.registration.search import Field
from irfuse.registration.support import Blocks, blocks

_PLACES, _CONTENDERS = 14, 3
"""How many places of the search are refined at the smallest side, and how many of these at the next one."""
_SIDES = (128, 256, 512)
"""The longer sides of the reduced visible images at which a matrix is refined, in pixels."""
_FIRST_ITERATIONS = 12
"""At the smallest side: enough to tell good places from others."""
_ROUNDS = 2
"""How often a matrix moves to where the blocks are found."""
_NEAR = 6.0
"""The distance, in pixels of the reduced image, up to which a block takes part in a fit."""
_DIFFERENT = 0.05
"""How far two contenders are apart at least, relative to the longer side of the visible image."""
_FEW_BLOCKS = 20
"""Below so many blocks, the support counts less."""


@dataclass(frozen=True)
class Found:
    """A matrix, and how well the images support it.

    Attributes:
        matrix: of the infrared image to the visible one.
        blocks: the blocks that were compared.
        common: the share of the smaller field of view that both images show.
    """

    matrix: Matrix
    blocks: Blocks
    common: float

    @property
    def rank(self) -> float:
        """The number by which results are compared: more support by more blocks is better."""
        return self.blocks.support * min(1.0, len(self.blocks.weights) / _FEW_BLOCKS) * math.sqrt(self.common)


def find(ir: View, vis: View, model: Model, field: Field) -> Found:
    """Register two images.

    Args:
        ir, vis: the images.
        model: what the matrix may be.
        field: where to search.
    """
    contenders = [_started(ir, vis, place.matrix) for place in search.places(ir, vis, field, _PLACES)]
    ranked = sorted(contenders, key=lambda found: -found.rank)
    differing = geometry.distinct(ranked, ir.size, _DIFFERENT * max(vis.size), _CONTENDERS)
    best = [_grown(ir, vis, found.matrix) for found in differing]
    return polished(ir, vis, max(best, key=lambda found: found.rank).matrix, model)


def polished(ir: View, vis: View, matrix: Matrix, model: Model) -> Found:
    """Refine a matrix that is about right.

    Two sizes of the images and the blocks give three estimates, whose errors differ. The result is their mean.
    """
    refining: Model = "affine" if model == "similarity" else model
    medium = first(refined(ir, vis, matrix, _SIDES[1], refining), matrix)
    large = first(refined(ir, vis, medium, _SIDES[2], refining), medium)
    points = grid(ir.size)
    mean = np.mean([map_points(one, points) for one in (medium, large, _by_blocks(ir, vis, medium, model))], axis=0)
    return judged(ir, vis, first(geometry.fit(points, mean, model), large))


def _by_blocks(ir: View, vis: View, matrix: Matrix, model: Model) -> Matrix:
    """Move a matrix to where the blocks of the largest side are found."""
    for _ in range(_ROUNDS):
        matrix = first(moved(blocks(ir, vis, matrix, _SIDES[2]), model, ir), matrix)
    return matrix


def moved(found: Blocks, model: Model, ir: View) -> Matrix | None:
    """Fit a matrix to where blocks are found; None if they do not give a plausible one."""
    near = found.distances < _NEAR
    fitted = geometry.fit(found.found[near], found.places[near], model)
    return fitted if fitted is not None and geometry.is_plausible(fitted, ir.size) else None


def judged(ir: View, vis: View, matrix: Matrix) -> Found:
    """Measure how well two images support a matrix."""
    return Found(matrix, blocks(ir, vis, matrix), geometry.common(matrix, ir.size, vis.size))


def first(matrix: Matrix | None, otherwise: Matrix) -> Matrix:
    """Take a matrix, or another one if there is none."""
    return otherwise if matrix is None else matrix


def _started(ir: View, vis: View, matrix: Matrix) -> Found:
    """Refine a place roughly."""
    return judged(ir, vis, first(refined(ir, vis, matrix, _SIDES[0], "affine", _FIRST_ITERATIONS), matrix))


def _grown(ir: View, vis: View, matrix: Matrix) -> Found:
    """Refine a contender at the next side."""
    return judged(ir, vis, first(refined(ir, vis, matrix, _SIDES[1], "affine"), matrix))
