"""The settings, and the task."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from irfuse.errors import TrainingError
from irfuse.io.pairs import Pair
from irfuse.methods.ember import Ember, Network, fuse, read
from irfuse.training import loop, on_pairs
from irfuse.training.data import TrainingData
from irfuse.training.feed import Feed, Stages
from irfuse.training.recipes.base import Recipe, Session, Trained
from irfuse.training.recipes.ember.crops import Damage, DamagedCrops
from irfuse.training.recipes.ember.terms import terms
from irfuse.training.settings import Range
from irfuse.training.steps import TrainingPrecision, averaging, computing_in, descend, place, seeded
from irfuse.training.validation import Validation

Share = Annotated[float, Range(min=0, max=1)]
Weight = Annotated[float, Range(min=0)]

_WARM_UP = 100
"""The steps in which the learning rate rises."""
_LAST_RATE = 0.01
"""The share of the learning rate that is left at the end."""
_STEEPEST = 3.0
"""The largest norm of the gradient of a step."""
_METRICS = ("en", "sd", "sf", "mi", "scd", "vif", "qabf", "ssim", "qcb", "nabf")


@dataclass(frozen=True)
class EmberRecipe(Recipe):
    """Train ember on pairs, without labels, by the metrics of CDDFuse's tables and by how natural a picture looks.

    The first stage sees many small crops. The second one sees fewer and larger crops, whose contrast and histograms
    are more like those of whole images. `scripts/train_ember.sh` has the commands that made the weights that ship.

    Attributes:
        size_of_network: ``base`` for 0.2 million parameters, ``nano`` for less than ten thousand.
        epochs: number of epochs; after each, the network is validated.
        epoch_steps: steps of the optimizer in an epoch.
        batch: crops in a step of the first stage.
        size: side of a crop of the first stage.
        large_epochs: epochs of the second stage, the last ones of all.
        large_batch: crops in a step of the second stage.
        large_size: side of a crop of the second stage.
        learning_rate: AdamW's largest learning rate. It rises for 100 steps, then falls to a hundredth along half a
            cosine.
        averaging: share of the weights' moving average that each step keeps. The average is the result.
        ssim_weight: weight of SSIM in uniform windows of 7x7, summed over both sources.
        vif_weight: weight of VIF.
        qabf_weight: weight of Q_abf.
        scd_weight: weight of the sum of the correlations of differences.
        mi_weight: weight of the mutual information, in nats.
        en_weight: weight of the entropy, in bits.
        contrast_weight: weight of the standard deviation.
        sharpness_weight: weight of the spatial frequency.
        gradient_weight: weight of the distance from the stronger gradients of both sources.
        brightness_weight: weight of the distance from the brighter pixels of both sources.
        fidelity_weight: weight of the mean squared error against both sources.
        clipping_weight: weight of values beyond black and white.
        halo_weight: weight of regions that are darker or brighter than both sources.
        sky_weight: weight of bright regions, such as skies, that became darker.
        tone: share of the images whose gamma, contrast and brightness change.
        faint: share of the infrared images that keep little contrast.
        plain: share of the pairs of which only the shading is left, both with noise.
        noisy: share of the other images that get noise.
        striped: share of the infrared images that get a fixed pattern.
        veiled: share of the visible images that get smoke, fog or glare.
        shifted: share of the infrared images that are moved.
        outside: share of the infrared images that are black in a part.
        noise: largest standard deviation of noise and patterns; 1 is the full range.
        shift: largest shift in pixels.
        precision: precision of the network; the loss is always computed in fp32.
        seed: seed of the initial weights and of the crops.
    """

    name = method = Ember.info.name
    uses = ("pairs", "init")

    size_of_network: Literal["base", "nano"] = "base"
    epochs: Annotated[int, Range(min=1)] = 24
    epoch_steps: Annotated[int, Range(min=1)] = 1000
    batch: Annotated[int, Range(min=1)] = 6
    size: Annotated[int, Range(min=64, multiple=32)] = 160
    large_epochs: Annotated[int, Range(min=0)] = 12
    large_batch: Annotated[int, Range(min=1)] = 2
    large_size: Annotated[int, Range(min=64, multiple=32)] = 288
    learning_rate: Annotated[float, Range(above=0)] = 2e-3
    averaging: Annotated[float, Range(min=0, below=1)] = 0.998
    ssim_weight: Weight = 3.2
    vif_weight: Weight = 2.5
    qabf_weight: Weight = 3.0
    scd_weight: Weight = 4.0
    mi_weight: Weight = 0.12
    en_weight: Weight = 0.5
    contrast_weight: Weight = 0.5
    sharpness_weight: Weight = 0.6
    gradient_weight: Weight = 16.0
    brightness_weight: Weight = 1.0
    fidelity_weight: Weight = 3.0
    clipping_weight: Weight = 5.0
    halo_weight: Weight = 2.0
    sky_weight: Weight = 22.0
    tone: Share = 0.15
    faint: Share = 0.08
    plain: Share = 0.05
    noisy: Share = 0.05
    striped: Share = 0.04
    veiled: Share = 0.06
    shifted: Share = 0.02
    outside: Share = 0.04
    noise: Annotated[float, Range(min=0)] = 0.04
    shift: Annotated[float, Range(min=0)] = 2.5
    precision: TrainingPrecision = "fp32"
    seed: Annotated[int, Range(min=0, max=2**63 - 1)] = 0

    def check(self) -> None:
        if self.large_epochs > self.epochs:
            raise TrainingError(f"large_epochs cannot be more than epochs, which are {self.epochs}")
        if not any(value for name, value in self.as_dict().items() if name.endswith("_weight")):
            raise TrainingError("one of the weights of the loss must be more than 0")

    def train(self, data: TrainingData, session: Session) -> Trained:
        files = on_pairs.check(data, session, resume=session.resume)
        task = Fusion(self, data.pairs, session.device, data.init)
        return on_pairs.train(
            task,
            self,
            data,
            files,
            Validation(data.validation, 1, Ember.info, session.device, _METRICS),
            session,
            epochs=self.epochs,
            epoch_steps=self.epoch_steps,
            architecture=task.network.architecture(),
            resume=session.resume,
        )


class Fusion:
    """The task: a network, its data and its optimizer.

    Args:
        recipe: the settings.
        pairs: the pairs to train on.
        device: the device to train on.
        init: the weights to start from; by default they are random.

    Attributes:
        feed: the crops of the present stage.
        parts: see :class:`irfuse.training.loop.Task`.
    """

    def __init__(
        self, recipe: EmberRecipe, pairs: Sequence[Pair], device: torch.device, init: str | Path | None = None
    ) -> None:
        self._recipe, self._device = recipe, device
        steps = recipe.epochs * recipe.epoch_steps
        self.feed = _stages(recipe, pairs, device)
        with seeded(recipe.seed):
            trained = _network(recipe, init)
        self._trained = place(trained, device)
        self._average = AveragedModel(self._trained, multi_avg_fn=averaging(recipe.averaging, warm_up=True))
        self._optimizer = torch.optim.AdamW(
            self._trained.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=1e-4
        )
        self._schedule = LambdaLR(self._optimizer, lambda step: _rate(step, steps))
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
        seen_ir, seen_vis, ir, vis = self.feed.batch()
        with computing_in(self._recipe.precision, self._device):
            fused = self._trained(seen_ir, seen_vis)
        losses = self.losses(fused.float(), ir, vis)
        descend(losses["total"], self._optimizer, self._schedule, steepest=_STEEPEST)
        self._average.update_parameters(self._trained)
        return {name: loss.item() for name, loss in losses.items()}

    def losses(self, fused: Tensor, ir: Tensor, vis: Tensor) -> dict[str, Tensor]:
        """Compute the terms of the loss and their weighted sum, ``total``."""
        values = terms(fused, ir, vis)
        weighted = [getattr(self._recipe, f"{name}_weight") * value for name, value in values.items()]
        return {"total": torch.stack(weighted).sum(), **values}


def _stages(recipe: EmberRecipe, pairs: Sequence[Pair], device: torch.device) -> Stages:
    """Make the feeds of both stages. They see different crops, since their sizes and seeds differ."""
    shares = Damage(
        recipe.tone,
        recipe.faint,
        recipe.plain,
        recipe.noisy,
        recipe.striped,
        recipe.veiled,
        recipe.shifted,
        recipe.outside,
    )
    plans = (
        (recipe.epochs - recipe.large_epochs, recipe.batch, recipe.size),
        (recipe.large_epochs, recipe.large_batch, recipe.large_size),
    )
    feeds = []
    for stage, (epochs, batch, size) in enumerate(plans):
        steps = epochs * recipe.epoch_steps
        crops = DamagedCrops(pairs, size, shares, recipe.noise, recipe.shift, (recipe.seed, stage))
        feeds.append((Feed(crops, steps, batch, device), steps))
    return Stages(feeds)


def _network(recipe: EmberRecipe, init: str | Path | None) -> Network:
    network = Network() if recipe.size_of_network == "base" else Network.nano()
    if not init:
        return network
    trained = read(str(init))
    if trained.architecture() != network.architecture():
        other = "nano" if recipe.size_of_network == "base" else "base"
        raise TrainingError(f"{init}: weights of another network; try --size-of-network {other}")
    return trained


def _rate(step: int, steps: int) -> float:
    """The share of the learning rate at a step: a rise, then half a cosine."""
    fall = (1 + math.cos(math.pi * min(1, step / steps))) / 2
    return min(1, (step + 1) / _WARM_UP) * (fall + _LAST_RATE)
