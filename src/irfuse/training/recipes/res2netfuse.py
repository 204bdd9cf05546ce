"""How Res2NetFuse's auto-encoder is trained: to reconstruct natural images, a single one or many.

X. Song, Y. Xiao, H. Li, X.-J. Wu, J. Sun, V. Palade: "Res2NetFuse: A novel Res2Net-based fusion method for infrared and
visible images", 2023, arXiv:2112.14540.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler

from irfuse import weights
from irfuse.errors import TrainingError
from irfuse.io.files import make_folder
from irfuse.methods.res2netfuse import AutoEncoder, Res2NetFuse
from irfuse.metrics.ssim import similarity
from irfuse.training import card, config, loop, provenance
from irfuse.training.checks import check_images
from irfuse.training.crops import ImageCrops, SingleImage
from irfuse.training.data import TrainingData
from irfuse.training.reading import Gray, read_gray
from irfuse.training.recipes.base import Recipe, Session, Trained
from irfuse.training.settings import Range
from irfuse.training.steps import descend, place, seeded
from irfuse.training.validation import reconstruction

PAPER_RECONSTRUCTION = {
    "paper, 1 image": {"mse": 0.00042, "ssim": 0.99560, "psnr": 40.36431},
    "paper, 80000 images": {"mse": 0.00005, "ssim": 0.99888, "psnr": 46.50366},
}
"""The paper's Table III: means over 20 COCO images."""
_LEAST_TEST_SIDE = 11


@dataclass(frozen=True)
class Res2NetFuseRecipe(Recipe):
    """Train the auto-encoder of Res2NetFuse to reconstruct one natural image (the paper's strategy), or many.

    The defaults are the paper's, with a single image.

    Attributes:
        iterations: steps of the optimizer (2000 in the paper).
        batch: crops in a step, if there are many images.
        size: side of the square that a single image is scaled to, or side of a crop.
        more_sizes: further sides, to train on one image at several scales.
        learning_rate: Adam's learning rate (5e-4 in the published code).
        decay: ``cosine`` lets the learning rate fall to zero along half a cosine; ``none`` keeps it, as the published
            code does.
        seed: seed of the initial weights and of the crops.
    """

    name = method = Res2NetFuse.info.name
    uses = ("images", "test")

    iterations: Annotated[int, Range(min=1)] = 2000
    batch: Annotated[int, Range(min=1)] = 1
    size: Annotated[int, Range(min=16)] = 256
    more_sizes: Annotated[tuple[int, ...], Range(min=16)] = ()
    learning_rate: Annotated[float, Range(above=0)] = 5e-4
    decay: Literal["cosine", "none"] = "cosine"
    seed: Annotated[int, Range(min=0, max=2**63 - 1)] = 0

    def train(self, data: TrainingData, session: Session) -> Trained:
        output, checkpoint = session.output, provenance.checkpoint(session.output)
        provenance.check_output(output, (*card.files(output), config.file(output)), resume=session.resume)
        check_images(data.images, session.on_check)
        tests = [_read_test(path) for path in data.test]
        make_folder(output.parent)
        task = Reconstruction(self, data.images, session.device)
        files = provenance.listed(data.images)
        provenance.warn_of_seen(provenance.listed(data.test), "test on", files, "the auto-encoder is")
        identity = {
            "method": self.method,
            "recipe": self.as_dict(),
            "images": [file["sha256"] for file in files],
        }
        history = loop.run(task, self.iterations, checkpoint, identity, resume=session.resume, on_step=session.on_step)
        weights.save(task.network, provenance.header(self, files, session, history.seconds), output)
        scored = f"Reconstruction of {data.sources.test or 'the test images'} ({len(tests)} images)"
        scores = (
            {"these weights": reconstruction(task.network, tests, session.device), **PAPER_RECONSTRUCTION}
            if tests
            else {}
        )
        written = card.write(output, history, scores, scored)
        checkpoint.unlink()
        return Trained(output, written)


@dataclass(frozen=True)
class _Seeded:
    """The state of a random generator, with the methods' names that everything else in PyTorch has."""

    generator: torch.Generator

    def state_dict(self) -> Tensor:
        return self.generator.get_state()

    def load_state_dict(self, state: Tensor) -> None:
        self.generator.set_state(state)


class Reconstruction:
    """The task: an auto-encoder, its data and its optimizer.

    Attributes:
        network: the auto-encoder.
        parts: see :class:`irfuse.training.loop.Task`.
    """

    def __init__(self, recipe: Res2NetFuseRecipe, images: Sequence[Path], device: torch.device) -> None:
        self._recipe, self._device = recipe, device
        self._generator = torch.Generator().manual_seed(recipe.seed)
        self._images: SingleImage | ImageCrops
        if len(images) == 1:
            self._images = SingleImage(images[0], (recipe.size, *recipe.more_sizes))
        else:
            self._images = ImageCrops(images, recipe.size)
        with seeded(recipe.seed):
            network = AutoEncoder()
        self.network = place(network, device)
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
        images = self._batch().to(self._device, memory_format=torch.channels_last)
        reconstructed = self.network(images)
        structure = 1 - similarity(reconstructed, images).mean()
        pixel = F.mse_loss(reconstructed, images)
        total = structure + pixel
        descend(total, self._optimizer, self._schedule)
        return {"total": total.item(), "ssim": structure.item(), "mse": pixel.item()}

    def _batch(self) -> Tensor:
        if isinstance(self._images, SingleImage):
            return self._images.batch(self._generator)
        return self._images.batch(self._recipe.batch, self._generator)


def _read_test(path: Path) -> Gray:
    image = read_gray(path)
    if min(image.shape) < _LEAST_TEST_SIDE:
        raise TrainingError(f"{path}: test images must be at least {_LEAST_TEST_SIDE}x{_LEAST_TEST_SIDE} pixels")
    return image
