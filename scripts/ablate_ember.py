"""Train `ember` shortly with each term of its loss off, score it on the validation pairs, and print Markdown.

    python scripts/ablate_ember.py FOLDER                       train what FOLDER lacks, and print the table
    python scripts/ablate_ember.py FOLDER --pictures PICTURES   write the page's picture, one column a training

IRFUSE_DATA names the folder of the larger data. A training that was interrupted continues where it stopped.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from compare import Sources, mean_scores
from irfuse import datasets
from irfuse.fuser import Fuser
from irfuse.imaging import sheet
from irfuse.io import images
from irfuse.training.data import DataSources, find
from irfuse.training.recipes.ember import EmberRecipe
from irfuse.training.run import train
from noise import flat_noise

RECIPE = EmberRecipe(epochs=2, large_epochs=1, epoch_steps=1000, batch=3, large_batch=1, precision="bf16")
TERMS = (
    "ssim",
    "vif",
    "qabf",
    "scd",
    "mi",
    "en",
    "contrast",
    "sharpness",
    "gradient",
    "brightness",
    "fidelity",
    "clipping",
    "halo",
    "sky",
)
TABLE = [(metric, "cddfuse") for metric in ("en", "sd", "sf", "mi", "scd", "vif", "qabf", "ssim")]
UNSEEN = [(metric, "canonical") for metric in ("qcb", "qcv", "nabf")]
SHOWN = ("FLIR_07360", "00881N")
WIDTH = 240


def recipes() -> dict[str, EmberRecipe]:
    """The recipes by the names of their trainings."""
    without = {f"without-{term}": replace(RECIPE, **{f"{term}_weight": 0.0}) for term in TERMS}
    return {"all-terms": RECIPE, **without}


def trainings(folder: Path) -> Iterator[tuple[str, Path]]:
    """Train what is missing. Yield the name and the weights of each training."""
    data = find(DataSources(pairs="pairs-train", validation="pairs-val"))
    for name, recipe in recipes().items():
        file = folder / f"{name}.safetensors"
        if not file.exists():
            train(recipe, data, file, device="cpu", resume=file.with_suffix(".checkpoint").exists())
        yield name, file


def sources() -> Sources:
    """The validation pairs."""
    pairs = datasets.pairs("pairs-val").pairs
    return {pair.name: (images.read(pair.ir), images.read(pair.vis)) for pair in pairs}


def print_table(folder: Path) -> None:
    pairs, readings = sources(), TABLE + UNSEEN
    print(f"| | {' | '.join(f'`{metric}`' for metric, _ in readings)} | noise |")
    print(f"|---|{'---:|' * (len(readings) + 1)}")
    for name, file in trainings(folder):
        fuser = Fuser(f"ember:weights={file}", engine="torch", precision="fp32")
        scores = mean_scores({pair: fuser(*of) for pair, of in pairs.items()}, pairs, readings)
        values = " | ".join(f"{scores[reading]:.3f}" for reading in readings)
        noise = np.mean(list(flat_noise(fuser).values()))
        print(f"| {name.replace('-', ' ')} | {values} | {noise:.2f} |", flush=True)


def picture(folder: Path) -> images.Array:
    files = dict(trainings(folder))
    fusers = [Fuser(f"ember:weights={file}", engine="torch", precision="fp32") for file in files.values()]
    rows = [[*pair, *(fuser(*pair) for fuser in fusers)] for name, pair in sources().items() if name in SHOWN]
    return sheet.comparison(rows, ["infrared", "visible", *(name.replace("-", " ") for name in files)], WIDTH)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train ember with each term of its loss off.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the trainings lie")
    parser.add_argument("--pictures", type=Path, metavar="PICTURES", help="write the picture instead of the table")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.pictures:
        images.write(given.pictures / "ember-ablation.jpg", picture(given.folder))
    else:
        print_table(given.folder)


if __name__ == "__main__":
    main()
