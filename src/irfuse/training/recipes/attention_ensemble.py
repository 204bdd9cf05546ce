"""How attention-ensemble is trained: an adversarial auto-encoder on natural images, then the attention on pairs.

"Learning attention guided deep multi-scale feature ensemble for infrared and visible image fusion". The paper does not
give the loss of the attention; the one here is irfuse's own, see docs/methods/attention-ensemble.md.
"""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from irfuse import weights
from irfuse.device import machine, resolve
from irfuse.errors import DivergedError, TrainingError
from irfuse.io.files import sha256
from irfuse.io.pairs import Pair
from irfuse.methods.attention_ensemble import AttentionEnsemble, Network, Normalization
from irfuse.metrics.ssim import similarity
from irfuse.ops.filters import sobel
from irfuse.progress import Progress, silent
from irfuse.training import card, loop, on_pairs, provenance
from irfuse.training.data import Augmentation, Feed, ImageCrops, PairCrops, read_grey
from irfuse.training.validation import Validation, reconstruction

Precision = Literal["float32", "bfloat16"]

_FIRST_STAGE = ("autoencoder_steps", "ssim_weight", "gan_weight", "dilated", "skips")
"""The settings that only the first stage depends on, ..."""
_BOTH_STAGES = ("batch", "size", "learning_rate", "precision", "seed")
"""... and those that both do."""
_WATCHED = 100
_DIVERGED = 10.0


