"""How `irfuse fuse` brings the images of two cameras together."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from irfuse import notices
from irfuse.errors import PairError, ParameterError, SuspiciousPairWarning

if TYPE_CHECKING:
    from irfuse.imaging.misregistration import Signs
    from irfuse.imaging.planes import Array, Planes
    from irfuse.pipelines.folder import AlignInfrared, FusePair
    from irfuse.registration.alignment import Aligner

AlignPair = Callable[["Array", "Array"], "tuple[Planes[Array], Planes[Array]]"]
"""Brings both images of a pair to one field of view, for what is drawn of them."""


def aligner(
    calibration: Path | None, register: str | None, onto: Literal["vis", "ir"], crop: bool, force: bool
) -> "Aligner | None":
    """Read the options; None if the images of a pair match already.

    Raises:
        ParameterError: the options do not go together.
        CalibrationError: the calibration cannot be read.

    Warns:
        SuspiciousPairWarning: the calibration cannot be trusted.
    """
    if calibration is not None and register is not None:
        raise ParameterError("--calibration cannot be combined with --register")
    if calibration is not None:
        from irfuse.registration.alignment import Alignment
        from irfuse.registration.calibration import read_calibration
        from irfuse.registration.registering import trusted

        if force:
            raise ParameterError("--force needs --register")
        return Alignment(trusted(read_calibration(calibration), force=True), onto, crop)
    if register is not None:
        from irfuse.registration.each import EachPair

        return EachPair(onto, crop, force=force)
    given = "--onto" if onto != "vis" else "--crop" if crop else "--force" if force else ""
    if given:
        raise ParameterError(f"{given} needs --calibration or --register")
    return None


def own_photograph(path: Path, as_picture: bool, usage: str) -> Path:
    """Return a radiometric file again, whose photograph is the visible image.

    Args:
        path: an image file.
        as_picture: whether its picture is wanted, so that its photograph is not.
        usage: how the command is called with two files.

    Raises:
        PairError: it holds no photograph.
    """
    from irfuse.io import images, thermal

    file = None if as_picture else thermal.find(images.read_bytes(path), str(path))
    if file is None or not file.visible:
        why = "" if file is None else f", since {file.no_visible}"
        raise PairError(f"{path}: the visible image is missing{why}: {usage}")
    return path


def settings(calibration: Path | None, register: str | None, onto: str, crop: bool) -> list[str]:
    """List what changes results."""
    from irfuse.io.files import sha256

    found = [f"registered: {register}"] * (register is not None)
    if calibration is not None:
        found.append(f"calibration: {calibration.name} {sha256(calibration)[:8]}")
    return found + [f"onto {onto}"] * (onto != "vis") + ["cropped"] * crop


def pairs(align: "Aligner | None") -> AlignPair:
    """Make the function that brings both images of a pair together."""
    from irfuse.imaging import planes

    def aligned(ir: "Array", vis: "Array") -> "tuple[Planes[Array], Planes[Array]]":
        pair = planes.from_array(ir, "infrared"), planes.from_array(vis, "visible")
        return pair if align is None else align(*pair)

    return aligned


def infrared(align: "Aligner | None") -> "AlignInfrared":
    """Make the function that brings an infrared image to the field of view of the fused one, for its temperatures."""
    if align is None:
        from irfuse.pipelines.folder import as_it_is

        return as_it_is
    from irfuse.registration.alignment import aligned_infrared

    return partial(aligned_infrared, align)


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
