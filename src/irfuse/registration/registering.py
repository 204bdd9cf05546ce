"""Registering: from images to a calibration that can be trusted, or a refusal."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from irfuse import notices
from irfuse.errors import PairError, ParameterError, RegistrationError, SuspiciousPairWarning
from irfuse.imaging import borders
from irfuse.imaging.levels import DEFAULT_THERMAL
from irfuse.imaging.planes import Planes
from irfuse.progress import Progress, silent
from irfuse.registration.automatic import Found, polished
from irfuse.registration.calibration import Calibration
from irfuse.registration.channels import View
from irfuse.registration.geometry import Model
from irfuse.registration.rig import find_all, judged_on_all
from irfuse.registration.search import Field

LEAST_SUPPORT = 0.35
"""The support from which a result is trusted, if it has enough blocks and enough overlap."""
_LEAST_BLOCKS, _LEAST_COMMON = 30, 0.4
_FIELD_ERROR = 0.1
_SMALLEST = 32
"""The shorter side of an image, in pixels, that can be registered."""


def register_planes(
    pairs: Sequence[tuple[Planes[Any], Planes[Any]]],
    *,
    model: Model = "homography",
    start: Calibration | None = None,
    field: Field | None = None,
    force: bool = False,
    on_step: Progress = silent,
) -> Calibration:
    """Register the pairs of one rig.

    Args:
        pairs: infrared and visible images. All infrared images have one size, and all visible images have one size.
        model: what the matrix may be: ``similarity``, ``affine`` or ``homography``.
        start: a calibration that is about right, which is only refined.
        field: where to search; by default half to twice the visible image's field of view.
        force: return the result even if it cannot be trusted.
        on_step: called after each pair.

    Raises:
        PairError: there is no pair, or the sizes differ.
        RegistrationError: the result cannot be trusted.

    Warns:
        SuspiciousPairWarning: it cannot be trusted, and `force` is set.
    """
    return trusted(estimate(pairs, model=model, start=start, field=field, on_step=on_step), force=force)


def trusted(calibration: Calibration, *, force: bool) -> Calibration:
    """Return a calibration, or refuse it if it cannot be trusted.

    Raises:
        RegistrationError: it cannot be trusted.

    Warns:
        SuspiciousPairWarning: it cannot be trusted, and `force` is set.
    """
    if calibration.doubt and not force:
        raise RegistrationError(
            f"the images cannot be registered with confidence: {calibration.doubt}; try a pair with more structure in "
            "both images, several pairs of the rig, points that you find by hand (--points), or the fields of view "
            "(--fields)"
        )
    if calibration.doubt:
        notices.warn(SuspiciousPairWarning(f"the registration cannot be trusted: {calibration.doubt}"))
    return calibration


def estimate(
    pairs: Sequence[tuple[Planes[Any], Planes[Any]]],
    *,
    model: Model = "homography",
    start: Calibration | None = None,
    field: Field | None = None,
    on_step: Progress = silent,
) -> Calibration:
    """Register the pairs of one rig as :func:`register_planes` does; the result says if it cannot be trusted.

    Raises:
        PairError: there is no pair, or the sizes differ.
        RegistrationError: an image is too small.
    """
    prepared = [views(ir, vis) for ir, vis in pairs]
    if not prepared:
        raise PairError("there is no pair to register")
    ir_size, vis_size = (view.size for view in prepared[0])
    for ir, vis in prepared:
        if (ir.size, vis.size) != (ir_size, vis_size):
            raise PairError("the pairs of a rig must have one size each for the infrared and the visible images")
    if start is not None:
        start.check(ir_size, vis_size)
        found = _polished(prepared, start, model)
    else:
        found = find_all(prepared, model, field or Field(), on_step)
    matrix = found.matrix / found.matrix[2, 2]
    count = f" on {len(prepared)} pairs" if len(prepared) > 1 else ""
    return Calibration(
        tuple(map(tuple, matrix.tolist())),
        ir_size,
        vis_size,
        ("automatic" if start is None else f"refined from {start.made_by}") + count,
        round(found.blocks.support, 4),
        round(found.blocks.residual, 4),
        doubt_about(found),
    )


def doubt_about(found: Found) -> str:
    """Say why a result cannot be trusted; empty if it can."""
    blocks = found.blocks
    if len(blocks.weights) < _LEAST_BLOCKS:
        return "too few parts of both images show edges"
    if blocks.support < LEAST_SUPPORT:
        return f"only {blocks.support:.0%} of the image parts agree, of at least {LEAST_SUPPORT:.0%}"
    if found.common < _LEAST_COMMON:
        return f"the images would have only {found.common:.0%} of a field of view in common"
    return ""


def field_of(ir_degrees: float, vis_degrees: float) -> Field:
    """Say where to search, from the horizontal fields of view of both cameras, which may be a tenth off.

    Raises:
        ParameterError: an angle is impossible.

    >>> field = field_of(25.0, 50.0)
    >>> round(field.least, 3), round(field.most, 3)
    (0.428, 0.523)
    """
    for degrees in (ir_degrees, vis_degrees):
        if not 0 < degrees < 180:
            raise ParameterError(f"a field of view cannot have {degrees:g} degrees; give more than 0 and less than 180")
    ratio = math.tan(math.radians(ir_degrees) / 2) / math.tan(math.radians(vis_degrees) / 2)
    return Field(ratio * (1 - _FIELD_ERROR), ratio * (1 + _FIELD_ERROR))


def views(ir: Planes[Any], vis: Planes[Any]) -> tuple[View, View]:
    """Prepare the images of a pair for registration.

    Raises:
        ImageError: the visible image has values outside of its range.
        RegistrationError: an image is too small.
    """
    infrared, visible = ir.arrays(), vis.arrays()
    luma, gray = infrared.thermal_luma(DEFAULT_THERMAL)[0, 0], visible.luma()[0, 0]
    border = borders.exact(gray)
    found = (
        View(luma, np.ones(luma.shape, bool) if infrared.invalid is None else ~infrared.invalid[0, 0]),
        View(gray, np.ones(gray.shape, bool) if border is None else ~border),
    )
    for role, view in zip(("infrared", "visible"), found, strict=True):
        if min(view.size) < _SMALLEST:
            raise RegistrationError(
                f"the {role} image has {view.size[1]}x{view.size[0]} pixels, and registration needs {_SMALLEST} on "
                "each side; give points"
            )
    return found


def _polished(pairs: Sequence[tuple[View, View]], start: Calibration, model: Model) -> Found:
    """Refine a calibration on each pair, and take what all pairs like best."""
    candidates = [start.array, *(polished(ir, vis, start.array, model).matrix for ir, vis in pairs)]
    return max((judged_on_all(pairs, matrix) for matrix in candidates), key=lambda found: found.rank)
