"""Rigs: one matrix for many pairs that the same two cameras took."""

from collections.abc import Sequence

import numpy as np

from irfuse.progress import Progress, silent
from irfuse.registration import geometry
from irfuse.registration.automatic import Found, find, first, moved
from irfuse.registration.channels import View
from irfuse.registration.geometry import Matrix, Model
from irfuse.registration.search import Field
from irfuse.registration.support import Blocks, blocks

_ROUNDS = 3
"""How often a matrix moves to where the blocks of all pairs are found."""


def find_all(pairs: Sequence[tuple[View, View]], model: Model, field: Field, on_step: Progress = silent) -> Found:
    """Register the pairs of a rig: each pair first, then the best of these results on all pairs.

    Args:
        pairs: infrared and visible images. All have the same two sizes.
        model: what the matrix may be.
        field: where to search.
        on_step: called after each pair.
    """
    results = []
    for done, (ir, vis) in enumerate(pairs, 1):
        results.append(find(ir, vis, model, field))
        on_step(done, len(pairs), "")
    if len(pairs) == 1:
        return results[0]
    on_all = [judged_on_all(pairs, result.matrix) for result in results]
    best = max(on_all, key=lambda result: result.rank)
    refined = judged_on_all(pairs, _refined(pairs, best.matrix, model))
    return max(best, refined, key=lambda result: result.rank)


def judged_on_all(pairs: Sequence[tuple[View, View]], matrix: Matrix) -> Found:
    """Measure how well all pairs support a matrix."""
    ir, vis = pairs[0]
    return Found(
        matrix,
        _joined([blocks(ir, vis, matrix) for ir, vis in pairs]),
        geometry.common(matrix, ir.size, vis.size),
    )


def _refined(pairs: Sequence[tuple[View, View]], matrix: Matrix, model: Model) -> Matrix:
    """Move the matrix to where the blocks of all pairs are found."""
    for _ in range(_ROUNDS):
        found = _joined([blocks(ir, vis, matrix) for ir, vis in pairs])
        matrix = first(moved(found, model, pairs[0][0]), matrix)
    return matrix


def _joined(parts: Sequence[Blocks]) -> Blocks:
    return Blocks(
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.found for part in parts]),
        np.concatenate([part.distances for part in parts]),
        np.concatenate([part.weights for part in parts]),
        parts[0].scale,
    )
