"""Choose the image for Res2NetFuse's single-image training, by how well it teaches to reconstruct the other ones.

Every candidate trains an auto-encoder for a short time. The score is the mean PSNR over the other images of its folder,
each scaled and cropped as it would be for training.

    python scripts/choose_training_image.py natural/kodak24/{01,03,05,07,09,11,13,15,17,19,21,23}.png
"""

import argparse
from pathlib import Path

import torch

from irfuse.training.crops import square
from irfuse.training.reading import read_grey
from irfuse.training.recipes.res2netfuse import Reconstruction, Res2NetFuseRecipe
from irfuse.training.validation import reconstruction


def score(candidate: Path, recipe: Res2NetFuseRecipe) -> dict[str, float]:
    others = [square(read_grey(path), recipe.size) for path in sorted(candidate.parent.iterdir()) if path != candidate]
    task = Reconstruction(recipe, [candidate], torch.device("cpu"))
    for _ in range(recipe.iterations):
        task.step()
    return reconstruction(task.network, others, torch.device("cpu"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidates", type=Path, nargs="+")
    parser.add_argument("--iterations", type=int, default=120)
    arguments = parser.parse_args()
    recipe = Res2NetFuseRecipe(iterations=arguments.iterations)
    scores = {}
    for candidate in arguments.candidates:
        scores[candidate] = score(candidate, recipe)
        print(candidate.name, "  ".join(f"{name} {value:.5f}" for name, value in scores[candidate].items()), flush=True)
    print("chosen:", max(scores, key=lambda path: scores[path]["psnr"]).name)


if __name__ == "__main__":
    main()