@dataclass(frozen=True)
class Recipe:
    """The settings of both stages; but for the precision, the defaults made the weights that ship.

    Attributes:
        autoencoder_steps: steps of the first stage.
        epochs: of the second stage.
        epoch_steps: steps in an epoch; after each epoch the fusion is validated.
        batch: crops in a step (the paper: 16).
        size: the side of a crop (the paper: 256).
        learning_rate: Adam's at the start of each stage (the paper: 1e-4); it falls to zero along half a cosine, except
            the discriminator's.
        ssim_weight: of 1 - SSIM in the first stage (the paper's gamma).
        gan_weight: of the least-squares adversarial term (lambda); 0 trains without a discriminator.
        structure_weight: of 1 - SSIM, the mean over both sources, in the second stage.
        gradient_weight: of the distance of the gradients from the larger of both sources'.
        pixel_weight: of the distance of the pixels from the larger of both sources'.
        dilated: whether paths are dilated and dense; without, the paper's ablation D.
        skips: whether there are skip connections; without, the paper's ablation S.
        normalisation: of the attention's weights.
        skip_attention: how far the attention weighs the skip connections, from 0 (the paper) to 1.
        precision: of the convolutions; losses are always computed in float32.
        seed: of the initial weights and of the crops.
    """

    autoencoder_steps: int = 3000
    epochs: int = 6
    epoch_steps: int = 150
    batch: int = 8
    size: int = 112
    learning_rate: float = 1e-3
    ssim_weight: float = 0.1
    gan_weight: float = 0.001
    structure_weight: float = 4.0
    gradient_weight: float = 10.0
    pixel_weight: float = 1.0
    dilated: bool = True
    skips: bool = True
    normalisation: Normalization = "sources"
    skip_attention: float = 0.6
    precision: Precision = "float32"
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON and checkpoints can hold them."""
        return asdict(self)


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


class Watch:
    """Notices when the adversary makes a reconstruction of no use."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._pixels: list[float] = []
        self._variances: list[float] = []
        self._best = float("inf")

    def add(self, pixel: float, variance: float) -> None:
        """Notice when the reconstruction becomes much worse than it was, for longer than a few steps.

        Args:
            pixel: the loss of a step.
            variance: that of its images.

        Raises:
            DivergedError: the loss has become ten times what it was at its best.
        """
        self._pixels = [*self._pixels, pixel][-_WATCHED:]
        self._variances = [*self._variances, variance][-_WATCHED:]
        if len(self._pixels) == _WATCHED:
            now = median(self._pixels)
            if now > _DIVERGED * self._best:
                self._fail(f"{now:.2g}, and was {self._best:.2g}")
            self._best = min(self._best, now)

    def check_learnt(self) -> None:
        """Notice, at the end of all but the shortest trainings, that a grey image would be as near.

        Raises:
            DivergedError: the pixel loss is not below the variance of the images.
        """
        if len(self._pixels) == _WATCHED and median(self._pixels) > median(self._variances):
            self._fail(f"{median(self._pixels):.2g}, as far from the images as grey is")

    def state_dict(self) -> dict[str, Any]:
        return {"pixels": self._pixels, "variances": self._variances, "best": self._best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._pixels, self._variances, self._best = state["pixels"], state["variances"], state["best"]

    def _fail(self, pixel: str) -> None:
        way_out = "--gan-weight or --learning-rate" if self._recipe.gan_weight else "--learning-rate"
        raise DivergedError(f"the training diverged: the pixel loss is {pixel}; use a smaller {way_out}")


class Reconstruction:
    """The first stage, for the loop: the auto-encoder and the discriminator, in turn.

    Attributes:
        network: without attention.
        discriminator: its adversary.
        watch: notices when the training diverges.
        parts: see :class:`irfuse.training.loop.Task`.
    """

    def __init__(self, recipe: Recipe, images: Sequence[Path], device: torch.device) -> None:
        self._recipe, self._device = recipe, device
        crops = ImageCrops(images, recipe.size, recipe.seed)
        self._feed = Feed(crops, recipe.autoencoder_steps, recipe.batch, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            network = Network(dilated=recipe.dilated, attention=False, skips=recipe.skips)
            discriminator = Discriminator()
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator = discriminator.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=recipe.learning_rate)
        self._schedule = CosineAnnealingLR(self._optimizer, recipe.autoencoder_steps)
        self._adversary = torch.optim.Adam(self.discriminator.parameters(), lr=recipe.learning_rate, betas=(0.5, 0.999))
        self.watch = Watch(recipe)
        self.parts: dict[str, loop.Stateful] = {
            "feed": self._feed,
            "network": self.network,
            "discriminator": self.discriminator,
            "optimizer": self._optimizer,
            "adversary": self._adversary,
            "schedule": self._schedule,
            "watch": self.watch,
        }

    @property
    def waited(self) -> float:
        """Seconds in which steps waited for their data."""
        return self._feed.waited

    def step(self) -> dict[str, float]:
        recipe = self._recipe
        (images,) = self._feed.batch()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            rebuilt = self.network.reconstruct(images)
        rebuilt = rebuilt.float()
        losses = {"pixel": F.mse_loss(rebuilt, images), "ssim": 1 - similarity(rebuilt, images).mean()}
        total = losses["pixel"] + recipe.ssim_weight * losses["ssim"]
        if recipe.gan_weight:
            losses["generator"] = (self.discriminator(rebuilt) - 1).square().mean()
            total = total + recipe.gan_weight * losses["generator"]
        self._optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._schedule.step()
        if recipe.gan_weight:
            losses["discriminator"] = self._discriminate(images, rebuilt.detach())
        self.watch.add(losses["pixel"].item(), images.var(dim=(1, 2, 3)).mean().item())
        return {"total": total.item(), **{name: loss.item() for name, loss in losses.items()}}

    def _discriminate(self, images: Tensor, rebuilt: Tensor) -> Tensor:
        natural, made = self.discriminator(images), self.discriminator(rebuilt)
        loss: Tensor = ((natural - 1).square().mean() + made.square().mean()) / 2
        self._adversary.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adversary.step()
        return loss


class Fusion:
    """The second stage, for the loop: the attention alone.

    Args:
        recipe: the settings.
        autoencoder: the network of the first stage, whose parameters stay as they are.
        pairs: the files to train on.
        device: where to.

    Attributes:
        network: with attention.
        parts: see :class:`irfuse.training.loop.Task`.
    """

    def __init__(self, recipe: Recipe, autoencoder: Network, pairs: Sequence[Pair], device: torch.device) -> None:
        self._recipe, self._device = recipe, device
        crops = PairCrops(pairs, recipe.size, 1, Augmentation(), recipe.seed)
        self._feed = Feed(crops, recipe.epochs * recipe.epoch_steps, recipe.batch, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            network = Network(
                dilated=recipe.dilated,
                skips=recipe.skips,
                normalization=recipe.normalisation,
                skip_attention=recipe.skip_attention,
            )
        assert network.attention is not None
        for part, trained in ((network.extractor, autoencoder.extractor), (network.decoder, autoencoder.decoder)):
            part.load_state_dict(trained.state_dict())
            part.requires_grad_(False)
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimizer = torch.optim.Adam(network.attention.parameters(), lr=recipe.learning_rate)
        self._schedule = CosineAnnealingLR(self._optimizer, recipe.epochs * recipe.epoch_steps)
        self.parts: dict[str, loop.Stateful] = {
            "feed": self._feed,
            "network": self.network,
            "optimizer": self._optimizer,
            "schedule": self._schedule,
        }

    @property
    def waited(self) -> float:
        return self._feed.waited

    def fuse(self, ir: Tensor, vis: Tensor) -> Tensor:
        """What the network makes of images in [0, 1]."""
        fused: Tensor = self.network(ir, vis)
        return fused.clamp(0, 1)

    def step(self) -> dict[str, float]:
        ir, vis = self._feed.batch()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._recipe.precision == "bfloat16"):
            fused = self.network(ir, vis)
        losses = self.losses(fused.float(), ir, vis)
        self._optimizer.zero_grad()
        losses["total"].backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._schedule.step()
        return {name: loss.item() for name, loss in losses.items()}

    def losses(self, fused: Tensor, ir: Tensor, vis: Tensor) -> dict[str, Tensor]:
        """The terms of the loss and their weighted sum, ``total``."""
        recipe = self._recipe
        structure = 1 - (similarity(fused, ir) + similarity(fused, vis)).mean() / 2
        gradient = F.l1_loss(_gradient(fused), torch.maximum(_gradient(ir), _gradient(vis)))
        pixel = F.l1_loss(fused, torch.maximum(ir, vis))
        total = recipe.structure_weight * structure + recipe.gradient_weight * gradient + recipe.pixel_weight * pixel
        return {"total": total, "structure": structure, "gradient": gradient, "pixel": pixel}


def check(recipe: Recipe) -> None:
    """Refuse settings that cannot be, or would train nothing.

    Raises:
        TrainingError: the error names the setting.
    """
    for name in ("autoencoder_steps", "epochs", "epoch_steps", "batch"):
        if getattr(recipe, name) < 1:
            raise TrainingError(f"{name} cannot be {getattr(recipe, name)}; 1 or more is needed")
    least = AttentionEnsemble.info.minimum
    if recipe.size < least:
        raise TrainingError(f"size cannot be {recipe.size}; {least} or more is needed")
    if not recipe.learning_rate > 0:
        raise TrainingError(f"learning_rate cannot be {recipe.learning_rate}; more than 0 is needed")
    for name in ("ssim_weight", "gan_weight", "structure_weight", "gradient_weight", "pixel_weight"):
        if getattr(recipe, name) < 0:
            raise TrainingError(f"{name} cannot be {getattr(recipe, name)}; 0 or more is needed")
    if not 0 <= recipe.skip_attention <= 1:
        raise TrainingError(f"skip_attention cannot be {recipe.skip_attention}; from 0 to 1 is needed")
    if not max(recipe.structure_weight, recipe.gradient_weight, recipe.pixel_weight) > 0:
        raise TrainingError("of structure_weight, gradient_weight and pixel_weight one must be more than 0")


def train_weights(
    recipe: Recipe,
    images: Sequence[Path],
    pairs: Sequence[Pair],
    validation: Sequence[Pair],
    output: Path,
    *,
    autoencoder: Path | None = None,
    command: str = "",
    device: str = "auto",
    resume: bool = False,
    on_check: Progress = silent,
    on_step: Progress = silent,
) -> Path:
    """Train both stages, and write the weights file ``NAME.safetensors`` with all that belongs to it.

    The files are those of :func:`irfuse.training.recipes.encoder_decoder.train_weights`. The first stage writes
    ``NAME-autoencoder.safetensors``, weights that fuse without attention, with a card, curves and a log of their own.

    Args:
        recipe: the settings.
        images: the natural images of the first stage.
        pairs: the files to train on in the second stage.
        validation: those that tell how good the network is; they decide nothing.
        output: the weights file.
        autoencoder: the weights file of an earlier first stage, used instead of training one; that stage's settings are
            then those that it had.
        command: what the card says was run.
        device: as :class:`irfuse.Fuser` takes it.
        resume: go on from where the training stopped, in either stage.
        on_check: told after each pair that was read before the training starts.
        on_step: told after each step of either stage.

    Returns:
        The model card.

    Raises:
        TrainingError: a setting is impossible, there is no image or no pair or a pair is in both sets, a file is there
            already, the auto-encoder is another network's, the adversarial training diverged, or what the loop raises.
        ImageError, PairError: an image or a pair cannot be used.
        WeightsError: the auto-encoder's weights cannot be used.
        DeviceError: the device is not there.
        OutputError: the place cannot be written to.

    Warns:
        SuspiciousPairWarning: the pairs look as if they were not registered, or the trained network ignores a source.
    """
    info = AttentionEnsemble.info
    check(recipe)
    if not (images or autoencoder):
        raise TrainingError("there is no image to train on")
    if len(images) > 1 and output.resolve().parent in {path.resolve().parent for path in images}:
        raise TrainingError(f"{output} would lie among the images to train on: choose another folder")
    used = resolve(device)
    first = autoencoder or output.with_name(f"{output.stem}-autoencoder.safetensors")
    # Stopped in the first stage, the second starts anew.
    resume_second = resume and (autoencoder is not None or provenance.checkpoint(output).exists())
    if autoencoder:
        _read_first(autoencoder)
    else:
        loop.check_free(provenance.checkpoint(output), resume=resume)
        if first.exists() and not resume:
            raise TrainingError(f"{first} is there already: go on with --resume, or choose another name for the output")
        provenance.check_output(first, card.files(first), resume=resume)
    on_pairs.check(output, pairs, validation, resume=resume_second, on_check=on_check)
    validated = Validation(validation, 1, info, used)
    if not (autoencoder or resume_second):
        _train_autoencoder(
            recipe, images, validated, first, command, used, resume=resume, on_check=on_check, on_step=on_step
        )
    network, header = _read_first(first)
    if not autoencoder:
        made = {"recipe": header["recipe"], "images": [file["sha256"] for file in header["images"]]}
        loop.check_same(made, _first_identity(recipe, provenance.listed(images)), str(first))
    recipe = replace(recipe, **{name: header["recipe"][name] for name in _FIRST_STAGE})
    digest, minutes = sha256(first), header["seconds"] / 60
    return on_pairs.train(
        Fusion(recipe, network, pairs, used),
        info,
        recipe,
        {
            "dilated": recipe.dilated,
            "attention": True,
            "skips": recipe.skips,
            "normalization": recipe.normalisation,
            "skip_attention": recipe.skip_attention,
            "autoencoder": digest,
        },
        pairs,
        validated,
        output,
        command=command,
        device=used,
        resume=resume_second,
        on_step=on_step,
        notes={"auto-encoder": f"`{digest}`, {minutes:.1f} minutes on {len(header['images'])} images"},
    )


def _train_autoencoder(
    recipe: Recipe,
    images: Sequence[Path],
    validation: Validation,
    output: Path,
    command: str,
    device: torch.device,
    *,
    resume: bool,
    on_check: Progress,
    on_step: Progress,
) -> None:
    """The first stage, unless it has ended already."""
    method, checkpoint = AttentionEnsemble.info.name, provenance.checkpoint(output)
    if resume and output.exists() and not checkpoint.exists():
        return
    for number, path in enumerate(images, 1):
        # Better now than in the middle of the training.
        read_grey(path)
        on_check(number, len(images), f"checking {path.name}")
    files = provenance.listed(images)
    task = Reconstruction(recipe, images, device)
    try:
        history = loop.run(
            task,
            recipe.autoencoder_steps,
            checkpoint,
            _first_identity(recipe, files),
            resume=resume,
            on_step=lambda done, total, note: on_step(done, total, f"auto-encoder  {note}"),
        )
        task.watch.check_learnt()
    except DivergedError:
        checkpoint.unlink(missing_ok=True)
        raise
    header = provenance.header(method, recipe, files, command, history.seconds, machine(device))
    switches = {"dilated": recipe.dilated, "attention": False, "skips": recipe.skips}
    weights.save(task.network, {**header, "recipe": _first_settings(recipe), **switches}, output)
    rebuilt = [image[0].numpy() for pair in validation.tensors for image in pair]
    card.write(
        output,
        history,
        {"these weights": reconstruction(task.network.reconstruct, rebuilt, device)},
        f"Reconstruction of the {len(rebuilt)} images of the validation pairs",
        {"waiting for data": f"{task.waited / history.seconds:.1%} of the time"},
    )
    checkpoint.unlink()


def _read_first(file: Path) -> tuple[Network, dict[str, Any]]:
    """The network of a first stage, and what its weights file says of it."""
    header = weights.header_for(AttentionEnsemble.info.name, file)
    network = AttentionEnsemble(weights=str(file)).network
    if network.attention or not {"recipe", "images", "seconds"} <= header.keys():
        raise TrainingError(f"{file}: not the first stage of a training, which is named NAME-autoencoder.safetensors")
    return network, header


def _first_identity(recipe: Recipe, files: Sequence[dict[str, str]]) -> dict[str, Any]:
    """What two first stages must have in common."""
    return {"recipe": _first_settings(recipe), "images": [file["sha256"] for file in files]}


def _first_settings(recipe: Recipe) -> dict[str, Any]:
    return {name: value for name, value in recipe.as_dict().items() if name in _FIRST_STAGE + _BOTH_STAGES}


def _gradient(images: Tensor) -> Tensor:
    """The sum of both Sobel gradients' sizes, 1 at a step from black to white; (B, 1, H, W)."""
    rows, columns = sobel(images, "replicate")
    return (rows.abs() + columns.abs()) / 4
