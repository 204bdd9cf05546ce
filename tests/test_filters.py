import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from irfuse.filters import Border, gaussian_kernel, separable


@pytest.mark.parametrize(("border", "mode"), [("reflect", "mirror"), ("replicate", "nearest"), ("zero", "constant")])
def test_borders_equal_scipy(border: Border, mode: str) -> None:
    images = torch.rand(2, 3, 9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    kernel = torch.tensor([0.1, 0.2, 0.4, 0.2, 0.3], dtype=torch.float64)
    expected = images.numpy()
    for axis in (2, 3):
        expected = correlate1d(expected, kernel.numpy(), axis=axis, mode=mode)
    filtered = separable(images, kernel, border)
    np.testing.assert_allclose(filtered.numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(separable(images, kernel, "valid").numpy(), expected[..., 2:-2, 2:-2], atol=1e-12)


def test_gaussian_kernel() -> None:
    kernel = gaussian_kernel(11, 1.5, torch.zeros(1, dtype=torch.float64))
    assert kernel.sum().item() == pytest.approx(1)
    assert (kernel[6] / kernel[5]).item() == pytest.approx(np.exp(-1 / (2 * 1.5**2)))
    torch.testing.assert_close(kernel, kernel.flip(0))
