"""Registering: from images to a calibration that can be trusted, or a refusal."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from irfuse import notices
from irfuse.choices import check_choice
from irfuse.errors import ImageError, PairError, ParameterError, RegistrationError, SuspiciousPairWarning, naming
from irfuse.imaging import borders, checks, planes
from irfuse.imaging.levels import DEFAULT_THERMAL
from irfuse.imaging.planes import Planes
from irfuse.io import images
from irfuse.io.images import Source
from irfuse.progress import Progress, silent
from irfuse.registration.automatic import Found, polished
from irfuse.registration.calibration import Calibration
from irfuse.registration.channels import Gray, Mask, View
from irfuse.registration.geometry import Model, Size
from irfuse.registration.rig import find_all, judged_on_all
from irfuse.registration.search import Field

_LEAST_SUPPORT, _CHANCE = 0.25, 0.85
"""The support from which a result is trusted: the first number, and the second one over the root of the blocks.
By chance, a few blocks agree more often than many.
"""
_LEAST_BLOCKS = 30
"""The fewest blocks by which a result is trusted."""
_LEAST_COMMON = 0.7
"""Of the smaller field of view. Cameras that look side by side at one scene have more in common, and wrong results that
many parts agree with by chance have less.
"""
_FIELD_ERROR = 0.1
"""How far the ratio of two fields of view from data sheets may be off."""
_SMALLEST = 32
"""The shorter side of an image, in pixels, that can be registered."""
_ADVICE = (
    "try a pair with more structure in both images, several pairs of the rig, or in irfuse register the fields of view "
    "(--fields) or points that you find by hand (--points)"
)


def register(
    ir: "Source | Sequence[Source]",
    vis: "Source | Sequence[Source]",
    *,
    model: Model = "homography",
    start: Calibration | None = None,
    fields: tuple[float, float] | None = None,
    force: bool = False,
) -> Calibration:
    """Find how two cameras see one scene, from one pair of images or from several pairs of one rig.

    Args:
        ir, vis: paths of image files, or arrays or tensors as :class:`irfuse.Fuser` takes them; or lists of them.
        model: what the transform may be: ``similarity``, ``affine`` or ``homography``.
        start: a calibration that is about right, which is only refined.
        fields: the horizontal fields of view of the infrared and of the visible camera, in degrees, which may be a
            tenth off. By default, the infrared camera sees between 0.4 and 2 times as much.
        force: return the result even if it cannot be trusted.

    Returns:
        The calibration, which ``irfuse.fuse(..., registration=...)`` takes.

    Raises:
        ImageError: an image cannot be read.
        PairError: the pairs have several sizes, or there are not as many infrared as visible images.
        ParameterError: an argument is impossible.
        RegistrationError: the result cannot be trusted.

    Warns:
        SuspiciousPairWarning: something looks wrong with a pair, or the result cannot be trusted and `force` is set.

    >>> from irfuse import samples
    >>> pair = samples.pairs()[0]
    >>> rig = register(pair.ir, pair.vis)
    >>> rig.vis_size, rig.overlap > 0.9, rig.support > 0.5
    ((480, 640), True, True)
    """
    infrared, visible = (list(given) if isinstance(given, list | tuple) else [given] for given in (ir, vis))
    if len(infrared) != len(visible):
        raise PairError(f"there are {len(infrared)} infrared and {len(visible)} visible images; give pairs")
    if start is not None and fields is not None:
        raise ParameterError("start cannot be combined with fields")
    field = None if fields is None else field_of(*fields)
    return register_planes(
        [read_pair(*pair) for pair in zip(infrared, visible, strict=True)],
        model=model,
        start=start,
        field=field,
        force=force,
    )


def read_pair(ir: Source, vis: Source) -> tuple[Planes[Any], Planes[Any]]:
    """Read a pair of files, arrays or tensors.

    Raises:
        ImageError: an image cannot be read, or is none.
        PairError: the sizes of their batches differ.

    Warns:
        SuspiciousPairWarning: something looks wrong, see :mod:`irfuse.imaging.inspection`.
    """
    loaded = images.load(ir), images.load(vis, "visible")
    with naming(images.files(ir, vis), ImageError, PairError):
        pair = planes.read(loaded[0], "infrared"), planes.read(loaded[1], "visible")
        checks.check_unregistered(*pair)
    return pair


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
        pairs: infrared and visible images, or batches of them. All infrared images have one size, and so have all
            visible images.
        model: what the matrix may be: ``similarity``, ``affine`` or ``homography``.
        start: a calibration that is about right, which is only refined.
        field: where to search; by default 0.4 to 2 times the visible image's field of view.
        force: return the result even if it cannot be trusted.
        on_step: called after each pair.

    Raises:
        PairError: there is no pair, or the sizes differ.
        RegistrationError: the result cannot be trusted.

    Warns:
        SuspiciousPairWarning: it cannot be trusted, and `force` is set.
    """
    return trusted(estimate(pairs, model=model, start=start, field=field, on_step=on_step), force=force)


