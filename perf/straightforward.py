"""Each network method as one would write it down from its paper: the baseline that irfuse's speed is compared with.

Eager float32 PyTorch in inference mode, contiguous tensors in and out, one pair, all threads. The networks are plain
modules with the weights that irfuse ships, and do nothing for speed. Those of the papers were committed before any
optimization and have not changed since. That of ember keeps the branches that it is trained with.
`tests/perf/test_straightforward.py` checks that they give what irfuse gives.
"""

from collections.abc import Callable

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from irfuse import weights


class Res2Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(64, 64, 1)
        self.groups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())
            for _ in range(3)
        )
        self.expand = nn.Conv2d(64, 64, 1)

    def forward(self, x: Tensor) -> Tensor:
        x1, x2, x3, x4 = torch.chunk(F.relu(self.reduce(x)), 4, dim=1)
        y1 = x1
        y2 = self.groups[0](x2)
        y3 = self.groups[1](x3 + y2)
        y4 = self.groups[2](x4 + y3)
        return x + F.relu(self.expand(torch.cat([y1, y2, y3, y4], dim=1)))


class Res2NetFuse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), Res2Block()
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(64, 64, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 1, 3, padding=1),
        )

    def forward(self, ir: Tensor, vis: Tensor) -> Tensor:
        ir_features = self.encoder(F.pad(ir, (12, 12, 12, 12), mode="reflect"))
        vis_features = self.encoder(F.pad(vis, (12, 12, 12, 12), mode="reflect"))
        ir_norm = torch.sum(torch.abs(ir_features), dim=1, keepdim=True)
        vis_norm = torch.sum(torch.abs(vis_features), dim=1, keepdim=True)
        total = ir_norm + vis_norm + 1e-8
        fused = ir_norm / total * ir_features + vis_norm / total * vis_features
        return torch.clamp(self.decoder(fused)[:, :, 12:-12, 12:-12], 0, 1)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        channels = [1, 16, 32, 64, 128, 256]
        self.levels = nn.ModuleList(nn.Conv2d(channels[i], channels[i + 1], 3, padding=1, bias=False) for i in range(5))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for conv in self.levels:
            x = F.avg_pool2d(F.relu(conv(x)), 2)
            features.append(x)
        return features


class EncoderDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ir_encoder = Encoder()
        self.vis_encoder = Encoder()
        self.fusion = nn.ModuleList(nn.Conv2d(2 * c, c, 1) for c in (16, 32, 64, 128, 256))
        self.decoder = nn.ModuleList(
            nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, groups=8, bias=False)
            for inputs, outputs in ((256, 128), (256, 64), (128, 32), (64, 16), (32, 16))
        )
        self.output = nn.Conv2d(16, 1, 3, padding=1, bias=False)

    def forward(self, ir: Tensor, vis: Tensor) -> Tensor:
        height, width = ir.shape[2:]
        padding = (0, -width % 32, 0, -height % 32)
        ir = F.pad(ir, padding, mode="replicate")
        vis = F.pad(vis, padding, mode="replicate")
        ir_features = self.ir_encoder(2 * ir - 1)
        vis_features = self.vis_encoder(2 * vis - 1)
        fused = [F.relu(self.fusion[i](torch.cat([ir_features[i], vis_features[i]], dim=1))) for i in range(5)]
        x = F.relu(self.decoder[0](fused[4]))
        x = F.relu(self.decoder[1](torch.cat([x, fused[3]], dim=1)))
        x = F.relu(self.decoder[2](torch.cat([x, fused[2]], dim=1)))
        x = F.relu(self.decoder[3](torch.cat([x, fused[1]], dim=1)))
        x = F.relu(self.decoder[4](torch.cat([x, fused[0]], dim=1)))
        return ((torch.tanh(self.output(x)) + 1) / 2)[:, :, :height, :width].contiguous()


class Extractor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.paths = nn.ModuleList(
            nn.ModuleList(
                [
                    nn.Conv2d(16, 16, 3, padding=dilation, dilation=dilation),
                    nn.Conv2d(32, 16, 3, padding=1),
                    nn.Conv2d(48, 32, 3, padding=1),
                ]
            )
            for dilation in (1, 2, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        ensembles = []
        for conv1, conv2, conv3 in self.paths:
            y1 = F.relu(conv1(x))
            y2 = F.relu(conv2(torch.cat([x, y1], dim=1)))
            y3 = F.relu(conv3(torch.cat([x, y1, y2], dim=1)))
            ensembles.append(torch.cat([y1, y2, y3], dim=1))
        return ensembles[0] + ensembles[1] + ensembles[2]


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=2, dilation=2) for inputs, outputs in ((2, 16), (16, 32), (32, 64))
        )

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (0, 1, 0, 1), mode="replicate")
        right = padded[:, :, :-1, 1:] - x
        below = padded[:, :, 1:, :-1] - x
        edges = F.max_pool2d(F.pad(torch.sqrt(right**2 + below**2), (0, 1, 0, 1)), 2, stride=1)
        y = torch.cat([x, edges], dim=1)
        y = F.relu(self.layers[0](y))
        y = F.relu(self.layers[1](y))
        return self.layers[2](y)


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=1) for inputs, outputs in ((64, 32), (32, 16), (16, 16), (16, 1))
        )

    def forward(self, x: Tensor, skips: Tensor) -> Tensor:
        skip1, skip2, skip3 = torch.split(skips, [16, 16, 32], dim=1)
        x = self.layers[0](x)
        x = self.layers[1](F.relu(x) + skip3)
        x = self.layers[2](F.relu(x) + skip2)
        return self.layers[3](F.relu(x) + skip1)


