import urllib.error
import urllib.request
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import correlate, uniform_filter
from torch import Tensor, nn

from irfuse.backbones import MSRA, TORCHVISION, Backbone
from irfuse.backbones.resnet import ResNet
from irfuse.errors import ImageError, WeightsError
from irfuse.fuser import Fuser
from irfuse.io import images
from irfuse.methods import resnet152
from irfuse.methods.resnet152 import ResNet152, Variant

Batch = tuple[Tensor, Tensor]
AROUND = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
DETAIL_SCALES = {"torchvision": 1 / np.array([0.229, 0.224, 0.225]), "msra": np.array([255.0, 255.0, 255.0])}


@cache
def random_backbone(layout: str) -> Backbone:
    """A ResNet-50 with random weights, also in its batch normalization, in which no layer is dead."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ResNet(50, variant="v1") if layout == "msra" else ResNet(50)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d):
                for values in (module.weight, module.running_var):
                    nn.init.uniform_(values, 0.5, 1.5)
                for values in (module.bias, module.running_mean):
                    nn.init.normal_(values, std=0.1)
    return Backbone(network, MSRA if layout == "msra" else TORCHVISION, layout)


@pytest.fixture(scope="module", params=list(product(DETAIL_SCALES, ["l1", "l2"], ["paper", "code"])), ids="-".join)
def method(request: pytest.FixtureRequest) -> ResNet152:
    layout, norm, variant = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet152, "pretrained", lambda _: random_backbone(layout))
        return ResNet152(variant=variant, backbone="resnet50", norm=norm)


def base(image: NDArray[np.float64], variant: Variant) -> NDArray[np.float64]:
    if variant == "paper":
        return uniform_filter(image, 31, mode="nearest")
    padded = np.pad(image, 16, mode="symmetric")
    # (1 + 5 D'D) x = image, where D is the forward differences, solved in the Fourier domain.
    kernel = np.zeros(padded.shape)
    kernel[0, 0], kernel[0, 1], kernel[1, 0], kernel[0, -1], kernel[-1, 0] = 1 + 5 * 4, -5, -5, -5, -5
    return np.fft.ifft2(np.fft.fft2(padded) / np.fft.fft2(kernel)).real[16:-16, 16:-16]


def features(method: ResNet152, detail: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Compute the features of a detail in the variant's layers, (C, h, w) each, module by module."""
    network, paper = method.network.network, method.variant == "paper"
    scales = DETAIL_SCALES[method.network.layout] if paper else np.ones(3)
    fed = torch.from_numpy(detail * scales[:, None, None]).float()[None]
    conv1 = network.conv1(fed)
    relu1 = network.bn1(conv1).relu()
    x = network.maxpool(relu1)
    projection = network.layer1[0].downsample(x)
    first, last = [], []
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in layer:
            x = block(x, block.shortcut(x))
            if block is layer[0]:
                first.append(x)
        last.append(x)
    found = [relu1, *first] if paper else [fed, conv1, projection, *last[1:]]
    return [layer[0].double().numpy() for layer in found]


def activity(method: ResNet152, of: NDArray[np.float64]) -> NDArray[np.float64]:
    norm = np.abs(of).sum(axis=0) if method.norm == "l1" else np.sqrt((of**2).sum(axis=0))
    return correlate(norm if method.variant == "paper" else norm**2, AROUND, mode="constant")


def test_fusion_rule_by_definition(method: ResNet152, real_batch: Batch) -> None:
    """The rule equals an implementation in NumPy and SciPy, which uses only the modules of the network."""
    ir, vis = (image[0, 0].double().numpy() for image in real_batch)
    bases = [base(image, method.variant) for image in (ir, vis)]
    details = [image - low for image, low in zip((ir, vis), bases, strict=True)]
    layers = [[activity(method, of) for of in features(method, detail)] for detail in details]
    weights = []
    for own, other in ((0, 1), (1, 0)):
        maps = [a / (a + b) for a, b in zip(layers[own], layers[other], strict=True)]
        weights.append(np.max([enlarge(share, k, ir.shape, method.variant) for k, share in enumerate(maps)], axis=0))
    shares = (0.6, 0.4) if method.variant == "paper" else (0.5, 0.5)
    expected = sum(share * low for share, low in zip(shares, bases, strict=True))
    expected += sum(weight * detail for weight, detail in zip(weights, details, strict=True))
    fused = method(*(image[:1] for image in real_batch))[0, 0].numpy()
    np.testing.assert_allclose(fused, expected.clip(0, 1), atol=1e-5)


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


def test_weights_where_neither_is_active(method: ResNet152) -> None:
    black = torch.zeros(1, 1, 64, 96)
    for weight in method.weights(black, black):
        torch.testing.assert_close(weight, torch.full_like(black, 0.5))


def test_sources_in_turn_equal_one_batch(method: ResNet152, real_batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    together = method(*real_batch)
    monkeypatch.setattr(resnet152, "_PIXELS_IN_ONE_BATCH", 0)
    torch.testing.assert_close(method(*real_batch), together, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("at_once", "needed"), [(1 << 20, 600 * 4 * 64 * 64 * 2), (0, 600 * 4 * 64 * 64)])
def test_too_large_for_the_memory(
    method: ResNet152, at_once: int, needed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole batch counts, and counts twice if both sources run together."""
    batch = torch.rand(4, 1, 64, 64)
    monkeypatch.setattr(resnet152, "_PIXELS_IN_ONE_BATCH", at_once)
    monkeypatch.setattr(resnet152, "free_memory", lambda device: needed)
    method(batch, batch)
    monkeypatch.setattr(resnet152, "free_memory", lambda device: needed - 1)
    with pytest.raises(
        ImageError, match=r"resnet152 needs about .* GB for 64x64 pixels in a batch of 4, and 0\.0 GB are free"
    ):
        method(batch, batch)


def test_the_authors_own_results(data: Path, supplied_weights: Path) -> None:
    """The results of the authors' code on TNO, with ResNet-152, match the variant with ResNet-50 to 60 dB."""
    fuser = Fuser("resnet152:variant=code,backbone=resnet50", device="cpu")
    if fuser.method.network.layout != "msra":
        pytest.skip("IRFUSE_WEIGHTS has torchvision's ResNet-50, which comes first")
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
