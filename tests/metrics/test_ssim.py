import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from irfuse.metrics.ssim import similarity, ssim_a


def reference(x: Tensor, y: Tensor, dynamic_range: float) -> float:
    """Compute the mean SSIM by scikit-image over the positions where the window fits."""
    _, image = structural_similarity(
        x[0].numpy(),
        y[0].numpy(),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=dynamic_range,
        full=True,
    )
    return float(image[5:-5, 5:-5].mean())


@pytest.mark.parametrize("dynamic_range", [1.0, 255.0])
def test_equals_scikit_image_on_real_pairs(real_batch: tuple[Tensor, Tensor], dynamic_range: float) -> None:
    ir, vis = (image.double() * dynamic_range for image in real_batch)
    ours = similarity(ir, vis, dynamic_range=dynamic_range)
    expected = torch.tensor(
        [reference(*pair, dynamic_range) for pair in zip(ir, vis, strict=True)], dtype=torch.float64
    )
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(similarity(vis, ir, dynamic_range=dynamic_range), ours)
    torch.testing.assert_close(ssim_a(ir, ir, vis, dynamic_range=dynamic_range), (1 + ours) / 2)


def test_gradient(real_batch: tuple[Tensor, Tensor]) -> None:
    ir, vis = (image[:1, :, :12, :12].double() for image in real_batch)
    assert torch.autograd.gradcheck(similarity, (ir.requires_grad_(), vis))


def test_float32_is_near_float64(real_batch: tuple[Tensor, Tensor]) -> None:
    single, double = similarity(*real_batch), similarity(*(image.double() for image in real_batch))
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-5)


def test_constant_images_are_finite_with_gradient() -> None:
    x = torch.zeros(1, 1, 16, 16, requires_grad=True)
    value = similarity(x, torch.zeros(1, 1, 16, 16))
    value.sum().backward()
    assert value.item() == 1
    assert x.grad is not None
    assert x.grad.isfinite().all()
