"""How `irfuse fuse` brings the images of two cameras together."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from irfuse import notices
from irfuse.errors import ParameterError, SuspiciousPairWarning

if TYPE_CHECKING:
    from irfuse.imaging.misregistration import Signs
    from irfuse.io.images import Array
    from irfuse.pipelines.folder import FusePair
    from irfuse.registration.alignment import Aligner

Arrays = Callable[["Array", "Array"], "tuple[Array, Array]"]
"""Brings both images of a pair to one field of view."""


def aligner(
    calibration: Path | None, register: str | None, onto: Literal["vis", "ir"], crop: bool, force: bool
) -> "Aligner | None":
    """Read the options; None if the images of a pair match already.

    Raises:
        ParameterError: the options do not go together.
        CalibrationError: the calibration cannot be read.
    """
    if calibration is not None and register is not None:
        raise ParameterError("--calibration cannot be combined with --register")
    if calibration is not None:
        from irfuse.registration.alignment import Alignment
        from irfuse.registration.calibration import read_calibration

        if force:
            raise ParameterError("--force needs --register")
        return Alignment(read_calibration(calibration), onto, crop)
    if register is not None:
        from irfuse.registration.each import EachPair

        return EachPair(onto, crop, force=force)
    given = "--onto" if onto != "vis" else "--crop" if crop else "--force" if force else ""
    if given:
        raise ParameterError(f"{given} needs --calibration or --register")
    return None


def settings(calibration: Path | None, register: str | None, onto: str, crop: bool) -> list[str]:
    """List what changes results."""
    from irfuse.io.files import sha256

    found = [f"registered: {register}"] * (register is not None)
    if calibration is not None:
        found.append(f"calibration: {calibration.name} {sha256(calibration)[:8]}")
    return found + [f"onto {onto}"] * (onto != "vis") + ["cropped"] * crop


def arrays(align: "Aligner | None") -> Arrays:
    """Make the function that brings arrays together for what is drawn or written beside a fused image."""
    if align is None:
        from irfuse.pipelines.folder import as_they_are

        return as_they_are
    from irfuse.registration.alignment import aligned_arrays

    return lambda ir, vis: aligned_arrays(align, ir, vis)


class Watch:
    """A function that fuses a pair, and looks at the registration of the first pairs of a folder."""

    def __init__(self, fuse: "FusePair", is_looking: bool) -> None:
        self._fuse, self._is_looking = fuse, is_looking
        self._measured: list[Signs] = []

    def __call__(self, ir: "Array", vis: "Array") -> "Array":
        from irfuse.imaging import misregistration

        fused = self._fuse(ir, vis)
        if self._is_looking and len(self._measured) < misregistration.WATCHED:
            found = misregistration.measure_images(ir, vis)
            self._measured += [] if found is None else [found]
        return fused

    def warn(self) -> None:
        """Warn if most of the pairs look unregistered."""
        from irfuse.imaging import misregistration

        doubt = misregistration.doubt(self._measured)
        if doubt:
            notices.warn(SuspiciousPairWarning(doubt))
