"""The calls for those who want a result: paths, arrays or tensors in, a fused image out."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from irfuse import images
from irfuse.errors import ImageError, PairError
from irfuse.fuser import Color, Fuser
from irfuse.levels import DEFAULT_THERMAL, Levels, Percentiles
from irfuse.methods import METHODS
from irfuse.methods.base import Method, MethodInfo


def fuse(
    ir: str | Path | NDArray[Any] | Tensor,
    vis: str | Path | NDArray[Any] | Tensor,
    *,
    method: str | Method = "res2netfuse",
    device: str = "auto",
    color: Color = "auto",
    stretch: bool = False,
    thermal: Levels | Percentiles = DEFAULT_THERMAL,
) -> Any:
    """Fuse one pair, or one batch of pairs. For many calls make a :class:`irfuse.Fuser` once.

    Args:
        ir, vis: paths of image files, or arrays or tensors as :class:`irfuse.Fuser` takes them.
        method, device, color, stretch, thermal: as :class:`irfuse.Fuser` takes them.

    Returns:
        An array, or a tensor where `vis` is one, of the visible image's size, channels and dtype.

    Raises:
        IrfuseError: what was given cannot be fused; the message says why and what to do.

    >>> from irfuse import samples
    >>> pair = samples.pairs()[0]
    >>> fuse(pair.ir, pair.vis).shape
    (480, 640, 3)
    """
    fuser = Fuser(method, device=device, color=color, stretch=stretch, thermal=thermal)
    if isinstance(ir, str | Path) and isinstance(vis, str | Path):
        return fuse_files(ir, vis, fuser)
    return fuser(_image(ir), _image(vis))


def fuse_files(ir: str | Path, vis: str | Path, fuser: Fuser) -> NDArray[Any]:
    """Fuse the images of two files; an error names them.

    Raises:
        ImageError, PairError: a file cannot be read, or the images cannot be fused.
    """
    sources = images.read(ir), images.read(vis)
    try:
        return fuser(*sources)
    except (ImageError, PairError) as error:
        raise type(error)(f"{ir} and {vis}: {error}") from None


def list_methods() -> list[MethodInfo]:
    """What is known of each method: name, paper, sizes.

    >>> [info.name for info in list_methods()][0]
    'res2netfuse'
    """
    return [method.info for method in METHODS]


def _image(source: str | Path | NDArray[Any] | Tensor) -> Any:
    return images.read(source) if isinstance(source, str | Path) else source