def trusted(calibration: Calibration, *, force: bool, advice: str = _ADVICE) -> Calibration:
    """Return a calibration, or refuse it if it cannot be trusted.

    Args:
        calibration: the calibration.
        force: return it even if it cannot be trusted.
        advice: what the refusal says that the user may try.

    Raises:
        RegistrationError: it cannot be trusted.

    Warns:
        SuspiciousPairWarning: it cannot be trusted, and `force` is set.
    """
    if calibration.doubt and not force:
        raise RegistrationError(f"the images cannot be registered with confidence: {calibration.doubt}; {advice}")
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
    check_choice("model", model, Model)
    prepared = [pair for ir, vis in pairs for pair in views(ir, vis)]
    if not prepared:
        raise PairError("there is no pair to register")
    ir_size, vis_size = (view.size for view in prepared[0])
    check_one_rig([(f"pair {number}", ir.size, vis.size) for number, (ir, vis) in enumerate(prepared, 1)])
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


def check_one_rig(pairs: Sequence[tuple[str, Size, Size]]) -> None:
    """Refuse pairs of several sizes, which one calibration cannot be for.

    Args:
        pairs: the name of each, and the sizes of its infrared and of its visible image.

    Raises:
        PairError: a pair has other sizes than the first one.
    """
    first, *others = ((name, f"infrared {ir[1]}x{ir[0]}, visible {vis[1]}x{vis[0]}") for name, ir, vis in pairs)
    for name, other in others:
        if other != first[1]:
            raise PairError(
                f"{name}: the sizes ({other}) are not those of {first[0]} ({first[1]}), so that the pairs are not of "
                "one rig; register them one by one, or let irfuse fuse --register auto do it"
            )


def doubt_about(found: Found) -> str:
    """Say why a result cannot be trusted; empty if it can."""
    blocks = found.blocks
    if len(blocks.weights) < _LEAST_BLOCKS:
        return "too few parts of both images show edges"
    least = _LEAST_SUPPORT + _CHANCE / math.sqrt(len(blocks.weights))
    if blocks.support < least:
        return f"only {blocks.support:.0%} of the image parts agree, of at least {least:.0%}"
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


def views(ir: Planes[Any], vis: Planes[Any]) -> list[tuple[View, View]]:
    """Prepare the images of a pair, or of a batch of pairs, for registration.

    Raises:
        ImageError: the visible image has values outside of its range.
        RegistrationError: an image is too small.
    """
    infrared, visible = ir.arrays(), vis.arrays()
    for image in (infrared, visible):
        height, width = image.size
        if min(height, width) < _SMALLEST:
            raise RegistrationError(
                f"the {image.role} image has {width}x{height} pixels, and registration needs {_SMALLEST} on each side; "
                "give points (--points)"
            )
    lumas, grays = infrared.thermal_luma(DEFAULT_THERMAL)[:, 0], visible.luma()[:, 0]
    hidden = np.zeros(lumas.shape, bool) if infrared.invalid is None else infrared.invalid[:, 0]
    return [
        (View(luma, ~invalid), View(gray, _without_border(gray)))
        for luma, invalid, gray in zip(lumas, hidden, grays, strict=True)
    ]


def _without_border(gray: Gray) -> Mask:
    border = borders.exact(gray)
    return np.ones(gray.shape, bool) if border is None else ~border


def _polished(pairs: Sequence[tuple[View, View]], start: Calibration, model: Model) -> Found:
    """Refine a calibration on each pair, and take the result that all pairs support best."""
    candidates = [start.array, *(polished(ir, vis, start.array, model).matrix for ir, vis in pairs)]
    return max((judged_on_all(pairs, matrix) for matrix in candidates), key=lambda found: found.rank)
