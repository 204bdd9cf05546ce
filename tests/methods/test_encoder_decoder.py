import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from irfuse import samples, weights
from irfuse.errors import WeightsError
from irfuse.fuser import Fuser
from irfuse.io import images
from irfuse.methods.encoder_decoder import EncoderDecoder, Network, fuse


def saved(network: Network, path: Path) -> Path:
    weights.save(network, {"method": "encoder-decoder", "width": network.width, "channels": network.channels}, path)
    return path


@pytest.fixture
def in_color(tmp_path: Path) -> EncoderDecoder:
    torch.manual_seed(0)
    return EncoderDecoder(weights=str(saved(Network(2, 3), tmp_path / "color.safetensors")))


@pytest.mark.parametrize(("width", "millions"), [(16, 1.07), (64, 15.8)])
def test_number_of_parameters(width: int, millions: float) -> None:
    """In millions: the network of the paper, and that of the published code."""
    count = sum(parameter.numel() for parameter in Network(width).parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.05)


def test_only_the_fusion_has_biases() -> None:
    biases = {name.split(".")[0] for name, _ in Network(2).named_parameters() if name.endswith("bias")}
    assert biases == {"fusion"}


def test_every_level_reaches_the_result() -> None:
    """Switching off the fused features of any level changes the result."""
    network = Network(4)
    image = torch.rand(1, 1, 64, 64)
    whole = network(image, image)
    for level in range(5):
        switched_off = Network(4)
        switched_off.load_state_dict(network.state_dict())
        torch.nn.init.zeros_(switched_off.fusion[level].weight)  # type: ignore[arg-type]
        assert not torch.equal(switched_off(image, image), whole)


def test_the_encoders_share_nothing() -> None:
    network = Network(2)
    ir, vis = (dict(encoder.named_parameters()) for encoder in (network.ir_encoder, network.vis_encoder))
    assert ir.keys() == vis.keys()
    assert all(ir[name].data_ptr() != vis[name].data_ptr() for name in ir)


def test_the_header_describes_the_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    method = EncoderDecoder(weights=str(saved(Network(4), tmp_path / "a.safetensors")))
    assert (method.network.width, method.vis_channels) == (4, 1)
    header = {"irfuse": json.dumps({"method": "encoder-decoder", "width": "wide"})}
    save_file({"x": torch.zeros(1)}, tmp_path / "b.safetensors", header)
    with pytest.raises(WeightsError, match="header does not describe"):
        EncoderDecoder(weights=str(tmp_path / "b.safetensors"))


@pytest.mark.parametrize(("ir", "vis"), [(0.9, 0.9), (0.1, 0.9), (0.9, 0.1), (0.5, 0.5)])
def test_no_grid_along_the_border(ir: float, vis: float) -> None:
    """In flat images, neighbors at the border differ little more than elsewhere, but much more without the frame."""
    sources = [torch.full((1, 1, 160, 160), value) for value in (ir, vis)]
    method = EncoderDecoder().eval()
    with torch.no_grad():
        framed, bare = 255 * method(*sources), 255 * fuse(method.network, *sources, frame=0)
    for axis in (2, 3):
        within = framed[..., 48:-48, 48:-48].diff(dim=axis).abs().max()
        assert framed.diff(dim=axis).abs().max() < within + 3
        assert bare.diff(dim=axis).abs().max() > within + 8


def test_a_color_network_fuses_the_colors(in_color: EncoderDecoder) -> None:
    pair = next(pair for pair in samples.pairs() if pair.name.startswith("msrs"))
    ir, vis = images.read(pair.ir), images.read(pair.vis)
    fused = Fuser(in_color, device="cpu")(ir, vis)
    with torch.no_grad():
        planes = [torch.from_numpy(image / np.float32(255))[None] for image in (ir, np.moveaxis(vis, 2, 0))]
        expected = in_color(planes[0][None], planes[1])[0].movedim(0, 2)
    np.testing.assert_allclose(fused, expected.numpy() * 255, atol=0.51)


def test_a_color_network_takes_all_kinds_of_images(in_color: EncoderDecoder) -> None:
    """The visible image may be gray or color, with or without alpha. The result is gray and stretched on request."""
    generator = np.random.default_rng(0)
    ir = generator.integers(0, 256, (40, 50), dtype=np.uint8)
    for channels in (1, 2, 3, 4):
        vis = generator.integers(0, 256, (40, 50, channels), dtype=np.uint8)
        fused = Fuser(in_color, device="cpu")(ir, vis)
        assert fused.shape == vis.shape
        if channels in (2, 4):
            assert np.array_equal(fused[..., -1], vis[..., -1])
        stretched = Fuser(in_color, device="cpu", color="gray", stretch=True)(ir, vis)
        assert stretched.size == 40 * 50
        assert (stretched.min(), stretched.max()) == (0, 255)


def test_tiles_of_a_large_image_agree_with_the_whole() -> None:
    """The image is larger than the receptive field, so that tiles have an interior."""
    pair = next(pair for pair in samples.pairs() if pair.name.startswith("msrs"))
    ir, vis = (images.read(path).astype(np.float32) / 255 for path in (pair.ir, pair.vis))
    whole = Fuser("encoder-decoder", device="cpu", engine="torch", precision="fp32", tile=1024)(ir, vis)
    np.testing.assert_allclose(
        Fuser("encoder-decoder", device="cpu", engine="torch", precision="fp32", tile=160)(ir, vis), whole, atol=1e-5
    )
