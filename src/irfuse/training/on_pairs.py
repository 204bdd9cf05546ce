"""What every training on pairs shares: the validation, the pictures, the files that are written."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from irfuse import weights
from irfuse.device import machine
from irfuse.errors import SuspiciousPairWarning, TrainingError
from irfuse.io import images
from irfuse.io.files import make_folder
from irfuse.io.pairs import Pair
from irfuse.methods.base import MethodInfo
from irfuse.progress import Progress
from irfuse.training import card, loop, provenance
from irfuse.training.checks import check_pairs
from irfuse.training.loop import Epochs, History
from irfuse.training.validation import Validation

_LEAST_CONTRIBUTION = 0.1
"""Below it a source is as good as ignored."""


class Recipe(provenance.Recipe, Protocol):
    """The settings, of which these are read here."""

    @property
    def epochs(self) -> int: ...

    @property
    def epoch_steps(self) -> int: ...


class FusionTask(loop.Task, Protocol):
    """A task whose network fuses pairs."""

    @property
    def waited(self) -> float:
        """Seconds in which steps waited for their data."""
        ...

    @property
    def network(self) -> nn.Module:
        """What is saved."""
        ...

    def fuse(self, ir: Tensor, vis: Tensor) -> Tensor:
        """What the network makes of images in [0, 1]."""
        ...


def check(output: Path, pairs: Sequence[Pair], validation: Sequence[Pair], *, resume: bool, on_check: Progress) -> None:
    """What can be known before the training starts, the cheap first.

    Raises:
        TrainingError: there is no pair, one is in both, or a file or an unfinished training is there already.
        OutputError: the name is no weights file's, or its folder cannot be written to.
        ImageError, PairError: a pair cannot be used.

    Warns:
        SuspiciousPairWarning: see :func:`irfuse.training.checks.check_pairs`.
    """
    for name, some in {"train on": pairs, "validate on": validation}.items():
        if not some:
            raise TrainingError(f"there is no pair to {name}")
    provenance.check_output(output, (*card.files(output), card.epochs_file(output), _previews(output)), resume=resume)
    both = {pair.vis.resolve() for pair in pairs} & {pair.vis.resolve() for pair in validation}
    if both:
        raise TrainingError(f"{len(both)} pairs are in both the training and the validation, such as {min(both)}")
    make_folder(output.parent)
    check_pairs([*pairs, *validation], on_check)


def train(
    task: FusionTask,
    method: MethodInfo,
    recipe: Recipe,
    architecture: dict[str, Any],
    pairs: Sequence[Pair],
    validation: Validation,
    output: Path,
    *,
    command: str,
    device: torch.device,
    resume: bool,
    on_step: Progress,
    notes: Mapping[str, str] | None = None,
) -> Path:
    """Train, and write the weights file ``NAME.safetensors`` with all that belongs to it.

    Args:
        task: what to train.
        method: that it is for.
        recipe: its settings.
        architecture: further entries of the weights' header.
        pairs: what it is trained on.
        validation: what tells how good the network is.
        output: the weights file.
        command: what the card says was run.
        device: that the task is on.
        resume, on_step: see :func:`irfuse.training.loop.run`.
        notes: further rows of the card's first table.

    Returns:
        The model card.

    Raises:
        TrainingError: what the loop raises.
        OutputError: the place cannot be written to.

    Warns:
        SuspiciousPairWarning: the trained network ignores one of the sources.
    """
    files = provenance.listed(_files(pairs), folders=1)
    validated_on = provenance.listed(_files(validation.pairs), folders=1)
    identity = {
        "method": method.name,
        "recipe": recipe.as_dict(),
        "architecture": architecture,
        "pairs": [file["sha256"] for file in files],
        "validation": [file["sha256"] for file in validated_on],
    }

    def on_epoch(history: History) -> None:
        make_folder(_previews(output))
        card.write_log(output, history)
        images.write(_preview(output, history.epochs), validation.preview(task.fuse))

    history = loop.run(
        task,
        recipe.epochs * recipe.epoch_steps,
        provenance.checkpoint(output),
        identity,
        resume=resume,
        on_step=on_step,
        epochs=Epochs(recipe.epoch_steps, lambda: validation.scores(task.fuse), on_epoch),
    )
    header = provenance.header(method.name, recipe, files, command, history.seconds, machine(device))
    weights.save(task.network, {**header, "pairs": len(pairs), "validation": validated_on, **architecture}, output)
    contributions = validation.contributions(task.fuse)
    shares = ", ".join(f"{name} {share:.2f}" for name, share in contributions.items())
    written = card.write(
        output,
        history,
        {"these weights": {name: values[-1] for name, values in history.scores.items()}},
        f"Validation on {len(validation.pairs)} pairs",
        {
            "each source's contribution (the average: 0.5)": shares,
            "waiting for data": f"{task.waited / history.seconds:.1%} of the time",
            **(notes or {}),
        },
        _preview(output, history.epochs),
    )
    provenance.checkpoint(output).unlink()
    for name, share in contributions.items():
        if share < _LEAST_CONTRIBUTION:
            warnings.warn(
                f"{output}: the {name} image hardly contributes to the result ({share:.2f}; 0.5 each is the average): "
                "look at the previews, and train longer, with other weights of the loss, or with less averaging if the "
                "steps are few",
                SuspiciousPairWarning,
                stacklevel=3,
            )
    return written


def _files(pairs: Sequence[Pair]) -> list[Path]:
    return [file for pair in pairs for file in (pair.ir, pair.vis)]


def _previews(output: Path) -> Path:
    return output.with_name(f"{output.stem}-previews")


def _preview(output: Path, epoch: int) -> Path:
    return _previews(output) / f"epoch-{epoch:03d}.jpg"
