"""How the encoder-decoder network is trained: on the quality of its own results, without labels.

F. C. Ataman, G. Bozdagi Akar: "Visible and infrared image fusion using encoder-decoder network", ICIP 2021.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import MultiStepLR
from torch.optim.swa_utils import AveragedModel

from irfuse import weights
from irfuse.errors import TrainingError
from irfuse.imaging.color import gray
from irfuse.io.pairs import Pair
from irfuse.methods.base import Channels
from irfuse.methods.encoder_decoder import EncoderDecoder, Network, fuse
from irfuse.metrics.piella import qw, qw_edge
from irfuse.metrics.pixels import mse
from irfuse.training import loop, on_pairs
from irfuse.training.crops import Augmentation, PairCrops
from irfuse.training.data import TrainingData
from irfuse.training.feed import Feed
from irfuse.training.recipes.base import Recipe, Session, Trained
from irfuse.training.settings import Range
from irfuse.training.steps import TrainingPrecision, averaging, computing_in, descend, place, seeded
from irfuse.training.validation import Validation

_COARSER = (4, 8, 16)
_WINDOW = 8
"""The side of Q_w's windows."""


@dataclass(frozen=True)
class EncoderDecoderRecipe(Recipe):
    """Train the encoder-decoder network on pairs, without labels, by the quality of its own fused images.

    The defaults, with precision bf16, made version 2 of the weights that ship.

    Attributes:
        epochs: number of epochs; after each, the network is validated.
        epoch_steps: steps of the optimizer in an epoch.
        batch: crops in a step.
        size: side of a crop.
        width: channels of the network's first level; the published code has 64.
        channels: the visible image as luma (1) or in color (3).
        qw_weight: weight of the term 1 - Q_w in the loss (the paper's alpha).
        qe_weight: weight of the term 1 - Q_e, the same for the edges (the paper's beta).
        coarse_weight: weight of the term 1 - Q_w of images 4, 8 and 16 times as coarse, irfuse's own. It prevents
            halos.
        mse_weight: weight of the mean squared error against both sources, in [0, 1] units (the paper's gamma).
        learning_rate: Adam's learning rate (1e-3 in the paper).
        halved_at: epochs after which the learning rate is halved.
        averaging: share of the weights' moving average that each step keeps. The average is the result.
        averaging_warm_up: keep at most (1 + step) / (10 + step) of the average at each step, so that the average soon
            forgets the initial weights.
        augmented: share of the crops' images that are blurred, and of those that get noise.
        blur: largest standard deviation of the blur, in pixels.
        noise: largest standard deviation of the noise; 1 is the full range.
        alike: share of the crops that have one image as both sources, irfuse's own.
        precision: precision of the network; the loss is always computed in fp32.
        seed: seed of the initial weights and of the crops.
    """

    name = method = EncoderDecoder.info.name
    uses = ("pairs", "init")

    epochs: Annotated[int, Range(min=1)] = 40
    epoch_steps: Annotated[int, Range(min=1)] = 180
    batch: Annotated[int, Range(min=1)] = 16
    size: Annotated[int, Range(min=EncoderDecoder.info.multiple, multiple=EncoderDecoder.info.multiple)] = 256
    width: Annotated[int, Range(min=2, multiple=2)] = 16
    channels: Channels = 1
    qw_weight: Annotated[float, Range(min=0)] = 1.0
    qe_weight: Annotated[float, Range(min=0)] = 1.0
    coarse_weight: Annotated[float, Range(min=0)] = 0.5
    mse_weight: Annotated[float, Range(min=0)] = 2.0
    learning_rate: Annotated[float, Range(above=0)] = 1e-3
    halved_at: Annotated[tuple[int, ...], Range(min=1)] = (10, 20, 30)
    averaging: Annotated[float, Range(min=0, below=1)] = 0.998
    averaging_warm_up: bool = True
    augmented: Annotated[float, Range(min=0, max=1)] = 0.1
    blur: Annotated[float, Range(min=0)] = 1.5
    noise: Annotated[float, Range(min=0)] = 0.03
    alike: Annotated[float, Range(min=0, max=1)] = 0.1
    precision: TrainingPrecision = "fp32"
    seed: Annotated[int, Range(min=0, max=2**63 - 1)] = 0

    def check(self) -> None:
        if not any((self.qw_weight, self.qe_weight, self.coarse_weight, self.mse_weight)):
            raise TrainingError("one of qw_weight, qe_weight, coarse_weight and mse_weight must be more than 0")

    def train(self, data: TrainingData, session: Session) -> Trained:
        if data.init:
            self._check_init(data.init)
        files = on_pairs.check(data, session, resume=session.resume)
        return on_pairs.train(
            Fusion(self, data.pairs, session.device, data.init),
            self,
            data,
            files,
            Validation(data.validation, self.channels, EncoderDecoder.info, session.device),
            session,
            epochs=self.epochs,
            epoch_steps=self.epoch_steps,
            architecture={"width": self.width, "channels": self.channels},
            resume=session.resume,
        )

    def _check_init(self, init: str | Path) -> None:
        """Refuse weights of a network that has another width, or other channels."""
        header = weights.header_for(self.method, weights.find(self.method, str(init)))
        for name in ("width", "channels"):
            there, here = header.get(name), getattr(self, name)
            if there != here:
                raise TrainingError(f"{init}: these weights have {name} {there}, not {here}: give --{name} {there}")


