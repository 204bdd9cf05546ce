"""Feature mutual information (FMI): the information that 3x3 windows of the fused image share with the sources'.

M. Haghighat, M. A. Razian: "Fast-FMI: non-reference image fusion metric", AICT 2014, doi:10.1109/ICAICT.2014.7036000.
It was first proposed by M. B. A. Haghighat, A. Aghagolzadeh, H. Seyedarabi: "A non-reference image fusion metric based
on mutual information of image features", Computers & Electrical Engineering 37(5), 2011,
doi:10.1016/j.compeleceng.2011.07.012.

A window of features, shifted to a minimum of zero and divided by its sum, counts as a distribution over its nine
places. Two windows do not define a joint distribution, so one is constructed from their marginals and their
correlation. It is a mixture of the product of the marginals and the most concordant joint distribution (the least
concordant one for a negative correlation), after R. B. Nelsen. The five metrics differ only in their features. All
compute in float64, whatever the dtype of the images. Scaling the images changes the values only through rounding, which
decides whether gradients are equal and which of two tied edges wins.
"""

import math
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from irfuse.errors import ImageError
from irfuse.ops.filters import mirrored, sobel

_WINDOW = 3
_PLACES = _WINDOW**2
# The number of windows computed at once: few enough for the caches of a CPU, many enough to keep a GPU busy.
_CHUNK = {"cpu": 1 << 13, "cuda": 1 << 17}
# Replaces a probability of zero, or a ratio of zero, before a division or a logarithm.
_NEGLIGIBLE = 1e-100
_EDGE_CUTOFF = 4.0
_EDGE_TOLERANCE = 100 * torch.finfo(torch.float64).eps
_MEYER_TAPS = 102


