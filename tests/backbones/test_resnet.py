import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irfuse.backbones.resnet import BasicBlock, Bottleneck, Depth, ResNet
from irfuse.errors import ParameterError

KEYS = re.compile(
    r"(conv1\.weight|(layer[1-4]\.\d+\.)?(conv[1-3]\.weight|(bn[1-3]|downsample\.1)\."
    r"(weight|bias|running_mean|running_var|num_batches_tracked)|downsample\.0\.weight)|fc\.(weight|bias))"
)


@pytest.fixture(scope="module", params=[18, 50])
def network(request: pytest.FixtureRequest) -> ResNet:
    """An untrained network whose batch normalization is not the identity."""
    torch.manual_seed(0)
    network = ResNet(request.param).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.2, 1)
    return network


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(2, 3, 65, 48, generator=torch.Generator().manual_seed(1))


# The keys, parameters, blocks of layer 3, and final channels of torchvision's networks.
@pytest.mark.parametrize(
    ("depth", "keys", "parameters", "blocks", "channels"),
    [
        (18, 122, 11_689_512, 2, 512),
        (34, 218, 21_797_672, 6, 512),
        (50, 320, 25_557_032, 6, 2048),
        (101, 626, 44_549_160, 23, 2048),
        (152, 932, 60_192_808, 36, 2048),
    ],
)
def test_state_is_torchvisions(depth: Depth, keys: int, parameters: int, blocks: int, channels: int) -> None:
    with torch.device("meta"):
        network = ResNet(depth)
    state = network.state_dict()
    assert len(state) == keys
    assert [key for key in state if not KEYS.fullmatch(key)] == []
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert f"layer3.{blocks - 1}.conv2.weight" in state
    assert f"layer3.{blocks}.conv1.weight" not in state
    shapes = {
        "conv1.weight": (64, 3, 7, 7),
        "bn1.running_var": (64,),
        "layer2.0.conv2.weight": (128, 128, 3, 3),
        "layer2.0.downsample.0.weight": (channels // 4, channels // 8 if depth > 34 else 64, 1, 1),
        "layer4.0.downsample.1.bias": (channels,),
        "fc.weight": (1000, channels),
        "fc.bias": (1000,),
    }
    assert {key: tuple(state[key].shape) for key in shapes} == shapes
    assert ("layer1.0.downsample.0.weight" in state) == (depth > 34)


@pytest.mark.parametrize(("variant", "strides"), [("v1", (2, 1, 1)), ("v1.5", (1, 2, 1))])
def test_variants(variant: Any, strides: tuple[int, int, int]) -> None:
    with torch.device("meta"):
        network = ResNet(50, variant=variant, eps=1e-3)
    for layer in (1, 2, 3, 4):
        for block in (0, 1):
            wanted = strides if layer > 1 and block == 0 else (1, 1, 1)
            found = [network.get_submodule(f"layer{layer}.{block}.conv{i}").stride for i in (1, 2, 3)]
            assert found == [(stride, stride) for stride in wanted]
        assert network.get_submodule(f"layer{layer}.0.downsample.0").stride == ((1, 1) if layer == 1 else (2, 2))
    assert {module.eps for module in network.modules() if isinstance(module, nn.BatchNorm2d)} == {1e-3}


def test_features_are_results_of_modules(network: ResNet, images: Tensor) -> None:
    """Each place except `relu1` has the name of the module whose result it is."""
    modules = [name for name in network.places if name != "relu1"]
    on_the_way: dict[str, Tensor] = {}
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, result, name=name: on_the_way.update({name: result.clone()})
        )
        for name in modules
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    on_the_way["relu1"] = on_the_way["bn1"].clamp(min=0)
    for name, features in zip(network.places, network.features(images, network.places), strict=True):
        assert torch.equal(features, on_the_way[name]), name


def test_places(network: ResNet) -> None:
    first, *others = [place for place in network.places if place.startswith(("layer1", "layer2"))]
    assert first == ("layer1.0" if network.depth == 18 else "layer1.0.downsample")
    assert "layer2.0.downsample" in others
    assert others[-1] == ("layer2.1" if network.depth == 18 else "layer2.3")


def test_features_keep_the_requested_order(network: ResNet, images: Tensor) -> None:
    late, early, again = network.features(images, ["layer2.0", "conv1", "layer2.0"])
    assert torch.equal(late, again)
    assert torch.equal(late, network.features(images, ["layer2.0"])[0])
    assert torch.equal(early, network.conv1(images))
    assert network.features(images, []) == []


