import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from irfuse.errors import ImageError
from irfuse.ops.filters import (
    Border,
    box,
    extend,
    gaussian,
    local_covariance,
    local_mean,
    local_variance,
    moments_to_sources,
    separable,
    separable_at,
)

TAPS = (0.1, 0.2, 0.4, 0.2, 0.3)


@pytest.mark.parametrize(
    ("border", "mode"),
    [("reflect", "mirror"), ("symmetric", "reflect"), ("replicate", "nearest"), ("zero", "constant")],
)
def test_borders_equal_scipy(border: Border, mode: str) -> None:
    images = torch.rand(2, 3, 9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = images.numpy()
    for axis in (2, 3):
        expected = correlate1d(expected, TAPS, axis=axis, mode=mode)
    np.testing.assert_allclose(separable(images, TAPS, border).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(separable(images, TAPS, "valid").numpy(), expected[..., 2:-2, 2:-2], atol=1e-12)


@pytest.mark.parametrize("border", ["valid", "reflect", "symmetric", "replicate", "zero"])
def test_gradients(border: Border) -> None:
    images = torch.rand(1, 2, 6, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(separable, (images, TAPS, border))
    assert torch.autograd.gradgradcheck(separable, (images, TAPS, border))


def test_symmetric_border_wider_than_the_image() -> None:
    images = torch.rand(1, 1, 2, 3)
    expected = np.pad(images[0, 0].numpy(), 7, mode="symmetric")
    np.testing.assert_array_equal(extend(images, 7, "symmetric")[0, 0].numpy(), expected)


def test_function_transforms() -> None:
    images = torch.rand(1, 1, 6, 7, dtype=torch.float64)
    gradient = torch.func.grad(lambda x: (separable(x, TAPS, "zero") ** 2).sum())(images)
    images.requires_grad_()
    (expected,) = torch.autograd.grad((separable(images, TAPS, "zero") ** 2).sum(), images)
    torch.testing.assert_close(gradient, expected)


def test_window_larger_than_the_image() -> None:
    images = torch.rand(1, 1, 4, 9)
    with pytest.raises(ImageError, match="a window of 5x5 does not fit into 9x4 pixels"):
        separable(images, TAPS, "valid")
    with pytest.raises(ImageError, match="a window of 5x5 does not fit into 9x4 pixels"):
        separable_at(images, TAPS, 2)


@pytest.mark.parametrize("stride", [1, 2, 3, 7])
@pytest.mark.parametrize("height", [5, 6, 11, 12])
def test_separable_at_some_places(stride: int, height: int) -> None:
    images = torch.rand(2, 3, height, 13, dtype=torch.float64, requires_grad=True)
    expected = separable(images, TAPS, "valid")[..., ::stride, ::stride]
    filtered = separable_at(images, TAPS, stride)
    torch.testing.assert_close(filtered, expected)
    gradients = [torch.autograd.grad((values**2).sum(), images)[0] for values in (filtered, expected)]
    torch.testing.assert_close(*gradients)
    assert torch.autograd.gradcheck(separable_at, (images[:1, :1], TAPS, stride))


@pytest.mark.parametrize("stride", [1, 2])
def test_moments_to_sources(stride: int) -> None:
    fused, *sources = torch.rand(3, 2, 1, 12, 15, dtype=torch.float64)
    moments = moments_to_sources(fused, torch.cat(sources, dim=1), box(7), stride)
    expected = (
        [local_mean(fused, box(7), "valid")],
        [local_mean(source, box(7), "valid") for source in sources],
        [local_variance(fused, box(7), "valid")],
        [local_variance(source, box(7), "valid") for source in sources],
        [local_covariance(fused, source, box(7), "valid") for source in sources],
    )
    for moment, channels in zip(moments, expected, strict=True):
        torch.testing.assert_close(moment, torch.cat(channels, dim=1)[..., ::stride, ::stride])


def test_moments_to_sources_are_precise_far_from_zero() -> None:
    image = 1000 + torch.rand(1, 1, 16, 16)
    _, _, variance, _, covariance = moments_to_sources(image, image, box(7), 1)
    expected = local_variance(image.double(), box(7), "valid")
    for moment in (variance, covariance):
        torch.testing.assert_close(moment.double(), expected, rtol=1e-4, atol=0)


def test_gaussian() -> None:
    taps = gaussian(11, 1.5)
    assert sum(taps) == pytest.approx(1)
    assert taps[6] / taps[5] == pytest.approx(np.exp(-1 / (2 * 1.5**2)))
    assert taps == pytest.approx(taps[::-1])


def test_moments_of_one_window() -> None:
    x, y = torch.rand(2, 1, 1, 8, 8, dtype=torch.float64)
    moments = [local_mean(x, box(8), "valid"), local_variance(x, box(8), "valid")]
    assert [value.item() for value in moments] == pytest.approx([x.mean().item(), x.var(correction=0).item()])
    covariance = ((x - x.mean()) * (y - y.mean())).mean().item()
    assert local_covariance(x, y, box(8), "valid").item() == pytest.approx(covariance)
