"""Structural similarity.

Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli: "Image quality assessment: from error visibility to structural
similarity", IEEE Transactions on Image Processing 13(4), 2004, doi:10.1109/TIP.2003.819861.
"""

import torch
from torch import Tensor

from irfuse.errors import ImageError
from irfuse.filters import gaussian_kernel, separable

_WINDOW, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03


def similarity(x: Tensor, y: Tensor, *, dynamic_range: float = 1.0) -> Tensor:
    """The mean SSIM of two images, over the places where the 11x11 Gaussian window (sigma 1.5) fits.

    Differentiable.

    Args:
        x, y: (B, 1, H, W) with H and W at least 11, in [0, dynamic_range].
        dynamic_range: L of the constants C1 = (0.01 L)^2 and C2 = (0.03 L)^2.

    Returns:
        (B,), in [-1, 1], 1 for equal images.

    Raises:
        ImageError: the images are smaller than the window.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> similarity(image, image)
    tensor([1.])
    """
    if min(x.shape[2:]) < _WINDOW:
        raise ImageError(f"SSIM needs images of at least {_WINDOW}x{_WINDOW}, this one is {x.shape[3]}x{x.shape[2]}")
    c1, c2 = (_K1 * dynamic_range) ** 2, (_K2 * dynamic_range) ** 2
    moments = torch.cat([x, y, x * x, y * y, x * y], dim=1)
    moments = separable(moments, gaussian_kernel(_WINDOW, _SIGMA, x), "valid")
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = moments.chunk(5, dim=1)
    square_x, square_y, product = mean_x * mean_x, mean_y * mean_y, mean_x * mean_y
    luminance: Tensor = (2 * product + c1) / (square_x + square_y + c1)
    structure = (2 * (mean_xy - product) + c2) / (mean_xx - square_x + mean_yy - square_y + c2)
    return (luminance * structure).mean(dim=(1, 2, 3))


def ssim_a(fused: Tensor, ir: Tensor, vis: Tensor, *, dynamic_range: float = 1.0) -> Tensor:
    """SSIM_a, the mean of the fused image's similarity to both sources; see :func:`similarity`.

    Pass one image as both sources to compare two images.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, dynamic_range].

    Returns:
        (B,), in [-1, 1], higher is better.

    >>> image = torch.rand(1, 1, 16, 16)
    >>> ssim_a(image, image, image)
    tensor([1.])
    """
    to_ir, to_vis = (similarity(fused, source, dynamic_range=dynamic_range) for source in (ir, vis))
    return (to_ir + to_vis) / 2
