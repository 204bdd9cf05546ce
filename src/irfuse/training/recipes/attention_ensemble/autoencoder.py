"""The first stage: an auto-encoder of natural images, trained against a discriminator."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from irfuse import weights
from irfuse.errors import DivergedError, TrainingError
from irfuse.methods.attention_ensemble import AttentionEnsemble, Network
from irfuse.metrics.ssim import similarity
from irfuse.training import card, loop, provenance
from irfuse.training.checks import check_images
from irfuse.training.crops import ImageCrops
from irfuse.training.feed import Feed
from irfuse.training.recipes.attention_ensemble.watch import Watch
from irfuse.training.recipes.base import Session
from irfuse.training.steps import computing_in, descend, place, seeded
from irfuse.training.validation import Validation, reconstruction

if TYPE_CHECKING:
    from irfuse.training.recipes.attention_ensemble.recipe import AttentionEnsembleRecipe

_OWN_SETTINGS = ("autoencoder_steps", "ssim_weight", "gan_weight", "dilated", "skips")
"""The settings that only this stage depends on, ..."""
_SHARED_SETTINGS = ("batch", "size", "learning_rate", "precision", "seed")
"""... and those that both stages depend on."""


class Discriminator(nn.Module):
    """Tells natural images from reconstructed ones, patch by patch; 1 is natural."""

    def __init__(self) -> None:
        super().__init__()
        channels = (1, 16, 32, 64)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, 3, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) to (B, 1, H / 8, W / 8)."""
        verdict: Tensor = self.layers(images)
        return verdict


class Reconstruction:
    """The task: the auto-encoder and the discriminator, in turn.

    Attributes:
        network: the auto-encoder, which is the network without attention.
        discriminator: its adversary.
        feed: the crops.
        watch: notices when the training diverges.
        parts: see :class:`irfuse.training.loop.Task`.
    """

    def __init__(self, recipe: "AttentionEnsembleRecipe", images: Sequence[Path], device: torch.device) -> None:
        self._recipe, self._device = recipe, device
        crops = ImageCrops(images, recipe.size, recipe.seed)
        self.feed = Feed(crops, recipe.autoencoder_steps, recipe.batch, device)
        with seeded(recipe.seed):
            network = Network(dilated=recipe.dilated, attention=False, skips=recipe.skips)
            discriminator = Discriminator()
        self.network, self.discriminator = place(network, device), place(discriminator, device)
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=recipe.learning_rate)
        self._schedule = CosineAnnealingLR(self._optimizer, recipe.autoencoder_steps)
        self._adversary = torch.optim.Adam(self.discriminator.parameters(), lr=recipe.learning_rate, betas=(0.5, 0.999))
        self.watch = Watch("--gan-weight or --learning-rate" if recipe.gan_weight else "--learning-rate")
        self.parts: dict[str, loop.Stateful] = {
            "feed": self.feed,
            "network": self.network,
            "discriminator": self.discriminator,
            "optimizer": self._optimizer,
            "adversary": self._adversary,
            "schedule": self._schedule,
            "watch": self.watch,
        }

    def step(self) -> dict[str, float]:
        recipe = self._recipe
        (images,) = self.feed.batch()
        with computing_in(recipe.precision, self._device):
            rebuilt = self.network.reconstruct(images)
        rebuilt = rebuilt.float()
        losses = {"pixel": F.mse_loss(rebuilt, images), "ssim": 1 - similarity(rebuilt, images).mean()}
        total = losses["pixel"] + recipe.ssim_weight * losses["ssim"]
        if recipe.gan_weight:
            losses["generator"] = (self.discriminator(rebuilt) - 1).square().mean()
            total = total + recipe.gan_weight * losses["generator"]
        descend(total, self._optimizer, self._schedule)
        if recipe.gan_weight:
            losses["discriminator"] = self._discriminate(images, rebuilt.detach())
        self.watch.add(losses["pixel"].item(), images.var(dim=(1, 2, 3)).mean().item())
        return {"total": total.item(), **{name: loss.item() for name, loss in losses.items()}}

    def _discriminate(self, images: Tensor, rebuilt: Tensor) -> Tensor:
        natural, made = self.discriminator(images), self.discriminator(rebuilt)
        loss: Tensor = ((natural - 1).square().mean() + made.square().mean()) / 2
        descend(loss, self._adversary)
        return loss


