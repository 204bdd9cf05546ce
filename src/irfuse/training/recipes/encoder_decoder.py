"""How the encoder-decoder network is trained: on the quality of its own results, without labels.

F. C. Ataman, G. Bozdagi Akar: "Visible and infrared image fusion using encoder-decoder network", ICIP 2021.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import MultiStepLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from irfuse.device import resolve
from irfuse.errors import TrainingError
from irfuse.imaging import color
from irfuse.io.pairs import Pair
from irfuse.methods.base import Channels
from irfuse.methods.encoder_decoder import EncoderDecoder, Network, fuse
from irfuse.metrics.piella import qw, qw_edge
from irfuse.metrics.pixels import mse
from irfuse.progress import Progress, silent
from irfuse.training import loop, on_pairs
from irfuse.training.data import Augmentation, Feed, PairCrops
from irfuse.training.validation import Validation

Precision = Literal["float32", "bfloat16"]

_COARSER = (4, 8, 16)
_WINDOW = 8
"""The side of Q_w's windows."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a training; but for the precision, the defaults made the weights that ship.

    Attributes:
        epochs: in all.
        epoch_steps: steps of the optimiser in an epoch; after each epoch the network is validated.
        batch: crops in a step.
        size: the side of a crop, a multiple of 32.
        width: channels of the network's first level, even.
        channels: of the visible image: its luma, or colour.
        qw_weight: of the term 1 - Q_w (the paper's alpha).
        qe_weight: of the term 1 - Q_e, with the edges' Q_w (beta).
        coarse_weight: of the term 1 - Q_w of images 4, 8 and 16 times as coarse, irfuse's own: it keeps halos away.
        mse_weight: of the mean squared error against both sources, in [0, 1] units (gamma).
        learning_rate: Adam's (the paper: 1e-3).
        halved_at: the epochs after which the learning rate is halved.
        averaging: what a step keeps of the moving average of the weights, which is the result.
        augmented: the share of the crops' images that are blurred, and of those that noise is added to.
        blur: the largest standard deviation of the blur, in pixels.
        noise: the largest standard deviation of the noise; 1 is the image's full range.
        alike: the share of the crops that have one image as both sources, irfuse's own.
        precision: of the network; the loss is always computed in float32.
        seed: of the initial weights and of the crops.
    """

    epochs: int = 40
    epoch_steps: int = 180
    batch: int = 16
    size: int = 256
    width: int = 16
    channels: Channels = 1
    qw_weight: float = 1.0
    qe_weight: float = 1.0
    coarse_weight: float = 0.5
    mse_weight: float = 2.0
    learning_rate: float = 1e-3
    halved_at: tuple[int, ...] = (10, 20, 30)
    averaging: float = 0.998
    augmented: float = 0.1
    blur: float = 1.5
    noise: float = 0.03
    alike: float = 0.1
    precision: Precision = "float32"
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON and checkpoints can hold them."""
        return {**asdict(self), "halved_at": list(self.halved_at)}


class Fusion:
    """The task of the loop: a network, its data and its optimiser.

    Attributes:
        network: the moving average of the weights.
        parts: see :class:`irfuse.training.loop.Task`.
        waited: seconds in which steps waited for their data.
    """

    def __init__(self, recipe: Recipe, pairs: Sequence[Pair], device: torch.device) -> None:
        self._recipe, self._device = recipe, device
        augmentation = Augmentation(recipe.augmented, recipe.blur, recipe.noise, recipe.alike)
        crops = PairCrops(pairs, recipe.size, recipe.channels, augmentation, recipe.seed)
        self._feed = Feed(crops, recipe.epochs * recipe.epoch_steps, recipe.batch, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            trained = Network(recipe.width, recipe.channels)
        self._trained = trained.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._average = AveragedModel(self._trained, multi_avg_fn=get_ema_multi_avg_fn(recipe.averaging))  # type: ignore[no-untyped-call]
        self._optimizer = torch.optim.Adam(
            self._trained.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99), eps=1e-8
        )
        milestones = [epoch * recipe.epoch_steps for epoch in recipe.halved_at]
        self._schedule = MultiStepLR(self._optimizer, milestones, gamma=0.5)
        self.parts: dict[str, loop.Stateful] = {
            "feed": self._feed,
            "average": self._average,
            "network": self._trained,
            "optimizer": self._optimizer,
            "schedule": self._schedule,
        }

    @property
    def waited(self) -> float:
        return self._feed.waited

    @property
    def network(self) -> Network:
        network = self._average.module
        assert isinstance(network, Network)
        return network

    def fuse(self, ir: Tensor, vis: Tensor) -> Tensor:
        """What the moving average of the weights makes of images in [0, 1]."""
        return fuse(self.network, ir, vis)

    def step(self) -> dict[str, float]:
        ir, vis = self._feed.batch()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._recipe.precision == "bfloat16"):
            fused = fuse(self._trained, ir, vis, frame=0)
        losses = self.losses(fused.float(), ir, vis)
        self._optimizer.zero_grad()
        losses["total"].backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._schedule.step()
        self._average.update_parameters(self._trained)
        return {name: loss.item() for name, loss in losses.items()}

    def losses(self, fused: Tensor, ir: Tensor, vis: Tensor) -> dict[str, Tensor]:
        """The terms of the loss and their weighted sum, ``total``; in colour, both sources' are those of the luma."""
        luma, vis_luma = _luma(fused), _luma(vis)
        # Infrared has no chroma to be near to: that is the visible's alone.
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