class Fusion:
    """The task: a network, its data and its optimizer.

    Args:
        recipe: the settings.
        pairs: the pairs to train on.
        device: the device to train on.
        init: the weights to start from; by default they are random.

    Attributes:
        feed: the crops.
        parts: see :class:`irfuse.training.loop.Task`.
    """

    def __init__(
        self,
        recipe: EncoderDecoderRecipe,
        pairs: Sequence[Pair],
        device: torch.device,
        init: str | Path | None = None,
    ) -> None:
        self._recipe, self._device = recipe, device
        augmentation = Augmentation(recipe.augmented, recipe.blur, recipe.noise, recipe.alike)
        crops = PairCrops(pairs, recipe.size, recipe.channels, augmentation, recipe.seed)
        self.feed = Feed(crops, recipe.epochs * recipe.epoch_steps, recipe.batch, device)
        with seeded(recipe.seed):
            trained = Network(recipe.width, recipe.channels)
        if init:
            weights.load(trained, recipe.method, str(init))
        self._trained = place(trained, device)
        update = averaging(recipe.averaging, warm_up=recipe.averaging_warm_up)
        self._average = AveragedModel(self._trained, multi_avg_fn=update)
        self._optimizer = torch.optim.Adam(
            self._trained.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99), eps=1e-8
        )
        milestones = [epoch * recipe.epoch_steps for epoch in recipe.halved_at]
        self._schedule = MultiStepLR(self._optimizer, milestones, gamma=0.5)
        self.parts: dict[str, loop.Stateful] = {
            "feed": self.feed,
            "average": self._average,
            "network": self._trained,
            "optimizer": self._optimizer,
            "schedule": self._schedule,
        }

    @property
    def network(self) -> Network:
        """The moving average of the weights."""
        network = self._average.module
        assert isinstance(network, Network)
        return network

    def fuse(self, ir: Tensor, vis: Tensor) -> Tensor:
        """Fuse images in [0, 1] by the moving average of the weights."""
        return fuse(self.network, ir, vis)

    def step(self) -> dict[str, float]:
        ir, vis = self.feed.batch()
        with computing_in(self._recipe.precision, self._device):
            fused = fuse(self._trained, ir, vis, frame=0)
        losses = self.losses(fused.float(), ir, vis)
        descend(losses["total"], self._optimizer, self._schedule)
        self._average.update_parameters(self._trained)
        return {name: loss.item() for name, loss in losses.items()}

    def losses(self, fused: Tensor, ir: Tensor, vis: Tensor) -> dict[str, Tensor]:
        """Compute the terms of the loss and their weighted sum, ``total``. In color, all but the chroma is luma."""
        luma, vis_luma = gray(fused), gray(vis)
        # Infrared has no chroma, so the fused image's is compared with the visible image's only.
        chroma = vis - vis_luma
        pixels = mse(luma, ir, vis_luma).mean() + mse(fused - luma, chroma, chroma).mean()
        structure = 1 - qw(luma, ir, vis_luma).mean()
        edges = 1 - qw_edge(luma, ir, vis_luma).mean()
        coarse = 1 - _coarse_qw(luma, ir, vis_luma)
        recipe = self._recipe
        total = (
            recipe.qw_weight * structure
            + recipe.qe_weight * edges
            + recipe.coarse_weight * coarse
            + recipe.mse_weight * pixels
        )
        return {"total": total, "qw": structure, "qe": edges, "coarse": coarse, "mse": pixels}


def _coarse_qw(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """The mean Q_w of coarser images, as far as a window fits into them."""
    scales = [scale for scale in _COARSER if min(fused.shape[-2:]) >= scale * _WINDOW]
    coarser = [[F.avg_pool2d(image, scale) for image in (fused, ir, vis)] for scale in scales]
    return torch.stack([qw(*images).mean() for images in coarser]).mean()
