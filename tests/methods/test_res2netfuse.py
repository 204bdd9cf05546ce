import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from irfuse.methods.res2netfuse import AutoEncoder, Res2NetFuse, Strategy

Array = NDArray[np.float64]


def test_layers_of_table_1() -> None:
    convolutions = [
        (layer.in_channels, layer.out_channels, layer.kernel_size[0])
        for layer in AutoEncoder().modules()
        if isinstance(layer, nn.Conv2d)
    ]
    assert convolutions == [
        (1, 32, 3),
        (32, 64, 3),
        (64, 64, 1),
        *[(16, 16, 3)] * 6,
        (64, 64, 1),
        (64, 64, 3),
        (64, 32, 3),
        (32, 16, 3),
        (16, 1, 3),
    ]


def test_parameter_count() -> None:
    assert sum(parameter.numel() for parameter in AutoEncoder().parameters()) == 101_217


def convolve(x: Array, layer: nn.Conv2d) -> Array:
    """Convolve (C, H, W) with zeros beyond the border, in NumPy."""
    kernel, bias = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
    radius = kernel.shape[2] // 2
    padded = np.pad(x, ((0, 0), (radius, radius), (radius, radius)), mode="constant")
    result = np.zeros((kernel.shape[0], *x.shape[1:]))
    for row in range(kernel.shape[2]):
        for column in range(kernel.shape[3]):
            window = padded[:, row : row + x.shape[1], column : column + x.shape[2]]
            result += np.einsum("oi,ihw->ohw", kernel[:, :, row, column], window)
    return result + bias[:, None, None]


def encode(image: Array, network: AutoEncoder) -> Array:
    first, _, second, _, block = network.encoder
    x = np.maximum(convolve(np.pad(image, 12, mode="reflect")[None], first), 0)
    x = np.maximum(convolve(x, second), 0)
    groups = np.split(np.maximum(convolve(x, block.reduce), 0), 4)
    results = [groups[0]]
    for i in (1, 2, 3):
        y = groups[1] if i == 1 else groups[i] + results[-1]
        for layer in (block.groups[i - 1][0], block.groups[i - 1][2]):
            y = np.maximum(convolve(y, layer), 0)
        results.append(y)
    return x + np.maximum(convolve(np.concatenate(results), block.expand), 0)


def decode(features: Array, network: AutoEncoder) -> Array:
    layers = [layer for layer in network.decoder if isinstance(layer, nn.Conv2d)]
    for layer in layers[:-1]:
        features = np.maximum(convolve(features, layer), 0)
    return convolve(features, layers[-1])[0, 12:-12, 12:-12]


def weights(ir: Array, vis: Array, strategy: str) -> tuple[Array, Array]:
    if strategy == "l1-norm":
        norms = [np.abs(features).sum(axis=0) for features in (ir, vis)]
        return norms[0] / (norms[0] + norms[1]), norms[1] / (norms[0] + norms[1])
    if strategy == "mean":
        means = [features.mean(axis=0) for features in (ir, vis)]
        insides = [mean[12:-12, 12:-12] for mean in means]
        scaled = [np.exp((m - i.min()) / (i.max() - i.min())) for m, i in zip(means, insides, strict=True)]
        return scaled[0] / (scaled[0] + scaled[1]), scaled[1] / (scaled[0] + scaled[1])
    return np.full(ir.shape[1:], 0.5), np.full(ir.shape[1:], 0.5)


@pytest.mark.parametrize("strategy", ["l1-norm", "mean", "average"])
def test_equals_independent_numpy(strategy: Strategy, real_batch: tuple[Tensor, Tensor]) -> None:
    method = Res2NetFuse(strategy=strategy)
    ir, vis = (image[:1, :, :24, :32] for image in real_batch)
    ir_features, vis_features = (encode(image[0, 0].double().numpy(), method.network) for image in (ir, vis))
    ir_weight, vis_weight = weights(ir_features, vis_features, strategy)
    expected = decode(ir_weight * ir_features + vis_weight * vis_features, method.network).clip(0, 1)
    with torch.inference_mode():
        fused = method(ir, vis)
    np.testing.assert_allclose(fused[0, 0].numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("strategy", ["l1-norm", "mean"])
def test_features_of_zero_weigh_one_half(strategy: Strategy) -> None:
    method = Res2NetFuse(strategy=strategy)
    nothing = torch.zeros(1, 64, 28, 28)
    assert torch.equal(method._ir_weight(nothing, nothing, None), torch.full((1, 1, 28, 28), 0.5))
