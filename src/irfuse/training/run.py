"""The way to train: one call for all recipes."""

from pathlib import Path

from irfuse.device import resolve
from irfuse.errors import TrainingError
from irfuse.progress import Progress, silent
from irfuse.training import config, provenance
from irfuse.training.data import TrainingData
from irfuse.training.recipes.base import Recipe, Session, Trained


def train(
    recipe: Recipe,
    data: TrainingData,
    output: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    on_check: Progress = silent,
    on_step: Progress = silent,
) -> Trained:
    """Train by a recipe, and write the weights file ``NAME.safetensors`` with everything that belongs to it.

    Beside it stand ``NAME.md`` (the model card), ``NAME.toml`` (the configuration that repeats the training) and what
    the recipe adds, such as logs and curves. An interrupted training leaves ``NAME.checkpoint``.

    Args:
        recipe: the recipe with its settings.
        data: the files to train on; see :func:`irfuse.training.data.find`.
        output: the weights file.
        device: the device to train on, as :class:`irfuse.Fuser` takes it.
        resume: continue an interrupted training.
        on_check: told after each file or pair that is read before the training starts.
        on_step: told after each step.

    Raises:
        TrainingError: data is missing or not used by the recipe, a file exists already, the checkpoint cannot be
            used, or the training diverged.
        StoppedError: SIGINT or SIGTERM arrived; `resume` continues.
        ImageError, PairError: an image or a pair cannot be used.
        WeightsError: the weights to start from are missing, damaged, or for another method.
        DeviceError: the device does not exist.
        OutputError: the place cannot be written to.

    Warns:
        SuspiciousPairWarning: the pairs look unregistered, images that the result is judged by were trained on, or the
            trained network ignores one of the sources.
    """
    for name in ("images", "autoencoder", "init", "pairs", "test"):
        if getattr(data, name) and name not in recipe.uses:
            raise TrainingError(f"the recipe {recipe.name} uses no {name}")
    command = provenance.command(recipe, data.sources, output)
    trained = recipe.train(data, Session(output, resolve(device), command, resume, on_check, on_step))
    config.write(recipe, data.sources, output)
    return trained
