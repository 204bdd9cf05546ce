import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import correlate, uniform_filter
from torch import Tensor

from irfuse import images
from irfuse.errors import ImageError, WeightsError
from irfuse.fuser import Fuser
from irfuse.methods import resnet152
from irfuse.methods.resnet152 import ResNet152, Variant

Batch = tuple[Tensor, Tensor]
AROUND = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16


@pytest.fixture(scope="module", params=["paper", "code"])
def method(request: pytest.FixtureRequest, supplied_weights: Path) -> ResNet152:
    return ResNet152(variant=request.param, backbone="resnet50")


def base(image: NDArray[np.float64], variant: Variant) -> NDArray[np.float64]:
    if variant == "paper":
        return uniform_filter(image, 31, mode="nearest")
    padded = np.pad(image, 16, mode="symmetric")
    # (1 + 5 D'D) x = image, D the forward differences, solved in the Fourier domain.
    kernel = np.zeros(padded.shape)
    kernel[0, 0], kernel[0, 1], kernel[1, 0], kernel[0, -1], kernel[-1, 0] = 1 + 5 * 4, -5, -5, -5, -5
    return np.fft.ifft2(np.fft.fft2(padded) / np.fft.fft2(kernel)).real[16:-16, 16:-16]


def test_fusion_rule_by_definition(method: ResNet152, real_batch: Batch) -> None:
    """Against NumPy and SciPy, but for the network's features."""
    ir, vis = (image[0, 0].double().numpy() for image in real_batch)
    bases = [base(image, method.variant) for image in (ir, vis)]
    details = [image - low for image, low in zip((ir, vis), bases, strict=True)]
    layers = []
    for detail in details:
        fed = torch.from_numpy(detail).float()[None, None].expand(-1, 3, -1, -1)
        places = ["relu1", *(f"layer{k}.0" for k in (1, 2, 3, 4))]
        if method.variant == "code":
            places = ["conv1", "layer1.0.downsample", "layer2.3", "layer3.5", "layer4.2"]
        else:
            fed = fed * 255
        features = method.network.network.features(fed, places)
        norms = [np.abs(f[0].double().numpy()).sum(axis=0) for f in features]
        if method.variant == "code":
            norms = [3 * np.abs(detail), *norms]
            norms = [norm**2 for norm in norms]
        layers.append([correlate(norm, AROUND, mode="constant") for norm in norms])
    weights = []
    for own, other in ((0, 1), (1, 0)):
        maps = [a / (a + b) for a, b in zip(layers[own], layers[other], strict=True)]
        weights.append(np.max([enlarge(share, k, ir.shape, method.variant) for k, share in enumerate(maps)], axis=0))
    shares = (0.6, 0.4) if method.variant == "paper" else (0.5, 0.5)
    expected = sum(share * low for share, low in zip(shares, bases, strict=True))
    expected += sum(weight * detail for weight, detail in zip(weights, details, strict=True))
    fused = method(*(image[:1] for image in real_batch))[0, 0].numpy()
    np.testing.assert_allclose(fused, expected.clip(0, 1), atol=2e-4)


def enlarge(share: NDArray[np.float64], layer: int, shape: tuple[int, ...], variant: Variant) -> NDArray[np.float64]:
    if variant == "paper":
        enlarged = F.interpolate(torch.from_numpy(share)[None, None], size=shape, mode="bilinear", align_corners=False)
        return np.asarray(enlarged[0, 0].numpy())
    times = (1, 2, 4, 8, 16, 31)[layer]
    repeated = share.repeat(times, axis=0).repeat(times, axis=1)
    missing = [(0, max(0, side - there)) for side, there in zip(shape, repeated.shape, strict=True)]
    return np.pad(repeated, missing, mode="edge")[: shape[0], : shape[1]]


def test_weights(method: ResNet152, real_batch: Batch) -> None:
    ir_weight, vis_weight = method.weights(*real_batch)
    assert ir_weight.shape == real_batch[0].shape
    for weight in (ir_weight, vis_weight):
        assert weight.min() >= 0
        assert weight.max() <= 1
    assert (ir_weight + vis_weight).min() >= 1 - 1e-6


def test_sources_in_turn_equal_one_batch(method: ResNet152, real_batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    together = method(*real_batch)
    monkeypatch.setattr(resnet152, "_PIXELS_IN_ONE_BATCH", 0)
    torch.testing.assert_close(method(*real_batch), together, rtol=0, atol=1e-5)


def test_too_large_for_the_memory(method: ResNet152, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resnet152, "free_memory", lambda device: 10**6)
    image = torch.rand(1, 1, 64, 64)
    with pytest.raises(ImageError, match=r"resnet152 needs about .* GB for 64x64 pixels, and 0\.0 GB are free"):
        method(image, image)


def test_the_authors_own_results(data: Path, supplied_weights: Path) -> None:
    """Their code's results on TNO, by ResNet-152, are those of the variant with ResNet-50 to 60 dB."""
    fuser = Fuser("resnet152:variant=code,backbone=resnet50", device="cpu")
    for name in ("01", "08", "13"):
        fused = fuser(*(images.read(data / "tno21" / role / f"{name}.png") for role in ("ir", "vis")))
        theirs = images.read(data / "resnet152_authors" / f"{name}.png")
        error = np.square(fused.astype(float) - theirs).mean()
        assert 10 * np.log10(255**2 / error) > 60


def test_without_its_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("IRFUSE_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def no_network(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    with pytest.raises(WeightsError, match=r"resnet152-394f9c45\.pth cannot be fetched.*IRFUSE_WEIGHTS.*resnet50"):
        ResNet152()
    assert not list((tmp_path / "hub" / "checkpoints").iterdir())