@pytest.mark.parametrize(
    ("at", "computed", "not_computed"),
    [
        (["conv1"], {"conv1"}, {"bn1"}),
        (["bn1", "conv1"], {"bn1"}, {"maxpool"}),
        (["relu1"], {"bn1"}, {"maxpool"}),
        (["layer2.0.downsample"], {"layer1.1", "layer2.0.downsample.1"}, {"layer2.0", "layer2.0.conv1"}),
        (["layer2.1", "layer1.0"], {"layer2.1"}, {"layer2.2", "layer3.0", "layer3.0.downsample"}),
        (["layer4.1"], {"layer4.1"}, {"fc"}),
        ([], set(), {"conv1"}),
    ],
)
def test_later_layers_are_not_computed(
    network: ResNet, images: Tensor, at: list[str], computed: set[str], not_computed: set[str]
) -> None:
    called: set[str] = set()
    hooks = [
        module.register_forward_pre_hook(lambda _module, _inputs, name=name: called.add(name))
        for name, module in network.named_modules()
    ]
    network.features(images, at)
    for hook in hooks:
        hook.remove()
    assert computed <= called
    assert not not_computed & called


@pytest.mark.parametrize("name", ["layer1", "layer1.9", "layer1.1.downsample", "layer2.0.conv1", "fc", ""])
def test_no_such_place(network: ResNet, images: Tensor, name: str) -> None:
    with pytest.raises(
        ParameterError, match=rf"has no features '{re.escape(name)}'; .*layer2\.0 to layer2\.\d, .*down"
    ):
        network.features(images, ["conv1", name])


def test_basic_block(images: Tensor) -> None:
    torch.manual_seed(0)
    block = BasicBlock(3, 8, 2, 1e-5).eval()
    nn.init.uniform_(block.bn1.bias)
    nn.init.uniform_(block.bn2.running_var, 0.2, 1)
    assert block.downsample is not None
    y = F.conv2d(images, block.conv1.weight, stride=2, padding=1) / (1 + 1e-5) ** 0.5 + block.bn1.bias.view(-1, 1, 1)
    y = F.conv2d(y.clamp(min=0), block.conv2.weight, padding=1) / (block.bn2.running_var + 1e-5).sqrt().view(-1, 1, 1)
    shortcut = F.conv2d(images, block.downsample[0].weight, stride=2) / (1 + 1e-5) ** 0.5
    assert torch.allclose(block(images, block.shortcut(images)), (y + shortcut).clamp(min=0), atol=1e-6)


@pytest.mark.parametrize(("variant", "strides"), [("v1", (2, 1)), ("v1.5", (1, 2))])
def test_bottleneck(variant: Any, strides: tuple[int, int], images: Tensor) -> None:
    torch.manual_seed(0)
    block = Bottleneck(3, 8, 2, variant, 0.0).eval()
    nn.init.uniform_(block.bn1.bias)
    nn.init.uniform_(block.bn2.running_var, 0.2, 1)
    nn.init.uniform_(block.bn3.weight, 1, 2)
    assert block.downsample is not None
    y = F.conv2d(images, block.conv1.weight, stride=strides[0]) + block.bn1.bias.view(-1, 1, 1)
    y = F.conv2d(y.clamp(min=0), block.conv2.weight, stride=strides[1], padding=1)
    y = y / block.bn2.running_var.sqrt().view(-1, 1, 1)
    y = F.conv2d(y.clamp(min=0), block.conv3.weight) * block.bn3.weight.view(-1, 1, 1)
    shortcut = F.conv2d(images, block.downsample[0].weight, stride=2)
    assert torch.allclose(block(images, block.shortcut(images)), (y + shortcut).clamp(min=0), atol=1e-6)


def test_pooling(network: ResNet, images: Tensor) -> None:
    relu1, pooled = network.features(images, ["relu1", "maxpool"])
    assert torch.equal(pooled, F.max_pool2d(relu1, 3, stride=2, padding=1))
    last = network.features(images, network.places[-1:])[0]
    logits = last.mean(dim=(2, 3)) @ network.fc.weight.T + network.fc.bias
    assert torch.allclose(network(images), logits, atol=1e-5)


def test_impossible_networks() -> None:
    with pytest.raises(ParameterError, match="there is no ResNet-51; choose one of 18, 34, 50, 101, 152"):
        ResNet(51)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"variant cannot be 'v2'; choose one of v1\.5, v1"):
        ResNet(50, variant="v2")  # type: ignore[arg-type]
