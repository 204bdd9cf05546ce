"""The differentiable forms of the metrics of `cddfuse` against the metrics themselves."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from irfuse import Fuser, samples
from irfuse.imaging.color import luma
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.metrics.gradients import soft_qabf
from irfuse.metrics.information import entropy, soft_en, soft_mi
from irfuse.metrics.protocols import find
from irfuse.metrics.sharpness import sf
from irfuse.metrics.ssim import soft_ssim
from irfuse.metrics.statistics import scd, sd, soft_scd
from irfuse.metrics.vif import soft_vif

Metric = Callable[[Tensor, Tensor, Tensor], Tensor]
Triple = tuple[Tensor, Tensor, Tensor]


def en_of(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    return soft_en(fused)


def smooth_en_of(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    return soft_en(fused, bins=64, degree=2)


SOFT: dict[str, Metric] = {
    "en": en_of,
    "sd": sd,
    "sf": sf,
    "mi": partial(soft_mi, base=math.e),
    "scd": soft_scd,
    "vif": soft_vif,
    "vif, stride 3": partial(soft_vif, stride=3),
    "qabf": soft_qabf,
    "ssim": soft_ssim,
    "ssim, stride 2": partial(soft_ssim, stride=2),
}
SMOOTH: dict[str, Metric] = {
    **SOFT,
    "en": smooth_en_of,
    "mi": partial(soft_mi, base=math.e, bins=64, degree=2),
}
"""The forms as they serve for training."""

HARD = {name: find("cddfuse").readings[name.split(",")[0]].function for name in SOFT}
LEVEL = 1 / 255


def gray(path: Path) -> Tensor:
    image = images.read(path).astype(np.float64)
    if image.ndim == 3:
        image = np.rint(luma(*np.moveaxis(image, 2, 0)))
    return torch.from_numpy(image.astype(np.float32) / 255)[None, None]


def rounded(image: Tensor) -> Tensor:
    return (image.clamp(0, 1) * 255).round() / 255


@pytest.fixture(scope="module")
def triples() -> dict[str, Triple]:
    """The sample pairs with three fused images each, in 8-bit levels."""
    found = {}
    for pair in samples.pairs():
        ir, vis = gray(pair.ir), gray(pair.vis)
        for method in ("average", "maximum", "laplacian-pyramid"):
            fused = Fuser(method)(ir[0, 0].numpy(), vis[0, 0].numpy())
            found[f"{pair.name} {method}"] = rounded(torch.from_numpy(fused)[None, None]), ir, vis
    return found


@pytest.fixture(scope="module")
def crops() -> tuple[Tensor, Tensor]:
    """Crops of the sample pairs, (5, 1, 160, 160) each."""
    pairs = [(gray(pair.ir), gray(pair.vis)) for pair in samples.pairs()]
    ir, vis = (torch.cat([pair[k][..., 60:220, 100:260] for pair in pairs]) for k in (0, 1))
    return ir, vis


@pytest.mark.parametrize("name", SOFT)
def test_value_is_within_two_percent(name: str, triples: dict[str, Triple]) -> None:
    assert len(triples) == 15
    for triple in triples.values():
        value, expected = SOFT[name](*triple), HARD[name](*(image.double() for image in triple))
        torch.testing.assert_close(value.double(), expected, rtol=0.02, atol=0)


@pytest.mark.parametrize("name", ["en", "mi"])
def test_information_of_8_bit_images_is_exact(name: str, triples: dict[str, Triple]) -> None:
    for triple in triples.values():
        torch.testing.assert_close(SOFT[name](*triple), HARD[name](*triple), rtol=1e-4, atol=0)


@pytest.fixture(scope="module")
def hard_cases(tno_01: Pair) -> dict[str, Triple]:
    ir, vis = (gray(path)[..., 100:164, 100:164] for path in (tno_01.ir, tno_01.vis))
    black, flat = torch.zeros_like(ir), torch.full_like(ir, 0.3)
    clipped = [((image - image.mean()) * 5 + 0.5).clamp(0, 1) for image in (ir + vis, ir, vis)]
    assert all((image == 0).any() and (image == 1).any() for image in clipped)
    return {
        "constant fused": (flat, ir, vis),
        "all constant": (flat, flat + 0.3, flat / 2),
        "all black": (black, black, black),
        "all white": (black + 1, black + 1, black + 1),
        "black ir": (vis * 0.7, black, vis),
        "black ir, copy of vis": (vis, black, vis),
        "copy of ir": (ir, ir, vis),
        "three equal": (ir, ir, ir),
        "clipped": (clipped[0], clipped[1], clipped[2]),
        "tiny values": (ir * 1e-20, ir * 1e-20, vis),
        "32x32": ((ir + vis)[..., :32, :32] / 2, ir[..., :32, :32], vis[..., :32, :32]),
    }


@pytest.mark.parametrize("name", SMOOTH)
def test_value_and_gradient_are_finite(name: str, hard_cases: dict[str, Triple]) -> None:
    for case, (fused, ir, vis) in hard_cases.items():
        for metric in (SOFT[name], SMOOTH[name]):
            inputs = fused.clone().requires_grad_()
            value = metric(inputs, ir, vis)
            (gradient,) = torch.autograd.grad(value.sum(), inputs)
            assert value.isfinite().all(), case
            assert gradient.isfinite().all(), case


@pytest.mark.parametrize("name", SMOOTH)
def test_step_along_the_gradient_raises_the_metric(name: str, crops: tuple[Tensor, Tensor]) -> None:
    ir, vis = crops
    # Between levels, as the output of a network.
    fused = (0.6 * ir + 0.4 * vis + (torch.rand(ir.shape) - 0.5) * LEVEL).clamp(0, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(SMOOTH[name](fused, ir, vis).sum(), fused)
    fused = fused.detach()
    step = 0.3 * LEVEL * gradient / gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
    before, after = (HARD[name](rounded(f).double(), ir.double(), vis.double()) for f in (fused, fused + step))
    assert (after > before).all()


@pytest.mark.parametrize("name", [name for name in SMOOTH if name != "qabf"])
def test_gradient_is_the_slope_of_the_value(name: str, crops: tuple[Tensor, Tensor]) -> None:
    ir, vis = (image[:1, :, :48, :48].double() for image in crops)
    fused = (0.6 * ir + 0.4 * vis + (torch.rand(ir.shape) - 0.5) * LEVEL).requires_grad_()
    (gradient,) = torch.autograd.grad(SMOOTH[name](fused, ir, vis).sum(), fused)
    with torch.no_grad():
        step = 1e-6 * torch.randn(ir.shape, dtype=torch.float64)
        rise = SMOOTH[name](fused + step, ir, vis) - SMOOTH[name](fused - step, ir, vis)
    torch.testing.assert_close((gradient * step).sum() * 2, rise[0], rtol=1e-3, atol=0)


def test_gradient_of_qabf_is_the_slope_where_edges_are_strong() -> None:
    """Elsewhere, the gradient of the angle is smaller than the slope, which has no bound."""
    ir, vis, mix = torch.rand(3, 1, 1, 16, 16, dtype=torch.float64)
    fused = (ir + vis + mix).div(3).requires_grad_()
    (gradient,) = torch.autograd.grad(soft_qabf(fused, ir, vis).sum(), fused)
    with torch.no_grad():
        step = 1e-7 * torch.randn(ir.shape, dtype=torch.float64)
        rise = soft_qabf(fused + step, ir, vis) - soft_qabf(fused - step, ir, vis)
    torch.testing.assert_close((gradient * step).sum() * 2, rise[0], rtol=1e-2, atol=0)


def test_quadratic_shares_equal_a_histogram_in_numpy() -> None:
    fused, ir, vis = torch.rand(3, 2, 1, 9, 7, dtype=torch.float64)
    bins, centers = 6, np.arange(6)

    def spline(distance: np.ndarray) -> np.ndarray:
        d = np.abs(distance)
        return np.where(d < 0.5, 0.75 - d**2, np.where(d < 1.5, (1.5 - d) ** 2 / 2, 0))

    for k in range(2):
        places = fused[k].numpy().ravel()[:, None] * (bins - 1)
        shares = spline(places - centers)
        # What lies beyond the first and the last bin belongs to them.
        shares[:, :1] += spline(places + 1)
        shares[:, -1:] += spline(places - bins)
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        own = entropy(torch.from_numpy(shares.mean(axis=0))[None]).item()
        assert soft_en(fused, bins=bins, degree=2)[k].item() == pytest.approx(own, abs=1e-5)
        expected = 0.0
        for source in (ir, vis):
            hit = np.rint(source[k].numpy().ravel()[:, None] * (bins - 1)) == centers
            joint = torch.from_numpy(hit.T.astype(float) @ shares / len(shares))[None]
            expected += own + (entropy(joint.sum(dim=2)) - entropy(joint)).item()
        assert soft_mi(fused, ir, vis, bins=bins, degree=2)[k].item() == pytest.approx(expected, abs=1e-5)


def test_information_of_no_number_is_no_number() -> None:
    image = torch.rand(2, 1, 8, 8)
    fused = image.clone()
    fused[0, 0, 0, 0] = math.nan
    for values in (soft_en(fused), soft_mi(fused, image, image)):
        assert values.isnan().tolist() == [True, False]


@pytest.mark.parametrize("name", SMOOTH)
def test_images_of_a_batch_do_not_mix(name: str, crops: tuple[Tensor, Tensor]) -> None:
    ir, vis = (image[:3].double() for image in crops)
    fused = (ir + vis) / 2
    together = SMOOTH[name](fused, ir, vis)
    apart = [SMOOTH[name](fused[k : k + 1], ir[k : k + 1], vis[k : k + 1]) for k in range(3)]
    torch.testing.assert_close(together, torch.cat(apart))


def test_scd_of_a_copy_counts_the_other_term() -> None:
    ir, vis = torch.rand(2, 1, 1, 16, 16, dtype=torch.float64)
    assert scd(ir, ir, vis).isnan().all()
    value = soft_scd(ir, ir, vis).item()
    assert value == pytest.approx(np.corrcoef((ir - vis).numpy().ravel(), ir.numpy().ravel())[0, 1], rel=1e-3)
