"""Radiometric JPEG files: thermal data beside a picture.

To add a maker's files, write a module with a :data:`~irfuse.io.thermal.base.Reader`, as ``dji.py`` is one, and list it
in ``READERS``.
"""

from irfuse.errors import ImageError
from irfuse.io import jpeg
from irfuse.io.thermal import dji, flir
from irfuse.io.thermal.base import Reader, ThermalFile

READERS: dict[str, Reader] = {"FLIR": flir.read, "DJI": dji.read}
"""The readers by the makers of the cameras, in the order in which they are asked."""


def find(data: bytes, name: str) -> ThermalFile | None:
    """Read the thermal data in the content of a file; None if it is no radiometric JPEG.

    Args:
        data: the content.
        name: what errors call it.

    Raises:
        ImageError: there is thermal data that cannot be read.

    >>> find(b"II*\\0", "x.tiff") is None
    True
    """
    if not data.startswith(jpeg.MAGIC):
        return None
    header = jpeg.header(data)
    for maker, read in READERS.items():
        try:
            found = read(header, data)
        except ImageError as error:
            raise ImageError(
                f"{name}: its thermal data of {maker} cannot be read: {error}; copy the file from the camera again, or "
                "use its palette picture by --as-picture"
            ) from None
        if found is not None:
            return found
    return None