class AttentionEnsemble(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.extractor = Extractor()
        self.attention = Attention()
        self.decoder = Decoder()

    def forward(self, ir: Tensor, vis: Tensor) -> Tensor:
        ir = F.pad(ir, (12, 12, 12, 12), mode="reflect")
        vis = F.pad(vis, (12, 12, 12, 12), mode="reflect")
        ir_features, vis_features = self.extractor(ir), self.extractor(vis)
        weights = F.softmax(torch.stack([self.attention(ir), self.attention(vis)]), dim=0)
        fused = weights[0] * ir_features + weights[1] * vis_features
        skips = 0.4 * (ir_features + vis_features) / 2 + 0.6 * fused
        return torch.clamp(self.decoder(fused, skips)[:, :, 12:-12, 12:-12], 0, 1)


class EmberBranches(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.wide = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.narrow = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.has_identity = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.wide(x) + self.narrow(x)
        return F.relu(y + x if self.has_identity else y)


class Ember(nn.Module):
    def __init__(self, widths: tuple[int, ...], block: int, down: tuple[int, ...], up: tuple[int, ...]) -> None:
        super().__init__()
        self.block = block
        self.stem = nn.Conv2d(2, widths[0], 2 * block, block, padding=block // 2)
        self.down = nn.ModuleList()
        for level, width in enumerate(widths):
            first = [EmberBranches(widths[level - 1], width, 2)] if level else []
            self.down.append(nn.Sequential(*first, *(EmberBranches(width, width) for _ in range(down[level]))))
        self.across = nn.ModuleList(nn.Conv2d(widths[i + 1], widths[i], 1) for i in range(3))
        self.up = nn.ModuleList(
            nn.Sequential(*(EmberBranches(widths[i], widths[i]) for _ in range(up[i]))) for i in range(3)
        )
        self.head = nn.Conv2d(widths[0], 3 * block**2, 3, padding=1)

    def forward(self, ir: Tensor, vis: Tensor) -> Tensor:
        height, width = ir.shape[2:]
        padding = (0, -width % 32, 0, -height % 32)
        ir = F.pad(ir, padding, mode="replicate")
        vis = F.pad(vis, padding, mode="replicate")
        x = F.relu(self.stem(torch.cat([ir, vis], 1) - 0.4))
        levels = []
        for stage in self.down:
            x = stage(x)
            levels.append(x)
        for i in (2, 1, 0):
            x = F.interpolate(self.across[i](x), scale_factor=2, mode="bilinear")
            x = self.up[i](F.relu(x + levels[i]))
        a, b, c = torch.chunk(F.pixel_shuffle(self.head(x), self.block), 3, 1)
        fused = torch.clamp(1.2 * torch.sigmoid(a) * ir + 1.2 * torch.sigmoid(b) * vis + c, 0, 1)
        return fused[:, :, :height, :width].contiguous()


NETWORKS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "ember": (lambda: Ember((16, 32, 48, 48), 2, (1, 2, 2, 2), (2, 1, 1)), "base"),
    "ember:weights=nano": (lambda: Ember((8, 8, 8, 8), 4, (0, 1, 1, 1), (1, 1, 0)), "nano"),
    "res2netfuse": (Res2NetFuse, "single"),
    "encoder-decoder": (EncoderDecoder, "luma"),
    "attention-ensemble": (AttentionEnsemble, "full"),
}
"""Each method's network, by its spec, and the name of its weights."""


def load(name: str) -> nn.Module:
    """A method's network with the weights that irfuse ships."""
    make, weights_name = NETWORKS[name]
    network = make()
    network.load_state_dict(load_file(weights.find(name.partition(":")[0], weights_name)))
    return network.eval()


@torch.inference_mode()
def fuse(network: nn.Module, ir: Tensor, vis: Tensor) -> Tensor:
    """Fuse a pair, (1, 1, H, W) each in [0, 1], to (1, 1, H, W)."""
    return network(ir, vis).contiguous()
