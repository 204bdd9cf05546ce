"""The second stage: the attention, trained on pairs, on top of a trained auto-encoder."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from irfuse.io.pairs import Pair
from irfuse.methods.attention_ensemble import Attention, Network
from irfuse.metrics.ssim import similarity
from irfuse.ops.filters import sobel
from irfuse.training import loop
from irfuse.training.crops import Augmentation, PairCrops
from irfuse.training.feed import Feed
from irfuse.training.steps import computing_in, descend, place, seeded

if TYPE_CHECKING:
    from irfuse.training.recipes.attention_ensemble.recipe import AttentionEnsembleRecipe


class Fusion:
    """The task: only the attention is trained.

    Args:
        recipe: the settings.
        autoencoder: the network of the first stage, whose parameters stay as they are.
        pairs: the pairs to train on.
        device: the device to train on.
        attention: the attention to start from; by default it is random.

    Attributes:
        network: the network with attention.
        feed: the crops.
        parts: see :class:`irfuse.training.loop.Task`.
    """

    def __init__(
        self,
        recipe: "AttentionEnsembleRecipe",
        autoencoder: Network,
        pairs: Sequence[Pair],
        device: torch.device,
        attention: Attention | None = None,
    ) -> None:
        self._recipe, self._device = recipe, device
        crops = PairCrops(pairs, recipe.size, 1, Augmentation(), recipe.seed)
        self.feed = Feed(crops, recipe.epochs * recipe.epoch_steps, recipe.batch, device)
        with seeded(recipe.seed):
            network = Network(
                dilated=recipe.dilated,
                skips=recipe.skips,
                normalization=recipe.normalization,
                skip_attention=recipe.skip_attention,
            )
        assert network.attention is not None
        if attention:
            network.attention.load_state_dict(attention.state_dict())
        for part, trained in ((network.extractor, autoencoder.extractor), (network.decoder, autoencoder.decoder)):
            part.load_state_dict(trained.state_dict())
            part.requires_grad_(False)
        self.network = place(network, device)
        self._optimizer = torch.optim.Adam(network.attention.parameters(), lr=recipe.learning_rate)
        self._schedule = CosineAnnealingLR(self._optimizer, recipe.epochs * recipe.epoch_steps)
        self.parts: dict[str, loop.Stateful] = {
            "feed": self.feed,
            "network": self.network,
            "optimizer": self._optimizer,
            "schedule": self._schedule,
        }

    def fuse(self, ir: Tensor, vis: Tensor) -> Tensor:
        """Fuse images in [0, 1] by the present state of the network."""
        fused: Tensor = self.network(ir, vis)
        return fused.clamp(0, 1)

    def step(self) -> dict[str, float]:
        ir, vis = self.feed.batch()
        with computing_in(self._recipe.precision, self._device):
            fused = self.network(ir, vis)
        losses = self.losses(fused.float(), ir, vis)
        descend(losses["total"], self._optimizer, self._schedule)
        return {name: loss.item() for name, loss in losses.items()}

    def losses(self, fused: Tensor, ir: Tensor, vis: Tensor) -> dict[str, Tensor]:
        """Compute the terms of the loss and their weighted sum, ``total``."""
        recipe = self._recipe
        structure = 1 - (similarity(fused, ir) + similarity(fused, vis)).mean() / 2
        gradient = F.l1_loss(_gradient(fused), torch.maximum(_gradient(ir), _gradient(vis)))
        pixel = F.l1_loss(fused, torch.maximum(ir, vis))
        total = recipe.structure_weight * structure + recipe.gradient_weight * gradient + recipe.pixel_weight * pixel
        return {"total": total, "structure": structure, "gradient": gradient, "pixel": pixel}


def _gradient(images: Tensor) -> Tensor:
    """The sum of both Sobel gradients' magnitudes, 1 at a step from black to white; (B, 1, H, W)."""
    rows, columns = sobel(images, "replicate")
    return (rows.abs() + columns.abs()) / 4
