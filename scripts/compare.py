"""Score a method and others on TNO by the metrics of its paper, and print Markdown. TNO is the test set: run this once.

    python scripts/compare.py METHOD                        print the scores that docs/methods/METHOD.md shows
    python scripts/compare.py METHOD NAME=WEIGHTS ...       print the scores of weights files, of ablations for example
    python scripts/compare.py METHOD --pictures FOLDER      write the page's picture, results side by side

METHOD is nst, encoder-decoder or attention-ensemble. IRFUSE_DATA names the folder of the larger data. The papers' own
figures, and the tables with them, come from `irfuse reproduce`.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from irfuse.device import cores
from irfuse.evaluation.batch import Triple, run
from irfuse.evaluation.evaluator import Evaluator
from irfuse.fuser import Fuser
from irfuse.imaging import sheet
from irfuse.io import images, pairs
from irfuse.metrics.protocols import PROTOCOLS

Sources = Mapping[str, tuple[images.Array, images.Array]]
"""The infrared and the visible image of each pair, by its name."""
Reading = tuple[str, str]
"""A metric, and the protocol that it is computed by."""


@dataclass(frozen=True)
class Comparison:
    """What a method is compared by.

    Attributes:
        specs: the methods to score.
        readings: the scores to compute.
        shown: the data sets and the pairs of the picture.
        width: of each image in the picture.
        side: that all images are scaled to, by area; None leaves them as they are.
        product: two readings whose product is shown too.
    """

    specs: Sequence[str]
    readings: Sequence[Reading]
    shown: Mapping[str, Sequence[str]]
    width: int
    side: int | None = None
    product: tuple[Reading, Reading] | None = None


def everywhere(*metrics: str) -> list[Reading]:
    """These metrics by every protocol that has them."""
    return [(metric, protocol.name) for metric in metrics for protocol in PROTOCOLS if metric in protocol.readings]


COMPARISONS = {
    "nst": Comparison(
        specs=("nst", "nst:reading=magnitude", "nst:stride=2", "nst:reading=literal,stride=2"),
        readings=(
            ("qabf", "canonical"),
            ("qcb", "liu"),
            ("qw", "liu"),
            ("q", "liu"),
            ("qe", "liu"),
            *((metric, "canonical") for metric in ("ff", "en", "mg", "sd", "sf", "qw")),
        ),
        shown={"tno21": ("01", "12", "13", "15", "16")},
        width=256,
        side=256,
    ),
    "encoder-decoder": Comparison(
        specs=("encoder-decoder", "res2netfuse", "average"),
        readings=(
            ("qw", "ataman"),
            ("qw", "canonical"),
            ("qw_edge", "canonical"),
            ("qw", "liu"),
            ("qe", "liu"),
            *((metric, "canonical") for metric in ("qabf", "ssim_a", "scd")),
        ),
        shown={"vifb": ("carWhite", "fight", "labMan")},
        width=400,
        product=(("qw", "canonical"), ("qw_edge", "canonical")),
    ),
    # The paper's VIF is `viff`, and it does not say what its SSIM is.
    "attention-ensemble": Comparison(
        specs=("attention-ensemble", "encoder-decoder", "res2netfuse", "average"),
        readings=everywhere("mi", "cc", "viff", "vif", "qabf", "scd", "ssim_a", "ssim"),
        shown={"tno21": ("06", "17"), "vifb": ("carWhite", "fight", "labMan")},
        width=320,
    ),
}


def data_folder() -> Path:
    """The folder of the larger data."""
    return Path(os.environ.get("IRFUSE_DATA") or sys.exit("IRFUSE_DATA must name the folder of the larger data"))


def read(folder: Path, side: int | None = None) -> Sources:
    """All pairs of a folder, scaled to a square where a side is given."""

    def image(path: Path) -> images.Array:
        whole = images.read(path)
        return whole if side is None else np.asarray(cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA))

    return {pair.name: (image(pair.ir), image(pair.vis)) for pair in pairs.find(folder).pairs}


def mean_scores(
    fused: Mapping[str, images.Array], sources: Sources, readings: Sequence[Reading]
) -> dict[Reading, float]:
    """The means of the readings over all pairs."""
    triples = [Triple(name, image, *sources[name]) for name, image in fused.items()]
    means: dict[Reading, float] = {}
    for protocol in dict.fromkeys(protocol for _, protocol in readings):
        metrics = [metric for metric, of in readings if of == protocol]
        scores = [outcome.scores for outcome in run(triples, Evaluator(metrics, protocol), jobs=cores())]
        means |= {(metric, protocol): float(np.mean([score[metric] for score in scores])) for metric in metrics}
    return means


def score_table(comparison: Comparison, specs: Mapping[str, str], sources: Sources) -> Iterator[str]:
    """The scores as lines, the readings below one another."""
    means = {}
    for name, spec in specs.items():
        fuser = Fuser(spec, engine="torch", precision="fp32")
        means[name] = mean_scores({pair: fuser(*of) for pair, of in sources.items()}, sources, comparison.readings)
    yield f"| irfuse, {len(sources)} pairs | {' | '.join(specs)} |"
    yield f"|---|{'---:|' * len(specs)}"
    for metric, protocol in comparison.readings:
        values = " | ".join(f"{scores[metric, protocol]:.4f}" for scores in means.values())
        yield f"| {metric} (`{protocol}`) | {values} |"
    if comparison.product is not None:
        one, other = comparison.product
        values = " | ".join(f"{scores[one] * scores[other]:.4f}" for scores in means.values())
        yield f"| product of {one[0]} and {other[0]} | {values} |"


def picture(comparison: Comparison) -> images.Array:
    """The shown pairs and their results, a row for each pair."""
    fusers = [Fuser(spec, engine="torch", precision="fp32") for spec in comparison.specs]
    rows = []
    for data_set, names in comparison.shown.items():
        for name, sources in read(data_folder() / data_set, comparison.side).items():
            if name in names:
                rows.append([*sources, *(fuser(*sources) for fuser in fusers)])
    return sheet.comparison(rows, ["infrared", "visible", *comparison.specs], comparison.width)


def main() -> None:
    parser = argparse.ArgumentParser(description="Score a method on TNO by the metrics of its paper.")
    parser.add_argument("method", choices=COMPARISONS)
    parser.add_argument("weights", nargs="*", metavar="NAME=WEIGHTS", help="weights files to score instead")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="write the picture and score nothing")
    given = parser.parse_args()
    comparison = COMPARISONS[given.method]
    if given.pictures:
        images.write(given.pictures / f"{given.method}.jpg", picture(comparison))
        return
    files = dict(argument.split("=", 1) for argument in given.weights)
    specs = {name: f"{given.method}:weights={file}" for name, file in files.items()}
    sources = read(data_folder() / "tno21", comparison.side)
    for line in score_table(comparison, specs or {spec: spec for spec in comparison.specs}, sources):
        print(line, flush=True)


if __name__ == "__main__":
    main()
