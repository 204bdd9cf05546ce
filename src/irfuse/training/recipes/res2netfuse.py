"""How Res2NetFuse's auto-encoder is trained: reconstruction of natural images, of one alone or of many.

X. Song, Y. Xiao, H. Li, X.-J. Wu, J. Sun, V. Palade: "Res2NetFuse: A novel Res2Net-based fusion method for infrared and
visible images", 2023, arXiv:2112.14540.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler

from irfuse import datasets, weights
from irfuse.device import machine, resolve
from irfuse.errors import TrainingError
from irfuse.io.files import make_folder, sha256
from irfuse.methods.res2netfuse import AutoEncoder, Res2NetFuse
from irfuse.metrics.ssim import similarity
from irfuse.progress import Progress, silent
from irfuse.training import card, loop, provenance
from irfuse.training.data import RandomCrops, SingleImage, read_grey
from irfuse.training.loop import History
from irfuse.training.validation import reconstruction

Decay = Literal["cosine", "none"]

PAPER_RECONSTRUCTION = {
    "paper, 1 image": {"mse": 0.00042, "ssim": 0.99560, "psnr": 40.36431},
    "paper, 80000 images": {"mse": 0.00005, "ssim": 0.99888, "psnr": 46.50366},
}
"""The paper's Table III: means over 20 COCO images."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a training; the defaults are the paper's single-image strategy.

    Attributes:
        iterations: steps of the optimiser (the paper: 2000).
        batch: crops in a step, when there are many images.
        size: the side of the square that a single image is scaled to, or of a crop.
        more_sizes: further sides, for training on one image at several scales.
        learning_rate: Adam's (the published code: 5e-4).
        decay: ``cosine`` lets the learning rate fall to zero along half a cosine; ``none`` keeps it, as the published
            code does.
        seed: of the initial weights and of the crops.
    """

    iterations: int = 2000
    batch: int = 1
    size: int = 256
    more_sizes: tuple[int, ...] = ()
    learning_rate: float = 5e-4
    decay: Decay = "cosine"
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON and checkpoints can hold them."""
        return {**asdict(self), "more_sizes": list(self.more_sizes)}


@dataclass(frozen=True)
class _Seeded:
    """The state of a random generator, which PyTorch names otherwise than that of all else."""

    generator: torch.Generator

    def state_dict(self) -> torch.Tensor:
        return self.generator.get_state()

    def load_state_dict(self, state: torch.Tensor) -> None:
        self.generator.set_state(state)


class Reconstruction:
    """The task of the loop: an auto-encoder, its data and its optimiser."""

    def __init__(self, recipe: Recipe, images: Sequence[Path], device: torch.device) -> None:
        self._device = device
        self._generator = torch.Generator().manual_seed(recipe.seed)
        self._data: SingleImage | RandomCrops
        if len(images) == 1:
            self._data = SingleImage(images[0], (recipe.size, *recipe.more_sizes))
        else:
            self._data = RandomCrops(images, recipe.size, recipe.batch)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.network = AutoEncoder()
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=recipe.learning_rate)
        self._schedule: LRScheduler
        if recipe.decay == "cosine":
            self._schedule = CosineAnnealingLR(self._optimizer, recipe.iterations)
        else:
            self._schedule = ConstantLR(self._optimizer, factor=1.0)
        self.parts: dict[str, loop.Stateful] = {
            "network": self.network,
            "optimizer": self._optimizer,
            "schedule": self._schedule,
            "generator": _Seeded(self._generator),
        }

    def step(self) -> dict[str, float]:
        images = self._data.batch(self._generator).to(self._device, memory_format=torch.channels_last)
        reconstructed = self.network(images)
        structure = 1 - similarity(reconstructed, images).mean()
        pixel = F.mse_loss(reconstructed, images)
        total = structure + pixel
        self._optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._schedule.step()
        return {"total": total.item(), "ssim": structure.item(), "mse": pixel.item()}


def train(
    recipe: Recipe,
    images: Sequence[Path],
    checkpoint: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    on_step: Progress = silent,
) -> tuple[AutoEncoder, History]:
    """Train an auto-encoder on the luma of one natural image, or of many.

    Args:
        checkpoint, resume, on_step: see :func:`irfuse.training.loop.run`.

    Raises:
        TrainingError: there is no image, or what the loop raises.
        DeviceError, ImageError: the device or an image cannot be used.
    """
    if not images:
        raise TrainingError("there is no image to train on")
    task = Reconstruction(recipe, images, resolve(device))
    identity = {
        "method": Res2NetFuse.info.name,
        "recipe": recipe.as_dict(),
        "images": [sha256(path) for path in images],
    }
    history = loop.run(task, recipe.iterations, checkpoint, identity, resume=resume, on_step=on_step)
    return task.network, history


def train_weights(
    recipe: Recipe,
    source: str,
    output: Path,
    *,
    test: str | None = None,
    device: str = "auto",
    resume: bool = False,
    on_step: Progress = silent,
) -> Path:
    """Train, and write the weights file ``NAME.safetensors`` with all that belongs to it.

    These are ``NAME.md`` (the model card), ``NAME.png`` (the curves of the losses) and ``NAME.csv`` (the losses of
    every step). While it trains, ``NAME.checkpoint`` stands beside them.

    Args:
        source: what to learn from, as :func:`irfuse.datasets.images` takes it.
        output: the weights file.
        test: images to test the reconstruction on, likewise.
        device, resume, on_step: see :func:`train`.

    Returns:
        The model card.

    Raises:
        TrainingError: one of the files is there already, or what :func:`train` raises.
        DatasetError, DeviceError, ImageError: the images or the device cannot be used.
        OutputError: the place cannot be written to.
    """
    provenance.check_output(output, card.files(output), resume=resume)
    images = datasets.images(source)
    tests = [read_grey(path) for path in datasets.images(test)] if test else []
    if any(min(image.shape) < 11 for image in tests):
        raise TrainingError(f"{test}: test images of at least 11x11 are needed")
    used = resolve(device)
    make_folder(output.parent)
    checkpoint = provenance.checkpoint(output)
    network, history = train(recipe, images, checkpoint, device=device, resume=resume, on_step=on_step)
    command = provenance.command(Res2NetFuse.info.name, recipe, {"images": source, "test": test}, output)
    header = provenance.header(
        Res2NetFuse.info.name, recipe, provenance.listed(images), command, history.seconds, machine(used)
    )
    weights.save(network, header, output)
    scores = {"these weights": reconstruction(network, tests, used), **PAPER_RECONSTRUCTION} if tests else {}
    written = card.write(output, history, scores, f"Reconstruction of {test} ({len(tests)} images)")
    checkpoint.unlink()
    return written
