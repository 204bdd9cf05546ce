"""Reading: image files as luma or color in [0, 1].

A training reads a file many times. What looks wrong in it is said once, by :mod:`irfuse.training.checks`.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irfuse import notices
from irfuse.errors import ImageError, naming
from irfuse.imaging import planes, sizes
from irfuse.imaging.color import gray
from irfuse.imaging.levels import DEFAULT_THERMAL
from irfuse.imaging.planes import Array, Planes, Prepared
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.methods.base import Channels

Gray = NDArray[np.float32]


def read_gray(path: Path) -> Gray:
    """Read the luma of an image file, (H, W) in [0, 1], without warnings.

    Raises:
        ImageError: as :func:`read_gray_and_warn` raises it.
    """
    with notices.collected():
        return read_gray_and_warn(path)


def read_gray_and_warn(path: Path) -> Gray:
    """Read the luma of an image file, (H, W) in [0, 1].

    Raises:
        ImageError: the file cannot be read, holds NaN or infinity, or its values have no known range.

    Warns:
        ImageFileWarning: see :func:`irfuse.io.images.read`.
    """
    image = images.read(path, "visible")
    _check_finite(image, str(path))
    try:
        luma: Gray = gray(planes.from_array(image, "visible").unit())[0, 0]
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    return luma


def read_pair(pair: Pair, channels: Channels) -> tuple[Gray, Gray]:
    """Read the images of a pair, (H, W) and (H, W, channels), in [0, 1], without warnings.

    Raises:
        ImageError, PairError: as :func:`prepare_pair` raises them.
    """
    with notices.collected():
        prepared = prepare_pair(pair, channels)
    return prepared.ir[0, 0], np.ascontiguousarray(np.moveaxis(prepared.vis[0], 0, 2))


def prepare_pair(pair: Pair, channels: Channels) -> Prepared[Array]:
    """Read a pair, and prepare it as the Fuser does by default.

    Raises:
        ImageError, PairError: as :func:`read_planes` and :func:`prepare_planes` raise them.
    """
    return prepare_planes(pair.name, *read_planes(pair), channels)


def read_planes(pair: Pair) -> tuple[Planes[Array], Planes[Array]]:
    """Read the infrared and the visible image of a pair as native values.

    Raises:
        ImageError: a file cannot be read, holds NaN or infinity, or is no image.
        PairError: the sizes differ.

    Warns:
        ImageFileWarning: see :func:`irfuse.io.images.read`.
    """
    ir, vis = images.read(pair.ir), images.read(pair.vis, "visible")
    _check_finite(ir, f"{pair.name}: the infrared image")
    _check_finite(vis, f"{pair.name}: the visible image")
    sizes.check_equal(ir.shape[:2], vis.shape[:2], name=pair.name)
    with naming(pair.name, ImageError):
        return planes.from_array(ir, "infrared"), planes.from_array(vis, "visible")


def prepare_planes(name: str, ir: Planes[Array], vis: Planes[Array], channels: Channels) -> Prepared[Array]:
    """Prepare the images of a pair: raw infrared counts and temperatures are stretched between their own percentiles.

    Raises:
        ImageError: the values of an image have no known range.
    """
    with naming(name, ImageError):
        return planes.prepare(ir, vis, DEFAULT_THERMAL, channels)


def _check_finite(image: Array, name: str) -> None:
    """Refuse NaN, which a fused image can leave out, but a loss cannot."""
    bad = int(np.count_nonzero(~np.isfinite(image))) if image.dtype.kind == "f" else 0
    if bad:
        raise ImageError(f"{name}: {bad} values are NaN or infinite; replace them, or leave the image out")
