"""Each pair on its own: automatic registration of every pair, remembered by the content of its images."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from irfuse.errors import IrfuseError, OutputError, ParameterError
from irfuse.imaging.arrays import Array
from irfuse.imaging.planes import Planes
from irfuse.io.files import user_cache
from irfuse.registration.alignment import Aligner, Alignment, Onto
from irfuse.registration.calibration import Calibration, read_calibration
from irfuse.registration.geometry import Model
from irfuse.registration.registering import estimate, trusted

_VERSION = 1
"""Of the algorithm: another one does not read what this one wrote."""


@dataclass(frozen=True)
class EachPair:
    """Registers and aligns each pair. The pairs of a batch count as pairs of one rig.

    Results are kept in the folder ``irfuse/registrations`` of the user's cache, by the content of the images.

    Attributes:
        onto, crop: see :class:`irfuse.registration.alignment.Alignment`.
        model: see :func:`irfuse.registration.registering.register_planes`.
        force: also align pairs whose registration cannot be trusted, with a warning.
    """

    onto: Onto = "vis"
    crop: bool = False
    model: Model = "homography"
    force: bool = False

    def __call__(self, ir: Planes[Any], vis: Planes[Any]) -> tuple[Planes[Array], Planes[Array]]:
        """Register and align a pair.

        Raises:
            RegistrationError: the registration cannot be trusted.

        Warns:
            SuspiciousPairWarning: it cannot be trusted, and `force` is set.
        """
        infrared, visible = ir.arrays(), vis.arrays()
        found = trusted(self._found(infrared, visible), force=self.force)
        return Alignment(found, self.onto, self.crop)(infrared, visible)

    def _found(self, ir: Planes[Array], vis: Planes[Array]) -> Calibration:
        path = user_cache("registrations") / f"{self._key(ir, vis)}.json"
        with suppress(IrfuseError):
            return read_calibration(path)
        found = estimate([(ir, vis)], model=self.model)
        # A cache that cannot be written costs time only.
        with suppress(OSError, OutputError):
            path.parent.mkdir(parents=True, exist_ok=True)
            found.write(path)
        return found

    def _key(self, ir: Planes[Array], vis: Planes[Array]) -> str:
        digest = hashlib.sha256(f"{_VERSION} {self.model}".encode())
        for planes in (ir, vis):
            digest.update(f"{planes.values.shape} {planes.values.dtype}".encode())
            digest.update(planes.values.tobytes())
        return digest.hexdigest()[:32]


def aligner(registration: Aligner | Calibration | Literal["auto"] | None) -> Aligner | None:
    """Return what brings the images of a pair together: for a calibration, for ``auto``, or as it is.

    Raises:
        ParameterError: a text is not ``auto``.

    Warns:
        SuspiciousPairWarning: the calibration cannot be trusted.
    """
    if isinstance(registration, Calibration):
        return Alignment(trusted(registration, force=True))
    if isinstance(registration, str):
        if registration != "auto":
            raise ParameterError(f"registration cannot be {registration!r}; give auto, a calibration or an aligner")
        return EachPair()
    return registration
