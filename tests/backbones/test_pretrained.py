import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from skimage import data as photos
from skimage.transform import resize
from torch import Tensor

from irfuse.backbones import MSRA, TORCHVISION, Backbone, Preprocessing, pretrained
from irfuse.backbones.first_block import first_block
from irfuse.backbones.resnet import ResNet
from irfuse.errors import ParameterError, WeightsError
from irfuse.weights import fetch

# Classes of ImageNet: tabby, tiger cat, Persian, Siamese, Egyptian cat; espresso.
CATS = range(281, 286)
ESPRESSO = 967


@pytest.fixture(scope="module")
def resnet50(supplied_weights: Path) -> Backbone:
    """The real ResNet-50, with the MSRA weights."""
    if not (supplied_weights / "resnet50_msra_bgr255.safetensors").is_file():
        pytest.skip("IRFUSE_WEIGHTS has no resnet50_msra_bgr255.safetensors")
    if (supplied_weights / "resnet50-0676ba61.pth").is_file():
        pytest.skip("IRFUSE_WEIGHTS has torchvision's ResNet-50, which comes first")
    return pretrained("resnet50")


def photo(name: str) -> Tensor:
    """Crop one of scikit-image's photos as usual for ImageNet: the central 224x224 pixels after scaling to 256 rows."""
    image = getattr(photos, name)()
    small = resize(image, (256, round(256 * image.shape[1] / image.shape[0])), anti_aliasing=True)
    left = (small.shape[1] - 224) // 2
    return torch.from_numpy(small[16:240, left : left + 224]).float().permute(2, 0, 1)[None]


def only_file(monkeypatch: pytest.MonkeyPatch, folder: Path, tensors: dict[str, Tensor]) -> Path:
    """Write tensors as torchvision's file for ResNet-50, and make the manifest and the lookup accept it."""
    known = fetch.backbone_files()[0]
    path = folder / known.file
    torch.save(tensors, path)
    known = replace(known, sha256=hashlib.sha256(path.read_bytes()).hexdigest()[:8])
    monkeypatch.setattr(fetch, "backbone_files", lambda: (known,))
    monkeypatch.setenv("IRFUSE_WEIGHTS", str(folder))
    return path


def test_preprocessing_of_torchvision() -> None:
    pixel = torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1)
    fed = [(0.2 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (0.6 - 0.406) / 0.225]
    assert torch.allclose(TORCHVISION(pixel).flatten(), torch.tensor(fed))


def test_preprocessing_of_msra() -> None:
    pixel = torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1)
    fed = [0.6 * 255 - 103.939, 0.4 * 255 - 116.779, 0.2 * 255 - 123.68]
    assert torch.allclose(MSRA(pixel).flatten(), torch.tensor(fed))


@pytest.mark.parametrize("preprocessing", [TORCHVISION, MSRA], ids=["torchvision", "msra"])
def test_gray_is_three_equal_channels(preprocessing: Preprocessing) -> None:
    gray = torch.rand(2, 1, 4, 5, dtype=torch.float64)
    assert torch.equal(preprocessing(gray), preprocessing(gray.expand(-1, 3, -1, -1)))


def test_preprocessing_keeps_the_precision() -> None:
    fed = TORCHVISION(torch.zeros(1, 1, 1, 1, dtype=torch.float64))
    assert abs(fed[0, 0, 0, 0].item() + 0.485 / 0.229) < 1e-12


def test_a_backbone_stays_as_it_is() -> None:
    backbone = Backbone(ResNet(18), TORCHVISION, "untrained")
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    images = torch.rand(2, 1, 32, 32, requires_grad=True)
    (features,) = backbone.train().features(images, ["layer2.0"])
    features.sum().backward()
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert not any(module.training for module in backbone.modules())
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_files_of_torchvision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network = ResNet(50).half().eval()
    path = only_file(monkeypatch, tmp_path, network.state_dict())
    backbone = pretrained("resnet50")
    assert (backbone.layout, backbone.network.variant) == ("torchvision", "v1.5")
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}
    assert not any(module.training for module in backbone.modules())
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(backbone(images), network.float()(TORCHVISION(images)))
    path.unlink()


def test_weights_that_do_not_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    only_file(monkeypatch, tmp_path, {"x": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"0676ba61\.pth: the weights do not fit resnet50: Missing key") as caught:
        pretrained("resnet50")
    assert len(str(caught.value)) < 400


def test_unknown_backbone() -> None:
    with pytest.raises(ParameterError, match="'vgg19'; known names: resnet50, resnet101, resnet152"):
        pretrained("vgg19")  # type: ignore[arg-type]


def test_recognizes(resnet50: Backbone) -> None:
    assert (resnet50.layout, resnet50.network.variant, resnet50.preprocessing) == ("msra", "v1", MSRA)
    cat, coffee = resnet50(photo("chelsea")), resnet50(photo("coffee"))
    assert cat.argmax() in CATS
    assert coffee.argmax() == ESPRESSO
    assert coffee.softmax(1)[0, ESPRESSO] > 0.98
    assert resnet50(photo("chelsea").mean(dim=1, keepdim=True)).argmax() in CATS


def test_recognizes_less_in_the_wrong_layout(resnet50: Backbone) -> None:
    """The probability of espresso is 0.994 when correct, 0.976 in variant v1.5, and 0.61 for RGB without the mean."""
    other = ResNet(50, variant="v1.5", eps=1e-3)
    other.load_state_dict(resnet50.network.state_dict())
    from_rgb = Preprocessing("RGB", 255.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    coffee = photo("coffee")

    def certainty(backbone: Backbone) -> float:
        return float(backbone(coffee).softmax(1)[0, ESPRESSO].logit())

    right = certainty(resnet50)
    assert right - certainty(Backbone(other, MSRA, "")) > 1
    assert right - certainty(Backbone(resnet50.network, from_rgb, "")) > 3
    assert right - certainty(Backbone(resnet50.network, TORCHVISION, "")) > 8


@pytest.mark.parametrize("channels", [1, 3])
def test_first_block_is_the_networks(resnet50: Backbone, channels: int) -> None:
    images = torch.cat([photo("chelsea"), photo("coffee")])[:, :channels, :223]
    assert torch.allclose(first_block()(images), resnet50.features(images, ["bn1"])[0], rtol=0, atol=1e-4)
