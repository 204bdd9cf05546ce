import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio
from torch import Tensor

from irfuse.metrics.pixels import mse, psnr


def test_equals_scikit_image_on_real_pairs(real_batch: tuple[Tensor, Tensor]) -> None:
    ir, vis = (image.double() for image in real_batch)
    pairs = list(zip(ir.numpy(), vis.numpy(), strict=True))
    errors = torch.tensor([mean_squared_error(*pair) for pair in pairs], dtype=torch.float64)
    ratios = torch.tensor([peak_signal_noise_ratio(*pair, data_range=1) for pair in pairs], dtype=torch.float64)
    torch.testing.assert_close(mse(ir, vis, vis), errors)
    torch.testing.assert_close(psnr(ir, vis, vis), ratios)
    torch.testing.assert_close(mse(ir, ir, vis), errors / 2)
    torch.testing.assert_close(psnr(ir * 255, vis * 255, vis * 255, peak=255), ratios)


def test_equal_images() -> None:
    image = torch.rand(2, 1, 4, 4)
    assert mse(image, image, image).tolist() == [0, 0]
    assert psnr(image, image, image).tolist() == [float("inf")] * 2
