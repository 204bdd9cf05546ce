"""Time a few training steps of every recipe, with its default batch and crops, and print Markdown.

    python perf/training.py [--device DEVICE] [--steps N] [--trial]

The data are the sample pairs that ship, since a step takes the same time with any. Reading is measured by how long the
steps wait for it. The first steps do not count.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

import torch

from commit import commit
from irfuse import samples
from irfuse.device import machine, resolve
from irfuse.training.feed import Feed
from irfuse.training.recipes import encoder_decoder, res2netfuse
from irfuse.training.recipes.attention_ensemble import AttentionEnsembleRecipe, attention, autoencoder
from irfuse.training.recipes.encoder_decoder import EncoderDecoderRecipe
from irfuse.training.recipes.res2netfuse import Res2NetFuseRecipe
from irfuse.training.steps import TrainingPrecision

WARM_UP = 5
"""Steps that do not count."""
PRECISIONS: tuple[TrainingPrecision, ...] = ("fp32", "bf16")


class Task(Protocol):
    """What the training loop repeats."""

    def step(self) -> dict[str, float]: ...


@dataclass(frozen=True)
class Stage:
    """A training to time.

    Attributes:
        name: the method, and the stage if it has several.
        precision: of the network.
        batch: crops in a step.
        size: the side of a crop.
        task: the training itself.
        feed: that the task reads its data from; None if all data are in memory.
    """

    name: str
    precision: str
    batch: int
    size: int
    task: Task
    feed: Feed | None


def stages(device: torch.device, steps: int, *, trial: bool) -> Iterator[Stage]:
    """Every stage of every recipe, in each precision that it has; tiny ones for a trial."""
    pairs = samples.pairs()
    natural = [pair.vis for pair in pairs]
    small = {"batch": 2, "size": 32} if trial else {}
    single = replace(Res2NetFuseRecipe(iterations=steps), **small)
    yield Stage("res2netfuse", "fp32", 1, single.size, res2netfuse.Reconstruction(single, natural[:1], device), None)
    for precision in PRECISIONS:
        recipe = replace(EncoderDecoderRecipe(epochs=1, epoch_steps=steps, precision=precision), **small)
        task = encoder_decoder.Fusion(recipe, pairs, device)
        yield Stage("encoder-decoder", precision, recipe.batch, recipe.size, task, task.feed)
        both = AttentionEnsembleRecipe(autoencoder_steps=steps, epochs=1, epoch_steps=steps, precision=precision)
        both = replace(both, **small)
        first = autoencoder.Reconstruction(both, natural, device)
        yield Stage("attention-ensemble, auto-encoder", precision, both.batch, both.size, first, first.feed)
        second = attention.Fusion(both, first.network, pairs, device)
        yield Stage("attention-ensemble, attention", precision, both.batch, both.size, second, second.feed)


def row(stage: Stage, steps: int) -> str:
    """Time the steps of a stage. Each ends with its losses as numbers, so that a GPU has finished too."""
    for _ in range(WARM_UP):
        stage.task.step()
    waited = stage.feed.waited if stage.feed else 0.0
    start = time.perf_counter()
    for _ in range(steps):
        stage.task.step()
    seconds = time.perf_counter() - start
    waiting = f"{(stage.feed.waited - waited) / seconds:.1%}" if stage.feed else "in memory"
    figures = f"{steps / seconds:.2f} | {1000 * seconds / steps:.1f} | {waiting}"
    return f"| {stage.name} | {stage.precision} | {stage.batch} | {stage.size} | {figures} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a few training steps of every recipe.")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=50, help="that count")
    parser.add_argument("--trial", action="store_true", help="only see whether everything runs, with tiny crops")
    given = parser.parse_args()
    device = resolve(given.device)
    print(f"{date.today()}, commit {commit()}: {machine(device)}, PyTorch {torch.__version__}; {given.steps} steps.\n")
    print("| training | precision | batch | crop | steps/s | ms a step | waiting for data |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for stage in stages(device, WARM_UP + given.steps, trial=given.trial):
        print(row(stage, given.steps), flush=True)


if __name__ == "__main__":
    main()