def fmi_pixel(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the FMI of the gray levels. Many papers' "FMI_pixel" is :func:`fmi_edge`.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 3.

    Returns:
        (B,), almost always in [0, 1]; higher is better.

    Raises:
        ImageError: the images are smaller than the window.

    >>> image = torch.rand(1, 1, 8, 8)
    >>> fmi_pixel(image, image, image)
    tensor([1.])
    """
    return _fmi("fmi_pixel", _gray_levels, fused, ir, vis)


def fmi_gradient(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the FMI of the differences between columns, which are central, and one-sided at the border.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 3.

    Returns:
        (B,), almost always in [0, 1]; higher is better.

    Raises:
        ImageError: the images are smaller than the window.

    >>> image = torch.rand(1, 1, 8, 8)
    >>> fmi_gradient(image, image, image)
    tensor([1.])
    """
    return _fmi("fmi_gradient", _gradient, fused, ir, vis)


def fmi_edge(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the FMI of binary, thinned Sobel edges.

    Most windows have no edge in either image and count as equal, so the value is near 0.9 for every method.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 3.

    Returns:
        (B,), almost always in [0, 1]; higher is better.

    Raises:
        ImageError: the images are smaller than the window.

    >>> image = torch.rand(1, 1, 8, 8)
    >>> fmi_edge(image, image, image)
    tensor([1.])
    """
    return _fmi("fmi_edge", _edges, fused, ir, vis)


def fmi_dct(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the FMI of the discrete cosine transform of the whole image.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 3.

    Returns:
        (B,), almost always in [0, 1]; higher is better.

    Raises:
        ImageError: the images are smaller than the window.

    >>> image = torch.rand(1, 1, 8, 8)
    >>> fmi_dct(image, image, image)
    tensor([1.])
    """
    return _fmi("fmi_dct", _cosine_transform, fused, ir, vis)


def fmi_wavelet(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the FMI of one level of the discrete Meyer wavelet transform, with its four bands side by side.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 3.

    Returns:
        (B,), almost always in [0, 1]; higher is better.

    Raises:
        ImageError: the images are smaller than the window.

    >>> image = torch.rand(1, 1, 8, 8)
    >>> fmi_wavelet(image, image, image)
    tensor([1.])
    """
    return _fmi("fmi_wavelet", _wavelet_transform, fused, ir, vis)


def _fmi(name: str, features: Callable[[Tensor], Tensor], fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute the mean of the shared information over all windows and both sources, (B,)."""
    height, width = fused.shape[2:]
    if min(height, width) < _WINDOW:
        raise ImageError(f"{name} needs images of at least {_WINDOW}x{_WINDOW}, this one is {width}x{height}")
    values = []
    for images in torch.stack([fused, ir, vis], dim=1).detach().double():
        # One image at a time, so that the transforms stay in the caches of a CPU.
        maps = torch.cat([features(image) for image in torch.split(images, 1)])
        windows = maps[:, 0].unfold(1, _WINDOW, 1).unfold(2, _WINDOW, 1)
        rows = max(1, _CHUNK.get(fused.device.type, _CHUNK["cpu"]) // windows.shape[2])
        total = torch.zeros_like(images[0, 0, 0, 0])
        for chunk in torch.split(windows, rows, dim=1):
            # One plane per place of a window, column by column. The metric depends on this order.
            total += _total(chunk.permute(0, 4, 3, 1, 2).reshape(3, _PLACES, -1))
        values.append(total / (2 * windows.shape[1] * windows.shape[2]))
    return torch.stack(values).to(fused.dtype)


def _total(windows: Tensor) -> Tensor:
    """Sum the shared information over both sources and all windows, (3, 9, N) of fused, ir and vis.

    Two equal windows, and two flat ones, share 1.
    """
    flat = (windows == windows[:, :1]).all(dim=1)
    alike = (flat[:1] & flat[1:]) | (windows[:1] == windows[1:]).all(dim=1)
    # Few windows are left if the features are edges.
    left = ~alike.all(dim=0)
    windows, alike_left = windows[:, :, left], alike[:, left]
    shared = _shared_information(windows[:1], windows[1:])
    return alike.sum() + torch.where(alike_left, 0, shared).sum()


def _shared_information(fused: Tensor, sources: Tensor) -> Tensor:
    """Compute twice the mutual information of windows divided by the sum of their entropies.

    Args:
        fused: (1, 9, N).
        sources: (2, 9, N).

    Returns:
        (2, N). 0 where both entropies are zero, because each window has all its probability in one place.
    """
    x, y = _Windows(sources), _Windows(fused)
    correlation = _ratio((x.centered * y.centered).sum(dim=1), (x.variance * y.variance).sqrt())
    # The least concordant joint distribution is the most concordant one with the places of one window reversed.
    reverse = correlation < 0
    p, q = x.p, torch.where(reverse[:, None], y.p.flip(1), y.p)
    q_mean_place = torch.where(reverse, _PLACES + 1 - y.mean_place, y.mean_place)

    # The most concordant distribution has at most 17 nonzero entries, on a staircase from corner to corner. Each entry
    # ends at a step of a cumulative distribution, so the first 8 steps of both and the last corner find them all. Where
    # both step together, the second step finds an entry without mass.
    p_steps, q_steps = _cumulate(p), _cumulate(q)
    last = _PLACES - 1
    below = (q_steps[:, 1:-1, None] < p_steps[:, None, 1:-1]).view(torch.uint8)
    q_place = F.pad(below.sum(dim=1, dtype=torch.uint8), (0, 0, 0, 1), value=last).long()
    p_place = (last - below.sum(dim=2, dtype=torch.uint8)).long()
    covariance = -x.mean_place * q_mean_place
    staircase = []
    for own, own_steps, other, other_steps, place in (
        (p, p_steps, q, q_steps, q_place),
        (q[:, :-1], q_steps[:, :-1], p, p_steps, p_place),
    ):
        mass = own_steps[:, 1:] - torch.maximum(own_steps[:, :-1], other_steps.gather(1, place))
        staircase.append((mass, own * other.gather(1, place)))
        covariance += (mass * _places(own) * (place + 1)).sum(dim=1)

    # The share of the concordant distribution in the mixture. It can exceed one and make entries of the mixture
    # negative. The logarithm of a negative entry is that of its absolute value.
    deviations = (x.variance_of_place * y.variance_of_place).sqrt()
    share = _ratio(correlation.abs() * deviations, covariance)
    rest = 1 - share
    rest_term = _x_log_x(rest)
    # Off the staircase, an entry of the mixture is `rest` times that of the product.
    information = rest_term.clone()
    for mass, product in staircase:
        ratio = rest[:, None] + share[:, None] * mass / product.clamp(min=_NEGLIGIBLE)
        information += (product * (_x_log_x(ratio) - rest_term[:, None])).sum(dim=1)

    return _ratio(2 * information, x.entropy + y.entropy)


class _Windows:
    """Distributions over the places of windows of features, (C, 9, N)."""

    def __init__(self, windows: Tensor) -> None:
        above = windows - windows.amin(dim=1, keepdim=True)
        total = above.sum(dim=1, keepdim=True)
        uniform = 1 / _PLACES
        self.p = torch.where(total == 0, uniform, above / total)
        self.centered = self.p - uniform
        self.variance = self.centered.square().sum(dim=1)
        self.entropy = -_x_log_x(self.p).sum(dim=1)
        place = _places(self.p)
        self.mean_place = (self.p * place).sum(dim=1)
        # The variance of a place drawn from the distribution. `variance` is that of the probabilities.
        self.variance_of_place = (self.p * (place - self.mean_place[:, None]).square()).sum(dim=1)


def _places(p: Tensor) -> Tensor:
    """Return the numbers 1, 2, … of the places of (C, P, N) as (P, 1)."""
    return torch.arange(1, p.shape[1] + 1, dtype=p.dtype, device=p.device)[:, None]


def _cumulate(p: Tensor) -> Tensor:
    """Compute the cumulative distributions, which begin with zero: (C, 9, N) to (C, 10, N)."""
    return F.pad(p.cumsum(dim=1), (0, 0, 1, 0))


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    zero = denominator == 0
    return torch.where(zero, 0, numerator / torch.where(zero, 1, denominator))


def _x_log_x(x: Tensor) -> Tensor:
    """Compute x log |x|, which is 0 at 0. It is several times as fast as xlogy."""
    return x * x.abs().clamp(min=_NEGLIGIBLE).log()


def _gray_levels(images: Tensor) -> Tensor:
    return images


def _gradient(images: Tensor) -> Tensor:
    middle = (images[..., 2:] - images[..., :-2]) / 2
    return torch.cat([images[..., 1:2] - images[..., :1], middle, images[..., -1:] - images[..., -2:-1]], dim=3)


def _edges(images: Tensor) -> Tensor:
    """Find Sobel edges as MATLAB does: 1 where the magnitude is a ridge and exceeds a cutoff relative to its mean."""
    rows, columns = sobel(images, "replicate")
    rows, columns = (rows / 8).abs(), (columns / 8).abs()
    squares = rows.square() + columns.square()
    strong = squares > _EDGE_CUTOFF * squares.mean(dim=(1, 2, 3), keepdim=True)
    around = F.pad(squares, (1, 1, 1, 1))
    left, right, up, down = around[..., 1:-1, :-2], around[..., 1:-1, 2:], around[..., :-2, 1:-1], around[..., 2:, 1:-1]
    across = (columns >= rows - _EDGE_TOLERANCE) & (left < squares) & (squares >= right)
    along = (rows >= columns - _EDGE_TOLERANCE) & (up < squares) & (squares >= down)
    return (strong & (across | along)).to(images.dtype)


def _cosine_transform(images: Tensor) -> Tensor:
    """Compute the orthonormal DCT in both directions, up to a constant factor."""
    for _ in range(2):
        size = images.shape[3]
        # A Fourier transform of the same size is enough if the even places come first and the odd ones follow reversed.
        order = torch.cat([images[..., ::2], images[..., 1::2].flip(3)], dim=3)
        angle = torch.arange(size, dtype=images.dtype, device=images.device) * (-math.pi / (2 * size))
        images = (torch.fft.fft(order) * torch.polar(torch.ones_like(angle), angle)).real
        images[..., 0] /= math.sqrt(2)
        images = images.transpose(2, 3)
    return images


def _wavelet_transform(images: Tensor) -> Tensor:
    """Compute the bands [approximation, horizontal; vertical, diagonal]. Horizontal is high-pass down the columns."""
    filters = _meyer_filters()
    halves = [_decimate(images, 3, taps) for taps in filters]
    return torch.cat([torch.cat([_decimate(half, 2, taps) for taps in filters], dim=3) for half in halves], dim=2)


def _decimate(images: Tensor, dim: int, taps: list[float]) -> Tensor:
    """Convolve images along `dim` and keep every second value. Mirroring, edge included, extends the border."""
    size, reach = images.shape[dim], len(taps) - 1
    source = mirrored(size, reach, images.device)
    # Even and odd places are separate, so that each term reads adjacent memory.
    phases = [images.index_select(dim, source[phase::2]) for phase in (0, 1)]
    count = (size + reach) // 2
    total = torch.zeros_like(phases[0].narrow(dim, 0, count))
    # Unlike a Fourier transform, a sum term by term keeps flat regions exactly flat, so that their windows are equal.
    for k, tap in enumerate(taps):
        start = 1 + reach - k
        total.add_(phases[start % 2].narrow(dim, start // 2, count), alpha=tap)
    return total


@cache
def _meyer_filters() -> tuple[list[float], list[float]]:
    """Return the low-pass and high-pass taps of the discrete Meyer wavelet, truncated as MATLAB's `dmey`."""
    frequency = torch.linspace(0, 1, 8193, dtype=torch.float64)
    t = (3 * frequency - 1).clamp(0, 1)
    response = torch.cos(math.pi / 2 * t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3))
    half = torch.fft.irfft(response)[: _MEYER_TAPS // 2]
    low = F.pad(torch.cat([half.flip(0), half[1:]]), (1, 0))
    low *= math.sqrt(2) / low.sum()
    high = low.flip(0)
    high[::2] *= -1
    return low.tolist(), high.tolist()
