import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from irfuse import samples, weights
from irfuse.errors import WeightsError
from irfuse.fuser import Fuser
from irfuse.imaging.color import luma
from irfuse.io import images
from irfuse.methods.attention_ensemble import Attention, AttentionEnsemble, Extractor, Network, edges


def real_pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Crop a sample pair, (1, 1, 96, 128) each, in [0, 1]."""
    pair = next(iter(samples.pairs()))
    planes = [images.read(path).astype(np.float32) / 255 for path in (pair.ir, pair.vis)]
    gray = [luma(*np.moveaxis(plane, 2, 0)) if plane.ndim == 3 else plane for plane in planes]
    ir, vis = (torch.from_numpy(plane[100:196, 100:228].copy())[None, None] for plane in gray)
    return ir, vis


def test_number_of_parameters() -> None:
    """The number follows from the widths: a stem, three dense paths, four decoder layers and three attention layers."""

    def convolution(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + outputs

    path = convolution(16, 16) + convolution(32, 16) + convolution(48, 32)
    decoder = convolution(64, 32) + convolution(32, 16) + convolution(16, 16) + convolution(16, 1)
    attention = convolution(2, 16) + convolution(16, 32) + convolution(32, 64)
    network = Network()
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == convolution(1, 16) + 3 * path + decoder + attention == 111_553


def test_receptive_fields_of_the_paths() -> None:
    """The first layers of the paths see 3x3, 5x5 and 7x7 pixels. In the ablation, all see 3x3."""
    for dilated, sides in ((True, [3, 5, 7]), (False, [3, 3, 3])):
        for path, side in zip(Extractor(dilated).paths, sides, strict=True):
            assert isinstance(path, torch.nn.ModuleList)
            features = torch.zeros(1, 16, 15, 15, requires_grad=True)
            path[0](features)[0, :, 7, 7].sum().backward()
            assert features.grad is not None
            rows = features.grad.abs().sum(dim=(0, 1, 3)).nonzero()
            assert int(rows.max() - rows.min()) + 1 == side


def test_the_paths_are_dense() -> None:
    """Each layer sees all earlier ones: with the second switched off, the third still depends on the first."""
    for dilated in (True, False):
        extractor = Extractor(dilated)
        image = torch.rand(1, 1, 16, 16)
        for path in extractor.paths:
            assert isinstance(path, torch.nn.ModuleList)
            torch.nn.init.zeros_(path[1].weight)
            torch.nn.init.ones_(path[1].bias)
        third = extractor(image)[:, 32:]
        for path in extractor.paths:
            assert isinstance(path, torch.nn.ModuleList)
            torch.nn.init.zeros_(path[0].weight)
        assert torch.equal(extractor(image)[:, 32:], third) is not dilated


def test_edges_by_definition() -> None:
    """The edges of a real image equal a second implementation of equations 1 and 2."""
    image = real_pair()[1]
    pixels = image[0, 0].numpy().astype(np.float64)
    right, below = np.zeros_like(pixels), np.zeros_like(pixels)
    right[:, :-1], below[:-1] = np.diff(pixels, axis=1), np.diff(pixels, axis=0)
    magnitude = np.pad(np.hypot(right, below), ((0, 1), (0, 1)))
    expected = np.max([magnitude[:-1, :-1], magnitude[1:, :-1], magnitude[:-1, 1:], magnitude[1:, 1:]], axis=0)
    np.testing.assert_allclose(edges(image)[0, 0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("normalization", ["sources", "channels"])
def test_weights_by_definition(normalization: Any) -> None:
    """The weights are the softmax of the last convolution's results over both sources, or over the 64 channels."""
    attention = Attention(normalization)
    with torch.no_grad():
        attention.layers[-1].weight *= 100
        scores = []
        for image in real_pair():
            score = torch.cat([image, edges(image)], dim=1)
            for k, layer in enumerate(attention.layers):
                score = layer(score if k == 0 else score.relu())
            scores.append(score)
        powers = [np.exp(score.numpy().astype(np.float64)) for score in scores]
        both = sum(powers)
        for weights_, power in zip(attention(*real_pair()), powers, strict=True):
            expected = power / both if normalization == "sources" else 32 * power / power.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(weights_.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("skip_attention", [0.0, 0.5, 1.0])
def test_fusion_by_definition(skip_attention: float) -> None:
    """The decoder gets the weighted features, and its skip connections mix them with the mean by `skip_attention`."""
    network = Network(skip_attention=skip_attention)
    assert network.attention is not None
    ir, vis = real_pair()
    with torch.no_grad():
        wide = [torch.nn.functional.pad(image, (12, 12, 12, 12), mode="reflect") for image in (ir, vis)]
        ir_features, vis_features = (network.extractor(image) for image in wide)
        share, rest = network.attention(*wide)
        fused = share * ir_features + rest * vis_features
        equal = (ir_features + vis_features) / 2
        image = network.decoder(fused, skip_attention * fused + (1 - skip_attention) * equal)
        torch.testing.assert_close(network(ir, vis), image[..., 12:-12, 12:-12])


def test_an_image_fused_with_itself_is_reconstructed() -> None:
    """The weights add up to one. The error is invisible, also at the border."""
    network = AttentionEnsemble().network
    ir, vis = real_pair()
    with torch.no_grad():
        for image in (ir, vis):
            rebuilt = network(image, image)
            torch.testing.assert_close(rebuilt, network.reconstruct(image), atol=1e-5, rtol=0)
            assert (rebuilt - image).square().mean().sqrt() < 0.005
            for side in (rebuilt - image)[..., :4], (rebuilt - image)[..., :4, :]:
                assert side.square().mean().sqrt() < 0.01


def test_swapped_sources_give_the_same() -> None:
    method = AttentionEnsemble()
    ir, vis = real_pair()
    with torch.no_grad():
        torch.testing.assert_close(method(ir, vis), method(vis, ir), atol=1e-5, rtol=0)


def test_skips_and_attention_can_be_left_out() -> None:
    ir, vis = real_pair()
    with torch.no_grad():
        whole = Network()
        others = [Network(skips=False), Network(attention=False)]
        for network in others:
            network.load_state_dict(whole.state_dict(), strict=False)
        assert not torch.equal(others[0](ir, vis), whole(ir, vis))
        assert not torch.equal(others[1](ir, vis), whole(ir, vis))
    assert others[1].attention is None


def test_the_header_describes_the_network(tmp_path: Path) -> None:
    header = {"method": "attention-ensemble", "dilated": False, "attention": False, "skips": False}
    network = Network(dilated=False, attention=False, skips=False)
    weights.save(network, header, tmp_path / "a.safetensors")
    loaded = AttentionEnsemble(weights=str(tmp_path / "a.safetensors")).network
    assert (loaded.extractor.dilated, loaded.attention, loaded.decoder.skips) == (False, None, False)
    header = {"method": "attention-ensemble", "dilated": True, "attention": True, "skips": True}
    weights.save(Network(), {**header, "normalization": "channels", "skip_attention": 1}, tmp_path / "c.safetensors")
    loaded = AttentionEnsemble(weights=str(tmp_path / "c.safetensors")).network
    assert loaded.attention is not None
    assert (loaded.attention.normalization, loaded.skip_attention) == ("channels", 1)
    text = {"irfuse": json.dumps({"method": "attention-ensemble", "dilated": 1})}
    save_file({"x": torch.zeros(1)}, tmp_path / "b.safetensors", text)
    with pytest.raises(WeightsError, match="header does not describe"):
        AttentionEnsemble(weights=str(tmp_path / "b.safetensors"))


def test_tiles_of_a_large_image_agree_with_the_whole() -> None:
    pair = next(iter(samples.pairs()))
    ir, vis = (images.read(path)[:180, :240].astype(np.float32) / 255 for path in (pair.ir, pair.vis))
    whole = Fuser("attention-ensemble", device="cpu", engine="torch", precision="fp32", tile=1024)(ir, vis)
    np.testing.assert_allclose(
        Fuser("attention-ensemble", device="cpu", engine="torch", precision="fp32", tile=100)(ir, vis), whole, atol=1e-5
    )
