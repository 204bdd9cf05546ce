"""Metrics equal those of maintained libraries on real pairs."""

import numpy as np
import pytest
import pytorch_msssim
import skimage.measure
import skimage.metrics
import torch
from numpy.typing import NDArray
from sklearn.metrics import mutual_info_score
from torch import Tensor
from torchmetrics.functional.image import visual_information_fidelity

from irfuse import samples
from irfuse.io import images
from irfuse.metrics.information import en, mi
from irfuse.metrics.pixels import mse, psnr
from irfuse.metrics.protocols import find
from irfuse.metrics.ssim import ms_ssim, ssim_a
from irfuse.metrics.vif import vif

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


@pytest.fixture(scope="module", params=["tno_01", "tno_16"])
def arrays(request: pytest.FixtureRequest) -> Arrays:
    pair = next(pair for pair in samples.pairs() if pair.name == request.param)
    # Multiples of 16, because libraries differ in how they treat the last row of a scale with an odd size.
    ir, vis = (images.read(path)[:256, :352] for path in (pair.ir, pair.vis))
    assert ir.shape == (256, 352)
    return ((ir.astype(int) + vis + 1) // 2).astype(np.uint8), ir, vis


@pytest.fixture
def tensors(arrays: Arrays) -> tuple[Tensor, Tensor, Tensor]:
    f, i, v = (torch.from_numpy(image / 255)[None, None] for image in arrays)
    return f, i, v


def test_information(arrays: Arrays, tensors: tuple[Tensor, Tensor, Tensor]) -> None:
    fused, *sources = arrays
    assert en(*tensors).item() == pytest.approx(skimage.measure.shannon_entropy(fused))
    expected = sum(mutual_info_score(source.ravel(), fused.ravel()) for source in sources)
    assert mi(*tensors, base=np.e).item() == pytest.approx(expected)


def test_pixels(arrays: Arrays, tensors: tuple[Tensor, Tensor, Tensor]) -> None:
    fused, *sources = (image / 255 for image in arrays)
    errors = [skimage.metrics.mean_squared_error(fused, source) for source in sources]
    assert mse(*tensors).item() == pytest.approx(np.mean(errors))
    both = tensors[0], tensors[1], tensors[1]
    assert psnr(*both).item() == pytest.approx(skimage.metrics.peak_signal_noise_ratio(fused, sources[0], data_range=1))


def test_structural_similarity(tensors: tuple[Tensor, Tensor, Tensor]) -> None:
    fused, *sources = tensors
    expected = [pytorch_msssim.ssim(fused, source, data_range=1).item() for source in sources]
    # The Gaussian of pytorch-msssim has single precision.
    assert ssim_a(*tensors).item() == pytest.approx(np.mean(expected), rel=1e-5)
    expected = [pytorch_msssim.ms_ssim(fused, source, data_range=1).item() for source in sources]
    assert ms_ssim(*tensors).item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_cddfuse(arrays: Arrays, tensors: tuple[Tensor, Tensor, Tensor]) -> None:
    """The definitions of `Evaluator.py`, computed by other libraries."""
    fused, ir, vis = (image.astype(float) for image in arrays)
    error = np.mean([skimage.metrics.mean_squared_error(fused, source) for source in (ir, vis)])
    rows, columns = (np.square(np.diff(fused, axis=axis)) for axis in (0, 1))
    expected = {
        "en": skimage.measure.shannon_entropy(arrays[0]),
        "sd": fused.std(),
        "sf": np.sqrt((rows.sum() + columns.sum()) / fused.size),
        "mi": sum(mutual_info_score(source.ravel(), arrays[0].ravel()) for source in arrays[1:]),
        "mse": error,
        "psnr": 10 * np.log10(fused.max() ** 2 / error),
        "cc": np.mean([np.corrcoef(fused.ravel(), source.ravel())[0, 1] for source in (ir, vis)]),
        "scd": sum(np.corrcoef((fused - b).ravel(), a.ravel())[0, 1] for a, b in ((ir, vis), (vis, ir))),
        "ssim": sum(skimage.metrics.structural_similarity(source, fused, data_range=2) for source in (ir, vis)),
        "vif": sum(visual_information_fidelity(tensors[0] * 255, s * 255).item() for s in tensors[1:]),
        "qabf": find("vifb").readings["qabf"].function(*tensors).item(),
    }
    scores = {name: reading.function(*tensors).item() for name, reading in find("cddfuse").readings.items()}
    assert scores == pytest.approx(expected, rel=1e-6)


def test_visual_information_fidelity(tensors: tuple[Tensor, Tensor, Tensor]) -> None:
    fused, *sources = (image * 255 for image in tensors)
    expected = sum(visual_information_fidelity(fused, source).item() for source in sources)
    assert vif(*tensors).item() == pytest.approx(expected, rel=1e-6)
