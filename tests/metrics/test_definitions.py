"""Readings without a reference equal independent implementations of their definitions in NumPy, for single images."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from torch import Tensor

from irfuse import samples
from irfuse.errors import SuspiciousPairWarning
from irfuse.evaluation.evaluator import Evaluator
from irfuse.imaging.color import luma
from irfuse.io import images
from irfuse.metrics.gradients import qm
from irfuse.metrics.information import mi, nmi, qmi, qncie, qte
from irfuse.metrics.pixels import mse, rmse
from irfuse.metrics.protocols import find
from irfuse.metrics.sharpness import sf
from irfuse.metrics.ssim import mef_ms_ssim, mef_ssim
from irfuse.ops.filters import gaussian

Gray = NDArray[np.float64]


@pytest.fixture(scope="module")
def levels() -> tuple[Gray, Gray, Gray]:
    """The fused, infrared and visible image of a pair with flat regions, in 0-255."""
    pair = next(pair for pair in samples.pairs() if pair.name == "msrs_00633D")
    ir, vis = images.read(pair.ir).astype(float)[::2, ::2], images.read(pair.vis).astype(float)[::2, ::2]
    vis = np.rint(luma(*np.moveaxis(vis, 2, 0)))
    return np.floor((ir + vis + 1) / 2), ir, vis


@pytest.fixture(scope="module")
def unit(levels: tuple[Gray, Gray, Gray]) -> tuple[Tensor, Tensor, Tensor]:
    fused, ir, vis = (torch.from_numpy(image / 255)[None, None] for image in levels)
    return fused, ir, vis


def joint(x: Gray, y: Gray) -> Gray:
    counts, _, _ = np.histogram2d(x.ravel(), y.ravel(), bins=256, range=((0, 256), (0, 256)))
    return counts / x.size


def entropy(p: Gray) -> float:
    return -sum(float(value) * math.log2(value) for value in p.ravel() if value > 0)


def information(x: Gray, y: Gray) -> float:
    p = joint(x, y)
    return entropy(p.sum(axis=0)) + entropy(p.sum(axis=1)) - entropy(p)


def test_information(levels: tuple[Gray, Gray, Gray], unit: tuple[Tensor, Tensor, Tensor]) -> None:
    fused, ir, vis = levels
    h_fused, h_ir, h_vis = (entropy(joint(image, image)) for image in levels)
    m_ir, m_vis = information(fused, ir), information(fused, vis)
    assert mi(*unit).item() == pytest.approx(m_ir + m_vis)
    assert nmi(*unit).item() == pytest.approx(2 * (m_ir + m_vis) / (h_ir + h_vis))
    assert qmi(*unit).item() == pytest.approx(2 * (m_ir / (h_ir + h_fused) + m_vis / (h_vis + h_fused)))
    pairs = information(ir, vis) / 8, m_ir / 8, m_vis / 8
    matrix = np.array([[1, pairs[0], pairs[1]], [pairs[0], 1, pairs[2]], [pairs[1], pairs[2], 1]])
    shares = np.linalg.eigvalsh(matrix) / 3
    assert qncie(*unit).item() == pytest.approx(1 + sum(share * math.log(share, 256) for share in shares))


def test_tsallis_information(levels: tuple[Gray, Gray, Gray], unit: tuple[Tensor, Tensor, Tensor]) -> None:
    order = 0.43137

    def shared(x: Gray, y: Gray) -> float:
        p = joint(x, y)
        product = np.outer(p.sum(axis=1), p.sum(axis=0))
        return float((1 - (p[p > 0] ** order * product[p > 0] ** (1 - order)).sum()) / (1 - order))

    def own(x: Gray) -> float:
        p = joint(x, x).sum(axis=0)
        return float((1 - (p[p > 0] ** order).sum()) / (order - 1))

    fused, ir, vis = levels
    expected = (shared(fused, ir) + shared(fused, vis)) / (own(ir) + own(vis) - shared(ir, vis))
    assert qte(*unit).item() == pytest.approx(expected)


def test_relations(unit: tuple[Tensor, Tensor, Tensor], levels: tuple[Gray, Gray, Gray]) -> None:
    assert rmse(*unit).item() == pytest.approx(math.sqrt(mse(*unit).item()))
    assert qm(*unit).item() == pytest.approx(find("liu").readings["qm"].function(*unit).item() / 3)
    fused = levels[0]
    squares = (np.diff(fused, axis=0) ** 2).sum() + (np.diff(fused, axis=1) ** 2).sum()
    assert sf(*unit).item() == pytest.approx(math.sqrt(squares / fused.size))
    halves = [image.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(4, 5)) for image in unit]
    quarters = [image.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(4, 5)) for image in halves]
    weights = np.array([0.0448, 0.2856, 0.3001]) / 0.6305
    scales = [mef_ssim(*scale).item() for scale in (unit, halves, quarters)]
    assert mef_ms_ssim(*unit).item() == pytest.approx(np.prod(scales**weights))


def windows(image: Gray) -> Gray:
    """Compute exact sums over 8x8 windows of an image of integers."""
    table = np.pad(image.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    return table[8:, 8:] - table[:-8, 8:] - table[8:, :-8] + table[:-8, :-8]


def index(x: Gray, y: Gray) -> Gray:
    """Compute the universal quality index from sums over 64 pixels.

    It is 1 where both images are black, and the luminance factor where both are flat.
    """
    sx, sy = windows(x), windows(y)
    vx, vy, cov = (64 * windows(a * b) - windows(a) * windows(b) for a, b in ((x, x), (y, y), (x, y)))
    with np.errstate(invalid="ignore"):
        luminance = np.where(sx**2 + sy**2 == 0, 1, 2 * sx * sy / (sx**2 + sy**2))
        return luminance * np.where(vx + vy == 0, 1, 2 * cov / (vx + vy))


def test_piella(levels: tuple[Gray, Gray, Gray]) -> None:
    fused, ir, vis = levels
    v_ir, v_vis = (64 * windows(x * x) - windows(x) ** 2 for x in (ir, vis))
    assert ((v_ir == 0) & (v_vis == 0)).any()
    share = np.where(v_ir + v_vis == 0, 0.5, v_ir / np.maximum(v_ir + v_vis, 1))
    quality, saliency = share * index(fused, ir) + (1 - share) * index(fused, vis), np.maximum(v_ir, v_vis)
    scores = Evaluator(["q", "qw"])(*(image.astype(np.uint8) for image in levels))
    assert scores["q"] == pytest.approx(quality.mean(), rel=1e-9)
    assert scores["qw"] == pytest.approx((quality * saliency).sum() / saliency.sum(), rel=1e-9)


def means(image: Gray) -> Gray:
    taps = gaussian(7, 1.5)
    return correlate1d(correlate1d(image, taps, axis=0), taps, axis=1)[3:-3, 3:-3]


def moments(x: Gray, y: Gray) -> tuple[Gray, Gray, Gray, Gray, Gray]:
    """Compute means, variances and covariance in 7x7 windows; the latter are exactly 0 where a window is flat."""
    mx, my = means(x), means(y)
    flat_x, flat_y = (np.ptp(np.lib.stride_tricks.sliding_window_view(z, (7, 7)), axis=(2, 3)) == 0 for z in (x, y))
    vx, vy, cov = (means(a * b) - means(a) * means(b) for a, b in ((x, x), (y, y), (x, y)))
    return mx, my, np.where(flat_x, 0, vx), np.where(flat_y, 0, vy), np.where(flat_x | flat_y, 0, cov)


def similarity(mx: Gray, my: Gray, vx: Gray, vy: Gray, cov: Gray) -> Gray:
    c = 2e-16
    return (2 * mx * my + c) * (2 * cov + c) / ((mx**2 + my**2 + c) * (vx + vy + c))


def test_qc_and_qy(levels: tuple[Gray, Gray, Gray]) -> None:
    fused, ir, vis = (image[:120, :160] / 255 for image in levels)
    by_ir, by_vis, between = moments(fused, ir), moments(fused, vis), moments(ir, vis)
    to_ir, to_vis = similarity(*by_ir), similarity(*by_vis)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(by_ir[4] + by_vis[4] == 0, 0.5, by_ir[4] / (by_ir[4] + by_vis[4])).clip(0, 1)
        weight = np.where(between[2] + between[3] == 0, 0.5, between[2] / (between[2] + between[3]))
    mixed = weight * to_ir + (1 - weight) * to_vis
    expected = {
        "qc": (share * to_ir + (1 - share) * to_vis).mean(),
        "qy": np.where(similarity(*between) >= 0.75, mixed, np.maximum(to_ir, to_vis)).mean(),
    }
    scores = Evaluator(["qc", "qy"])(*(image[:120, :160].astype(np.uint8) for image in levels))
    assert scores == pytest.approx(expected, rel=1e-6)


def test_three_constants() -> None:
    """Only the luminance differs. Rounding errors must not count as contrast."""
    fused, ir, vis = (np.full((32, 32), level, np.uint8) for level in (100, 99, 30))
    expected = np.mean([2 * 100 * level / (100**2 + level**2) for level in (99, 30)])
    with pytest.warns(SuspiciousPairWarning, match="the infrared image is constant"):
        scores = Evaluator(["q", "qw", "qc", "qy"])(fused, ir, vis)
    assert scores["q"] == pytest.approx(expected)
    assert scores["qw"] == pytest.approx(expected)
    assert scores["qc"] == pytest.approx(expected)
    assert -1 <= scores["qy"] <= 1


def test_ataman(levels: tuple[Gray, Gray, Gray]) -> None:
    fused, ir, vis = (image[:117, :85] for image in levels)
    total = kept = 0.0
    for row in range(0, 112, 8):
        for column in range(0, 80, 8):
            f, i, v = (image[row : row + 8, column : column + 8] for image in (fused, ir, vis))
            v_ir, v_vis = i.var(ddof=1), v.var(ddof=1)
            share = v_ir / (v_ir + v_vis) if v_ir + v_vis > 0 else 0.5
            quality = share * block_index(f, i) + (1 - share) * block_index(f, v)
            kept, total = kept + max(v_ir, v_vis) * quality, total + max(v_ir, v_vis)
    scores = Evaluator(["qw"], "ataman")(*(image[:117, :85].astype(np.uint8) for image in levels))
    assert scores["qw"] == pytest.approx(kept / total, rel=1e-6)


def block_index(x: Gray, y: Gray) -> float:
    mx, my, vx, vy = x.mean(), y.mean(), x.var(ddof=1), y.var(ddof=1)
    covariance = ((x - mx) * (y - my)).sum() / 63
    luminance = 2 * mx * my / (mx**2 + my**2) if mx**2 + my**2 > 0 else 1.0
    return float(luminance * (2 * covariance / (vx + vy) if vx + vy > 0 else 1.0))