def check(recipe: Recipe) -> None:
    """Refuse settings that cannot be, or would train nothing.

    Raises:
        TrainingError: the error names the setting.
    """
    for name in ("epochs", "epoch_steps", "batch", "size", "width"):
        if getattr(recipe, name) < 1:
            raise TrainingError(f"{name} cannot be {getattr(recipe, name)}; 1 or more is needed")
    if recipe.size % EncoderDecoder.info.multiple:
        raise TrainingError(f"size cannot be {recipe.size}; a multiple of {EncoderDecoder.info.multiple} is needed")
    if recipe.width % 2:
        raise TrainingError(f"width cannot be {recipe.width}; an even number is needed")
    if not 0 <= recipe.averaging < 1:
        raise TrainingError(f"averaging cannot be {recipe.averaging}; from 0 to below 1 is needed")
    if not recipe.learning_rate > 0:
        raise TrainingError(f"learning_rate cannot be {recipe.learning_rate}; more than 0 is needed")
    weights = (recipe.qw_weight, recipe.qe_weight, recipe.coarse_weight, recipe.mse_weight)
    if min(weights) < 0 or not max(weights) > 0:
        raise TrainingError("the weights of the loss must be 0 or more, and one of them more than 0")


def train_weights(
    recipe: Recipe,
    pairs: Sequence[Pair],
    validation: Sequence[Pair],
    output: Path,
    *,
    command: str = "",
    device: str = "auto",
    resume: bool = False,
    on_check: Progress = silent,
    on_step: Progress = silent,
) -> Path:
    """Train, and write the weights file ``NAME.safetensors`` with all that belongs to it.

    These are ``NAME.md`` (the model card), ``NAME.png`` (the curves of losses and scores), ``NAME.csv`` (the losses of
    every step), ``NAME-epochs.csv`` (the scores of every epoch) and ``NAME-previews`` (pictures of validation pairs
    after every epoch). While it trains, ``NAME.checkpoint`` stands beside them.

    Args:
        recipe: the settings.
        pairs: the files to train on.
        validation: those that tell how good the network is; they decide nothing.
        output: the weights file.
        command: what the card says was run.
        device: as :class:`irfuse.Fuser` takes it.
        on_check: told after each pair that was read before the training starts.
        resume, on_step: see :func:`irfuse.training.loop.run`.

    Returns:
        The model card.

    Raises:
        TrainingError: a setting is impossible, there is no pair or one is in both, a file is there already, or what the
            loop raises.
        ImageError, PairError: a pair cannot be used.
        DeviceError: the device is not there.
        OutputError: the place cannot be written to.

    Warns:
        SuspiciousPairWarning: the pairs look as if they were not registered, or the trained network ignores a source.
    """
    info = EncoderDecoder.info
    check(recipe)
    used = resolve(device)
    on_pairs.check(output, pairs, validation, resume=resume, on_check=on_check)
    return on_pairs.train(
        Fusion(recipe, pairs, used),
        info,
        recipe,
        {"width": recipe.width, "channels": recipe.channels},
        pairs,
        Validation(validation, recipe.channels, info, used),
        output,
        command=command,
        device=used,
        resume=resume,
        on_step=on_step,
    )


def _coarse_qw(fused: Tensor, ir: Tensor, vis: Tensor) -> Tensor:
    """The mean Q_w of coarser images, of those that a window fits into."""
    scales = [scale for scale in _COARSER if min(fused.shape[-2:]) >= scale * _WINDOW]
    coarser = [[F.avg_pool2d(image, scale) for image in (fused, ir, vis)] for scale in scales]
    return torch.stack([qw(*images).mean() for images in coarser]).mean()


def _luma(images: Tensor) -> Tensor:
    return color.luma(images[:, 0:1], images[:, 1:2], images[:, 2:3]) if images.shape[1] == 3 else images
