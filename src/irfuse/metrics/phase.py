"""Zhao's metric of phase congruency: how well the fused image keeps the sources' features.

J. Zhao, R. Laganiere, Z. Liu: "Performance assessment of combinative pixel-level image fusion based on an absolute
feature measurement", International Journal of Innovative Computing, Information and Control 3(6A), 2007. It is based on
P. Kovesi: "Image features from phase congruency", Videre 1(3), 1999, and "Phase congruency detects corners and edges",
DICTA 2003. The constants are those of Liu's code.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from irfuse.errors import ImageError
from irfuse.ops.filters import gaussian, local_covariance, local_variance
from irfuse.ops.sharing import shared

_SCALES, _ORIENTATIONS = 4, 6
_SHORTEST_WAVE, _WAVE_RATIO = 3, 2.1
_BANDWIDTH = 0.55
_ANGULAR_SIGMA = math.pi / _ORIENTATIONS / 1.2
# Energy below the mean of the noise plus two standard deviations of its Rayleigh distribution is noise. The divisor
# 1.7 is empirical.
_NOISE = (math.sqrt(math.pi / 2) + 2 * math.sqrt(2 - math.pi / 2)) / 1.7
_LOW_PASS_CUTOFF, _LOW_PASS_ORDER = 0.45, 30
_SPREAD_CUTOFF, _SPREAD_GAIN = 0.5, 10
_EPSILON = 1e-4

_WINDOW = 11
_GAUSSIAN = gaussian(_WINDOW, 1.5)
_FEATURE_CUTOFF = 0.1
_C = 1e-4


def qp(fused: Tensor, ir: Tensor, vis: Tensor, *, shifted_low_pass: bool = False) -> Tensor:
    """Compute Q_P, the local correlation of phase congruency and its two moments with the sources'.

    :func:`compare` gives the formula and the cases where the metric misleads.

    Args:
        fused, ir, vis: (B, 1, H, W) in [0, 1], H and W at least 11.
        shifted_low_pass: as :func:`phase_congruency` takes it.

    Returns:
        (B,), about [0, 1]; higher is better. NaN where no source has a feature.

    Raises:
        ImageError: an image is too small.

    >>> image = torch.rand(1, 1, 32, 32)
    >>> qp(image, image, image) > qp(torch.rand(1, 1, 32, 32), image, image)
    tensor([True])
    """
    return compare(*(phase_congruency(image, shifted_low_pass) for image in (fused, ir, vis)))


def compare(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """Compute Q_P = P_p P_M P_m from features.

    Each factor is the mean of the largest of three local correlations: that of the fused image with ir, with vis, and
    with the source of higher phase congruency. The mean is over the pixels where a source has a feature, which is a
    phase congruency above 0.1. Only the sources are cut off at 0.1, so three equal images get less than 1, while a flat
    fused image gets about 1.

    Args:
        fused, ir, vis: (B, 3, H, W), from :func:`phase_congruency`.

    Returns:
        (B,), about [0, 1]; higher is better. NaN where no source has a feature.

    >>> features = phase_congruency(torch.rand(2, 1, 32, 32))
    >>> compare(features, features, features).shape
    torch.Size([2])
    """
    ir_feature, vis_feature = ir[:, :1] > _FEATURE_CUTOFF, vis[:, :1] > _FEATURE_CUTOFF
    ir_is_stronger = ir[:, :1] > vis[:, :1]
    either = ir_feature | vis_feature
    count = either.sum(dim=(1, 2, 3))
    result = torch.ones_like(fused[:, 0, 0, 0])
    for f, i, v in zip(*(features.chunk(3, dim=1) for features in (fused, ir, vis)), strict=True):
        variance = local_variance(f, _GAUSSIAN, "zero")
        # For the moments, too, the stronger source is the one with the higher phase congruency.
        sources = (i, ir_feature), (v, vis_feature), (torch.where(ir_is_stronger, i, v), either)
        to_ir, to_vis, to_stronger = (
            _correlation(f, variance, source * feature) * feature for source, feature in sources
        )
        best = torch.maximum(torch.maximum(to_ir, to_vis), to_stronger)
        result = result * best.sum(dim=(1, 2, 3)) / count
    return result


@shared
def phase_congruency(images: Tensor, shifted_low_pass: bool = False) -> Tensor:
    """Compute Kovesi's phase congruency with its maximum and minimum moments over direction.

    Args:
        images: (B, 1, H, W) in [0, 1], H and W at least 11.
        shifted_low_pass: whether the low-pass filter of an odd side is the one of Liu's code, whose center lies one
            frequency off. Even sides have the same filter either way.

    Returns:
        (B, 3, H, W): the phase congruency in [0, 1], the maximum moment M, which is large at edges, and the minimum
        moment m, which is large at corners.

    Raises:
        ImageError: the images are too small.

    >>> phase_congruency(torch.rand(2, 1, 32, 32)).shape
    torch.Size([2, 3, 32, 32])
    """
    height, width = images.shape[2:]
    if min(height, width) < _WINDOW:
        raise ImageError(f"Q_P needs images of at least {_WINDOW}x{_WINDOW} pixels, not {width}x{height}")
    bank = _bank(height, width, shifted_low_pass, images.dtype, images.device)
    # One image at a time. The whole batch at once would be slower on a CPU, and would need memory for all its scales.
    return torch.cat([_features(image, bank) for image in images.chunk(len(images))])


class _Bank(NamedTuple):
    """Log-Gabor filters, (H, W) each.

    Attributes:
        radial: the factors that depend on the distance from zero frequency, one per scale.
        angular: the factors that depend on the direction, one per orientation.
        noise: the standard deviation of the noise in the sum of all scales, relative to that in the finest scale, one
            per orientation.
    """

    radial: tuple[Tensor, ...]
    angular: tuple[Tensor, ...]
    noise: tuple[Tensor, ...]


@shared
def _bank(height: int, width: int, shifted_low_pass: bool, dtype: torch.dtype, device: torch.device) -> _Bank:
    rows, columns = (_frequencies(side).to(device, dtype) for side in (height, width))
    rows = rows[:, None]
    squares = rows**2 + columns**2
    squares[0, 0] = 1
    log_radius = squares.log() / 2
    low_pass = _shifted_low_pass(height, width).to(device, dtype) if shifted_low_pass else _low_pass(log_radius)
    waves = [_SHORTEST_WAVE * _WAVE_RATIO**scale for scale in range(_SCALES)]
    widths = -2 * math.log(_BANDWIDTH) ** 2
    radial = [torch.exp((log_radius + math.log(wave)).square() / widths) * low_pass for wave in waves]
    for scale in radial:
        scale[0, 0] = 0
    angle = torch.atan2(-rows, columns)
    angular = [_spread(angle, math.pi * step / _ORIENTATIONS) for step in range(_ORIENTATIONS)]
    all_scales = sum(radial[1:], radial[0])
    noise = []
    for spread in angular:
        finest, both = radial[0] * spread, all_scales * spread
        together = (both + _opposite(both)) / 2
        noise.append((together.square().sum() / finest.square().sum()).sqrt())
    return _Bank(tuple(radial), tuple(angular), tuple(noise))


def _low_pass(log_radius: Tensor) -> Tensor:
    """Compute Kovesi's Butterworth filter, which removes the frequencies in the corners of the spectrum."""
    return 1 / (1 + torch.exp(_LOW_PASS_ORDER * (log_radius - math.log(_LOW_PASS_CUTOFF))))


