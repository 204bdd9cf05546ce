"""Draw the paper's two figures: the loss with and without the discriminator, and what either network makes of a pair.

python scripts/adversary_attention_ensemble.py WITH.safetensors WITHOUT.safetensors OUT.png

Both are results of `irfuse train attention-ensemble`, with their logs beside them; IRFUSE_DATA names the larger data.
"""

import csv
import os
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from irfuse.fuser import Fuser
from irfuse.io import images, pairs

PAIR = "FLIR_05857"
"""Of RoadScene's validation pairs."""
DETAIL = (slice(60, 220), slice(60, 300))
SMOOTHED = 20


def losses(weights: Path) -> dict[str, list[float]]:
    """The log of the first stage, each value the mean of some steps."""
    with weights.with_name(f"{weights.stem}-autoencoder.csv").open() as file:
        rows = list(csv.DictReader(file))
    kernel = np.ones(SMOOTHED) / SMOOTHED
    return {name: np.convolve([float(r[name]) for r in rows], kernel, "valid").tolist() for name in ("pixel", "ssim")}


def main() -> None:
    data = Path(os.environ.get("IRFUSE_DATA") or sys.exit("IRFUSE_DATA must name the folder of the larger data"))
    files = {"with the discriminator": Path(sys.argv[1]), "without": Path(sys.argv[2])}
    figure = Figure(figsize=(12, 7), layout="constrained")
    curves, pictures = figure.subfigures(2)
    for axes, name in zip(curves.subplots(1, 2), ("pixel", "ssim"), strict=True):
        for label, file in files.items():
            axes.semilogy(losses(file)[name], label=label, linewidth=0.8)
        axes.set(title=f"{name} loss, the mean of {SMOOTHED} steps", xlabel="step")
        axes.grid(alpha=0.3, which="both")
        axes.legend()
    pair = next(pair for pair in pairs.find(data / "roadscene").pairs if pair.name == PAIR)
    ir, vis = images.read(pair.ir), images.read(pair.vis)
    shown = {"infrared": ir, "visible": vis}
    shown |= {
        label: Fuser(f"attention-ensemble:weights={file}", engine="torch", precision="fp32")(ir, vis)
        for label, file in files.items()
    }
    for axes, (label, image) in zip(pictures.subplots(1, 4), shown.items(), strict=True):
        axes.imshow(image[DETAIL], cmap="gray", vmin=0, vmax=255)
        axes.set(title=label, xticks=[], yticks=[])
    figure.savefig(sys.argv[3], dpi=80)


if __name__ == "__main__":
    main()