def file(output: Path) -> Path:
    """The weights file of the first stage of a training whose result is `output`."""
    return output.with_name(f"{output.stem}-autoencoder.safetensors")


def train(
    recipe: "AttentionEnsembleRecipe",
    images: Sequence[Path],
    validation: Validation,
    validated_on: Sequence[dict[str, str]],
    session: Session,
) -> None:
    """Train the auto-encoder, unless that has been done, and write its weights, card, curves and log.

    Args:
        recipe: the settings.
        images: the natural images.
        validation: the pairs whose images the reconstruction is tested on.
        validated_on: the files of these images, as :func:`irfuse.training.provenance.listed` gives them.
        session: the session of the whole training.

    Raises:
        TrainingError, StoppedError: see :func:`irfuse.training.loop.run`.
        DivergedError: the reconstruction became useless; no weights are saved.
        ImageError: an image cannot be used.
        OutputError: the place cannot be written to.

    Warns:
        SuspiciousPairWarning: images that the reconstruction is tested on are trained on.
    """
    output = file(session.output)
    checkpoint = provenance.checkpoint(output)
    if session.resume and output.exists() and not checkpoint.exists():
        return
    check_images(images, session.on_check)
    files = provenance.listed(images)
    warn_of_seen(validated_on, files)
    task = Reconstruction(recipe, images, session.device)
    try:
        history = loop.run(
            task,
            recipe.autoencoder_steps,
            checkpoint,
            _identity(recipe, files),
            resume=session.resume,
            on_step=lambda done, total, note: session.on_step(done, total, f"auto-encoder  {note}"),
        )
        task.watch.check_learned()
    except DivergedError:
        checkpoint.unlink(missing_ok=True)
        raise
    header = provenance.header(recipe, files, session, history.seconds)
    switches = {"dilated": recipe.dilated, "attention": False, "skips": recipe.skips}
    weights.save(task.network, {**header, "recipe": _settings(recipe), **switches}, output)
    rebuilt = [image[0].numpy() for pair in validation.tensors for image in pair]
    card.write(
        output,
        history,
        {"these weights": reconstruction(task.network.reconstruct, rebuilt, session.device)},
        f"Reconstruction of the {len(rebuilt)} images of the validation pairs",
        {"waiting for data": f"{task.feed.waited / history.seconds:.1%} of the time"},
    )
    checkpoint.unlink()


def warn_of_seen(validated_on: Sequence[dict[str, str]], images: Sequence[dict[str, str]]) -> None:
    """Warn of images to validate on that are among the images of a first stage."""
    provenance.warn_of_seen(validated_on, "validate on", images, "the auto-encoder is")


def read(file: Path) -> tuple[Network, dict[str, Any]]:
    """Read the network of a first stage, and the header of its weights file.

    Raises:
        TrainingError: the file is not the first stage of a training.
        WeightsError: the file cannot be read, or is another method's.
    """
    header = weights.header_for(AttentionEnsemble.info.name, file)
    network = AttentionEnsemble(weights=str(file)).network
    if network.attention or not {"recipe", "images", "seconds"} <= header.keys():
        raise TrainingError(f"{file}: not the first stage of a training, which is named NAME-autoencoder.safetensors")
    return network, header


def check_same(header: dict[str, Any], recipe: "AttentionEnsembleRecipe", images: Sequence[Path], file: Path) -> None:
    """Refuse a first stage that other settings or images made.

    Raises:
        TrainingError: the error names what differs.
    """
    made = {"recipe": header["recipe"], "images": [image["sha256"] for image in header["images"]]}
    loop.check_same(made, _identity(recipe, provenance.listed(images)), str(file))


def with_settings_of(header: dict[str, Any], recipe: "AttentionEnsembleRecipe") -> "AttentionEnsembleRecipe":
    """A recipe with the settings that a first stage was trained with."""
    return replace(recipe, **{name: header["recipe"][name] for name in _OWN_SETTINGS})


def _identity(recipe: "AttentionEnsembleRecipe", files: Sequence[dict[str, str]]) -> dict[str, Any]:
    """What two first stages must have in common to be the same."""
    return {"recipe": _settings(recipe), "images": [file["sha256"] for file in files]}


def _settings(recipe: "AttentionEnsembleRecipe") -> dict[str, Any]:
    return {name: value for name, value in recipe.as_dict().items() if name in _OWN_SETTINGS + _SHARED_SETTINGS}
