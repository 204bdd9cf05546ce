"""Checks: whether an infrared and a visible image can be a pair."""

from irfuse import notices
from irfuse.errors import PairError, SuspiciousPairWarning
from irfuse.imaging import inspection, sizes
from irfuse.imaging.arrays import T
from irfuse.imaging.planes import Planes


def check_unregistered(ir: Planes[T], vis: Planes[T]) -> None:
    """Refuse two images that cannot be a pair after their registration.

    Raises:
        PairError: the sizes of their batches differ.

    Warns:
        SuspiciousPairWarning: something looks wrong, see :mod:`irfuse.imaging.inspection`.
    """
    if len(ir.values) != len(vis.values):
        raise PairError(f"the batches differ: {len(ir.values)} infrared and {len(vis.values)} visible images")
    infrared = ir.arrays()
    for doubt in inspection.doubts(infrared.values, infrared.invalid, vis.arrays().values):
        notices.warn(SuspiciousPairWarning(doubt))


def check_pair(ir: Planes[T], vis: Planes[T]) -> None:
    """Refuse two images that cannot be a pair.

    Raises:
        PairError: their sizes, or the sizes of their batches, differ.

    Warns:
        SuspiciousPairWarning: something looks wrong, see :mod:`irfuse.imaging.inspection`.
    """
    sizes.check_equal(ir.size, vis.size)
    check_unregistered(ir, vis)
