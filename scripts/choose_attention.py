"""Train the attention of `attention-ensemble` with several settings on one auto-encoder, and print Markdown.

python scripts/choose_attention.py AUTOENCODER.safetensors

Scores are the means over every fourth pair of the validation set pairs44; IRFUSE_DATA names the larger data.
"""

import sys
from dataclasses import replace

import torch

from irfuse import datasets
from irfuse.methods.attention_ensemble import AttentionEnsemble
from irfuse.training.recipes.attention_ensemble import AttentionEnsembleRecipe
from irfuse.training.recipes.attention_ensemble.attention import Fusion
from irfuse.training.validation import Fuse, Validation

METRICS = ("mi", "cc", "vif", "qabf", "scd", "ssim_a")
EVERY = 4
BASE = AttentionEnsembleRecipe(epochs=1, epoch_steps=150, precision="bf16")
SETTINGS = (
    BASE,
    replace(BASE, skip_attention=0.0),
    replace(BASE, skip_attention=0.3),
    replace(BASE, skip_attention=1.0),
    replace(BASE, structure_weight=1.0),
    replace(BASE, gradient_weight=1.0),
    replace(BASE, pixel_weight=0.0),
    replace(BASE, normalization="channels"),
)


def scores(fuse: Fuse, validation: Validation) -> str:
    return " | ".join(f"{value:.3f}" for value in validation.scores(fuse).values())


def main() -> None:
    autoencoder = AttentionEnsemble(weights=sys.argv[1]).network
    training = datasets.pairs("pairs272").pairs
    chosen = datasets.pairs("pairs44").pairs[::EVERY]
    validation = Validation(chosen, 1, AttentionEnsemble.info, torch.device("cpu"), METRICS)
    print("| skip attention | normalization | structure | gradient | pixel | " + " | ".join(METRICS) + " |")
    print("|---:|---|---:|---:|---:|" + "---:|" * len(METRICS))
    print(f"| the average of both | | | | | {scores(lambda ir, vis: (ir + vis) / 2, validation)} |")
    for recipe in SETTINGS:
        task = Fusion(recipe, autoencoder, training, torch.device("cpu"))
        for _ in range(recipe.epoch_steps):
            task.step()
        settings = (recipe.skip_attention, recipe.normalization, recipe.structure_weight, recipe.gradient_weight)
        row = " | ".join(map(str, (*settings, recipe.pixel_weight)))
        print(f"| {row} | {scores(task.fuse, validation)} |", flush=True)


if __name__ == "__main__":
    main()
