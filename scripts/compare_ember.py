"""Score `ember` and others on the test sets, and print Markdown. Run this once, with the weights that ship.

    python scripts/compare_ember.py                        print the tables that docs/methods/ember.md shows
    python scripts/compare_ember.py --pictures FOLDER      write the page's picture, results side by side

IRFUSE_DATA names the folder of the larger data, and IRFUSE_WEIGHTS that of ResNet-50's weights, for `resnet152`. The
ranks among VIFB's methods come from `irfuse benchmark vifb7`; the page has the command.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from compare import Sources, mean_scores
from irfuse import datasets
from irfuse.fuser import Fuser
from irfuse.imaging import sheet
from irfuse.io import images
from irfuse.metrics import METRICS

PAPERS = ("res2netfuse", "encoder-decoder", "resnet152:backbone=resnet50", "attention-ensemble", "nst")
SPECS = ("ember", "ember:weights=nano", *PAPERS, "maximum")
PUBLISHED = {
    "tno21": ("CDDFuse, 25 pairs of TNO", (7.12, 46.00, 13.15, 2.19, 1.76, 0.77, 0.54, 1.03)),
    "roadscene50": ("CDDFuse, the same 50 pairs", (7.44, 54.67, 16.36, 2.30, 1.81, 0.69, 0.52, 0.98)),
    "MSRS of pairs-val": ("CDDFuse, the 361 pairs of MSRS", (6.70, 43.38, 11.56, 3.47, 1.62, 1.05, 0.69, 1.00)),
}
"""Z. Zhao and others: "CDDFuse", CVPR 2023, arXiv:2211.14461, tables 1 and 2, in the order of `TABLE`."""
TABLE = [(metric, "cddfuse") for metric in ("en", "sd", "sf", "mi", "scd", "vif", "qabf", "ssim")]
UNSEEN = [(metric, "canonical") for metric in ("qcb", "qcv", "qp", "fmi_wavelet", "nabf", "viff")]
"""Metrics that no term of the loss knows."""
SHOWN = {"tno21": ("12", "17"), "roadscene50": ("FLIR_05005", "FLIR_08592"), "vifb": ("carWhite", "elecbike", "labMan")}
WIDTH = 240


def sources(name: str) -> Sources:
    """All pairs of a test set, or the pairs of MSRS that are for validation."""
    data_set = "pairs-val" if name.startswith("MSRS") else name
    pairs = [pair for pair in datasets.pairs(data_set).pairs if data_set == name or not pair.name.startswith("FLIR")]
    return {pair.name: (images.read(pair.ir), images.read(pair.vis)) for pair in pairs}


def ahead(ours: Sequence[float], theirs: Sequence[float]) -> int:
    """The number of values that are larger. All metrics of `TABLE` are better when larger."""
    return sum(our > their for our, their in zip(ours, theirs, strict=True))


def set_table(name: str, means: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """The scores of one set as lines, a method each, and how many of each row `ember` passes."""
    title, published = PUBLISHED[name]
    yield f"| {name}, `cddfuse` | {' | '.join(f'`{metric}`' for metric, _ in TABLE)} | `ember` ahead in | `nano` in |"
    yield f"|---|{'---:|' * (len(TABLE) + 2)}"
    for row, scores in {**{f"`{spec}`": scores for spec, scores in means.items()}, title: published}.items():
        counts = " | ".join(str(ahead(means[spec], scores)) for spec in SPECS[:2])
        yield f"| {row} | {' | '.join(f'{score:.3f}' for score in scores)} | {counts} |"


def unseen_table(means: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """The scores by metrics that no loss knows, as lines, with the best of the five papers' methods."""
    yield f"| mean of the three sets | {' | '.join(f'`{metric}`' for metric, _ in UNSEEN)} |"
    yield f"|---|{'---:|' * len(UNSEEN)}"
    for spec, scores in means.items():
        yield f"| `{spec}` | {' | '.join(f'{score:.4f}' for score in scores)} |"
    directions = {metric.name: metric.direction for metric in METRICS}
    columns = zip(*(means[spec] for spec in PAPERS), strict=True)
    best = [
        max(column) if directions[metric] == "higher" else min(column)
        for (metric, _), column in zip(UNSEEN, columns, strict=True)
    ]
    yield f"| the best of the five | {' | '.join(f'{score:.4f}' for score in best)} |"


def print_tables() -> None:
    fusers = {spec: Fuser(spec, engine="torch", precision="fp32") for spec in SPECS}
    unseen: dict[str, list[list[float]]] = {spec: [] for spec in SPECS}
    for name in PUBLISHED:
        pairs, table = sources(name), {}
        for spec, fuser in fusers.items():
            scores = mean_scores({pair: fuser(*of) for pair, of in pairs.items()}, pairs, TABLE + UNSEEN)
            table[spec] = [scores[reading] for reading in TABLE]
            unseen[spec].append([scores[reading] for reading in UNSEEN])
        for line in chain(set_table(name, table), [""]):
            print(line, flush=True)
    for line in unseen_table({spec: np.mean(scores, axis=0).tolist() for spec, scores in unseen.items()}):
        print(line)


def picture() -> images.Array:
    fusers = [Fuser(spec, engine="torch", precision="fp32") for spec in SPECS[:-1]]
    rows = []
    for data_set, names in SHOWN.items():
        for name, pair in sources(data_set).items():
            if name in names:
                rows.append([*pair, *(fuser(*pair) for fuser in fusers)])
    captions = ["infrared", "visible", *(spec.replace(":backbone=resnet50", "") for spec in SPECS[:-1])]
    return sheet.comparison(rows, captions, WIDTH)


def main() -> None:
    parser = argparse.ArgumentParser(description="Score ember and others on the test sets.")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="write the picture and score nothing")
    folder = parser.parse_args().pictures
    if folder:
        images.write(folder / "ember.jpg", picture())
    else:
        print_tables()


if __name__ == "__main__":
    main()