def _shifted_low_pass(height: int, width: int) -> Tensor:
    """Compute the filter as Liu's code does, which shifts the wrong way.

    The code counts frequencies from the middle, and moves them to the corner by the shift that is meant for the other
    direction. For an odd side, the two shifts differ by one. The code also divides by the side, not by the side less 1.
    """
    rows, columns = ((torch.arange(side, dtype=torch.float64) - side // 2) / side for side in (height, width))
    log_radius = torch.fft.fftshift(rows[:, None] ** 2 + columns**2).log() / 2
    return _low_pass(log_radius)


def _frequencies(side: int) -> Tensor:
    """Compute frequencies in cycles per pixel, in the order of the Fourier transform. Odd sides also reach one half."""
    steps = torch.arange(-(side // 2), (side + 1) // 2, dtype=torch.float64)
    frequencies: Tensor = torch.fft.ifftshift(steps / (side - side % 2))
    return frequencies


def _opposite(spectrum: Tensor) -> Tensor:
    """Map each position k to -k. At half the sampling rate, -k and k are the same position."""
    return spectrum.flip(0, 1).roll((1, 1), (0, 1))


def _spread(angle: Tensor, direction: float) -> Tensor:
    distance = (angle - direction).abs()
    return torch.exp(torch.minimum(distance, 2 * math.pi - distance).square() / (-2 * _ANGULAR_SIGMA**2))


def _features(image: Tensor, bank: _Bank) -> Tensor:
    # The last dimension holds the real and imaginary parts, because PyTorch would convert real factors to complex.
    spectrum = torch.view_as_real(torch.fft.fft2(image[0, 0] * 255))
    spectra = [spectrum * radial[..., None] for radial in bank.radial]
    energies, amplitudes = torch.zeros_like(image), torch.zeros_like(image)
    squares_x, squares_y, products = torch.zeros_like(image), torch.zeros_like(image), torch.zeros_like(image)
    for step in range(_ORIENTATIONS):
        responses = [torch.fft.ifft2(torch.view_as_complex(each * bank.angular[step][..., None])) for each in spectra]
        even, odd = [r.real.contiguous() for r in responses], [r.imag.contiguous() for r in responses]
        energy, amplitude = _energy(even, odd, bank.noise[step])
        energies += energy
        amplitudes += amplitude
        congruency = energy / amplitude.clamp_(min=torch.finfo(image.dtype).tiny)
        angle = math.pi * step / _ORIENTATIONS
        squares = congruency * congruency
        squares_x += squares * math.cos(angle) ** 2
        squares_y += squares * math.sin(angle) ** 2
        products += squares * (math.cos(angle) * math.sin(angle))
    mean, difference = (squares_x + squares_y) / _ORIENTATIONS, (squares_x - squares_y) / (_ORIENTATIONS / 2)
    # By definition, the moments contain four times the products. Liu's code omits the factor, and so does this.
    spread = (torch.hypot(products / _ORIENTATIONS, difference) + _EPSILON) / 2
    return torch.cat([energies / (amplitudes + _EPSILON), mean + spread, mean - spread], dim=1)


def _energy(even: list[Tensor], odd: list[Tensor], noise: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the energy in phase at all scales and the sum of the amplitudes in one direction, (H, W) each."""
    finest = torch.hypot(even[0], odd[0])
    threshold = _median(finest) / math.sqrt(math.log(2)) * noise * _NOISE
    amplitude, largest = finest.clone(), finest
    for e, o in zip(even[1:], odd[1:], strict=True):
        one = torch.hypot(e, o)
        amplitude += one
        largest = torch.maximum(largest, one)
    sum_even, sum_odd = sum(even[1:], even[0]), sum(odd[1:], odd[0])
    strength = torch.hypot(sum_even, sum_odd)
    energy = strength * strength
    for e, o in zip(even, odd, strict=True):
        energy -= (e * sum_odd).sub_(o * sum_even).abs_()
    energy = energy.div_(strength.add_(_EPSILON)).sub_(threshold).clamp_(min=0)
    # Phase is not significant where few scales respond.
    width = amplitude / largest.add_(_EPSILON).mul_(_SCALES)
    return energy.mul_(width.sub_(_SPREAD_CUTOFF).mul_(_SPREAD_GAIN).sigmoid_()), amplitude


def _median(values: Tensor) -> Tensor:
    """Compute the median, which is the mean of the two middle values for an even count."""
    middle = (values.numel() - 1) // 2
    if values.device.type == "cpu":
        # NumPy is six times as fast as PyTorch here.
        ordered = torch.from_numpy(np.partition(values.detach().flatten().numpy(), middle))
        lower, above = ordered[middle], ordered[middle + 1 :].min()
    else:
        lower = values.median()
        above = values.masked_fill(values <= lower, math.inf).min()
        above = torch.where((values <= lower).sum() > middle + 1, lower, above)
    return lower if values.numel() % 2 else (lower + above) / 2


def _correlation(fused: Tensor, variance: Tensor, source: Tensor) -> Tensor:
    """Compute the correlation in each window. `variance` is that of the fused image."""
    covariance = local_covariance(fused, source, _GAUSSIAN, "zero")
    variances = local_variance(source, _GAUSSIAN, "zero") * variance
    return (covariance + _C) / (variances.abs().sqrt() + _C)
