"""Thermal files as a user has them: radiometric JPEG, and images of counts or temperatures.

This is ``irfuse.thermal`` in Python.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from irfuse import notices
from irfuse.errors import ImageError, naming
from irfuse.imaging.levels import THERMAL_ONLY, is_celsius
from irfuse.imaging.planes import Array
from irfuse.io import images, jpeg, thermal
from irfuse.io.listing import images_by_stem
from irfuse.io.metadata import Metadata, of_file
from irfuse.io.pair import Pair, Pairing
from irfuse.io.thermal.base import Scene as Scene
from irfuse.io.thermal.base import StoredAlignment as StoredAlignment
from irfuse.io.thermal.base import ThermalFile as ThermalFile

_COUNTS = ("uint16", *THERMAL_ONLY)
_ONE_IMAGE = "the file holds one image"
_LOOKED_AT = 20
"""How many files of a folder are looked at before it counts as one without radiometric files."""


def read(path: str | Path) -> ThermalFile:
    """Read a thermal file: a radiometric JPEG of FLIR or DJI, an image of counts, or one of temperatures in °C.

    Args:
        path: a JPEG, or a gray image of 16 bits, of integers with a sign, or of floats beyond [0, 1].

    Raises:
        ImageError: the file cannot be read, or holds neither counts nor temperatures.

    Warns:
        ImageFileWarning: see :func:`irfuse.io.images.read`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images.write(f"{folder}/x.tiff", np.float32([[20.5, 21.5]]))
    ...     read(f"{folder}/x.tiff").values.tolist()
    [[20.5, 21.5]]
    """
    return read_with_metadata(path)[0]


def read_with_metadata(path: str | Path) -> tuple[ThermalFile, Metadata]:
    """Read a thermal file as :func:`read` does, and what it says about the camera, the time and the position."""
    data, name = images.read_bytes(path), str(path)
    file = thermal.find(data, name)
    if file is not None:
        metadata, orientation = _metadata(data)
        return _upright(file, orientation), metadata
    image, metadata = images.decode_with_metadata(data, name)
    with naming(name, ImageError):
        return of_image(image), metadata


def of_image(image: Array) -> ThermalFile:
    """Tell whether an infrared image holds counts or temperatures.

    Args:
        image: as :func:`irfuse.io.images.read` returns it.

    Raises:
        ImageError: it holds neither. The message does not name it.

    >>> of_image(np.float32([[20.5, 21.5]])).no_visible
    'the file holds one image'
    """
    if image.ndim == 2 and image.dtype.name in _COUNTS:
        return ThermalFile("", image, None, "the file holds counts", no_visible=_ONE_IMAGE)
    measured = image[np.isfinite(image)]
    if image.ndim == 2 and measured.size and is_celsius(image.dtype.name, float(measured.min()), float(measured.max())):
        celsius = np.where(np.isfinite(image), image, np.nan).astype(np.float32)
        return ThermalFile("", None, celsius, no_visible=_ONE_IMAGE)
    kind = f"{image.dtype}" if image.ndim == 2 else f"{image.dtype} in {image.shape[2]} channels"
    raise ImageError(f"holds neither counts nor temperatures, but a picture ({kind})")


def photograph(path: str | Path) -> tuple[bytes, Array, Metadata]:
    """Read the photograph in a radiometric JPEG.

    Returns:
        The content of a JPEG file with the camera, the time and the position, empty if the photograph is not upright or
        no JPEG; the image, (H, W, 3), upright; and its metadata.

    Raises:
        ImageError: the file cannot be read, is no radiometric JPEG, or has no photograph.
    """
    data, name = images.read_bytes(path), str(path)
    file = thermal.find(data, name)
    if file is None or not file.visible:
        why = "it is not a radiometric JPEG" if file is None else file.no_visible
        raise ImageError(f"{name}: has no photograph, since {why}")
    with notices.collected():
        image, metadata = images.decode_with_metadata(data, name, "visible")
    content = file.visible if file.visible.startswith(jpeg.MAGIC) and _metadata(data)[1] == 1 else b""
    if content and not jpeg.header(content).exif:
        content = jpeg.with_exif(content, metadata.exif("", ".jpg"))
    return content, image, metadata


def own_pair(path: str | Path) -> tuple[Array, Array, Metadata]:
    """Read both images of a radiometric JPEG: what it measured, and its photograph.

    They show the same scene from two cameras, so they have different sizes and fields of view, and must be registered.

    Returns:
        The infrared and the visible image as :func:`irfuse.io.images.read` returns them, and what a fused image keeps
        of the file.

    Raises:
        ImageError: the file cannot be read, is no radiometric JPEG, or has no photograph.
    """
    _, visible, metadata = photograph(path)
    return images.read(path), visible, metadata


def own_pairs(folder: Path) -> Pairing:
    """Find the radiometric JPEG files in a folder, each of which holds both images of a pair.

    Returns:
        A pair for each file with a photograph; its infrared and its visible image are the same file. The other images
        are unpaired. There is no pair if none of the first twenty images is such a file.

    Raises:
        PairError: two images of the folder have the same name, or the folder cannot be read.
    """
    files = list(images_by_stem(folder).values())
    if not any(map(_has_photograph, files[:_LOOKED_AT])):
        return Pairing((), tuple(files))
    own: list[Pair] = []
    others: list[Path] = []
    for path in files:
        if _has_photograph(path):
            own.append(Pair(path.stem, path, path))
        else:
            others.append(path)
    return Pairing(tuple(own), tuple(others))


def _has_photograph(path: Path) -> bool:
    """Tell whether a file holds a photograph beside its thermal data, or is damaged so that nobody can tell."""
    try:
        file = thermal.find(images.read_bytes(path), str(path))
    except ImageError:
        return True
    return file is not None and bool(file.visible)


def _upright(file: ThermalFile, orientation: int) -> ThermalFile:
    counts, celsius = (
        None if values is None else images.upright(values, orientation) for values in (file.counts, file.celsius)
    )
    return replace(file, counts=counts, celsius=celsius)


def _metadata(data: bytes) -> tuple[Metadata, int]:
    """Return the metadata of a radiometric JPEG, and its orientation. The profile is that of its picture."""
    header = jpeg.header(data)
    return of_file(header.exif, b"", header.xmp)
