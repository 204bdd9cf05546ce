"""Compare irfuse's metrics with the toolboxes' own values, and write docs/metrics/calibration.md.

    python scripts/calibration.py                compare all values and write the page
    python scripts/calibration.py --check        compare all values and write nothing
    python scripts/calibration.py --sample N     compare a fixed sample of VIFB, up to 25 triples, and write nothing

IRFUSE_DATA names the folder of the larger data.
"""

import argparse
import csv
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from compare import data_folder
from irfuse.device import cores
from irfuse.evaluation import batch
from irfuse.evaluation.batch import Triple
from irfuse.evaluation.evaluator import Evaluator
from irfuse.metrics.protocols import find

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "metrics" / "calibration.md"
VIFB_METRICS = {
    "Avg_gradient": "ag",
    "Cross_entropy": "ce",
    "Edge_intensity": "ei",
    "Entropy": "en",
    "Mutinf": "mi",
    "Psnr": "psnr",
    "Qabf": "qabf",
    "Qcb": "qcb",
    "Qcv": "qcv",
    "Rmse": "rmse",
    "Spatial_frequency": "sf",
    "Ssim": "ssim",
    "Variance": "sd",
}
OTHER_FILES = ("SwinFusion", "YDTR")
"""Methods whose published files are not those that VIFB measured, see the page's text."""


@dataclass(frozen=True)
class Comparison:
    protocol: str
    metric: str
    triple: str
    official: float
    ours: float
    tolerance: float

    @property
    def error(self) -> float:
        return abs(self.ours - self.official) / abs(self.official) if self.official else abs(self.ours)

    @property
    def excused(self) -> bool:
        return self.triple.split("/")[0] in OTHER_FILES

    @property
    def agrees(self) -> bool:
        return self.error <= self.tolerance or abs(self.ours - self.official) <= 1e-9


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def vifb(data: Path, sample: int | None) -> Iterator[Comparison]:
    rows = read(data / "vifb_metrics.csv")
    names = sorted({(row["method"], row["pair"]) for row in rows})
    if sample is not None:
        # Each method once, with another pair each time.
        names = [name for k, name in enumerate(names) if k // 7 % 7 == k % 7][:sample]
    fused, ir, vis = data / "vifb_fused", data / "vifb" / "ir", data / "vifb" / "vis"
    triples = [Triple(f"{m}/{p}", *(folder / f"{p}.jpg" for folder in (fused / m, ir, vis))) for m, p in names]
    scores = run(triples, "vifb", None)
    for row in rows:
        name, metric = f"{row['method']}/{row['pair']}", VIFB_METRICS[row["metric"]]
        tolerance = find("vifb").readings[metric].tolerance
        if name in scores:
            yield Comparison("vifb", metric, name, float(row["value"]), scores[name][metric], tolerance)


def golden(data: Path) -> Iterator[Comparison]:
    official = {
        (row["pair"], row["fused"], row["implementation"], row["metric"]): float(row["value"])
        for row in read(data / "golden_metrics.csv")
    }
    names = sorted({key[:2] for key in official})

    def image(pair: str, role: str) -> Path:
        return data / "golden" / f"{pair}_{role}.png"

    triples = [Triple("/".join(name), *(image(name[0], role) for role in (name[1], "ir", "vis"))) for name in names]
    readings = read(ROOT / "tests" / "metrics" / "references.csv")
    for protocol in dict.fromkeys(reading["protocol"] for reading in readings):
        of_protocol = [reading for reading in readings if reading["protocol"] == protocol]
        scores = run(triples, protocol, [reading["metric"] for reading in of_protocol])
        for reading in of_protocol:
            for name in names:
                value = official.get((*name, reading["implementation"], reading["name_there"]), math.nan)
                if not math.isnan(value):
                    ours = scores["/".join(name)][reading["metric"]]
                    tolerance = find(protocol).readings[reading["metric"]].tolerance
                    yield Comparison(protocol, reading["metric"], "/".join(name), value, ours, tolerance)


def run(triples: list[Triple], protocol: str, metrics: list[str] | None) -> dict[str, dict[str, float]]:
    found = {}
    for outcome in batch.run(triples, Evaluator(metrics, protocol), jobs=cores()):
        if outcome.error is not None:
            raise outcome.error
        found[outcome.name] = outcome.scores
    return found


def summary(comparisons: Iterable[Comparison]) -> Iterator[str]:
    by_reading: dict[tuple[str, str], list[Comparison]] = {}
    for comparison in comparisons:
        if not comparison.excused:
            by_reading.setdefault((comparison.protocol, comparison.metric), []).append(comparison)
    yield "| protocol | metric | triples | tolerance | largest error | agree |\n|---|---|---:|---:|---:|---:|"
    for (protocol, metric), found in by_reading.items():
        largest = max(comparison.error for comparison in found)
        agree = sum(comparison.agrees for comparison in found)
        yield (
            f"| `{protocol}` | `{metric}` | {len(found)} | {found[0].tolerance:g} | {largest:.1e} "
            f"| {'all' if agree == len(found) else agree} |"
        )


def page(comparisons: list[Comparison]) -> Iterator[str]:
    yield f"""# Calibration

This page compares irfuse's values with those of the toolboxes, for every reading that has a reference. `python
scripts/calibration.py` writes it. `python scripts/calibration.py --check` compares all values without writing. The
tests compare 25 triples of VIFB and all 16 of the other protocols. Errors are relative to the toolbox's value.

The values of `vifb` are those that the benchmark's MATLAB code wrote, with 5 digits, for 25 methods on 7 color pairs.
The published files of {" and ".join(OTHER_FILES)} cannot be the measured images: all 13 metrics differ, even the
entropy, which is exact for the 23 other methods. The table includes them, but the summary does not. The values of the
other protocols come from the original code, run on three pairs (TNO 01, TNO 08, a crop of TNO 02) with up to seven
fused images each.

## Summary
"""
    yield from summary(comparisons)
    yield "\n## All values\n\n| protocol | metric | triple | official | irfuse | error |\n|---|---|---|---:|---:|---:|"
    for c in comparisons:
        yield f"| {c.protocol} | {c.metric} | {c.triple} | {c.official:.10g} | {c.ours:.10g} | {c.error:.1e} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare irfuse's metrics with the toolboxes' own values.")
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many triples of VIFB; write nothing")
    given = parser.parse_args()
    data = data_folder()
    comparisons = list(vifb(data, given.sample)) + ([] if given.sample else list(golden(data)))
    wrong = [comparison for comparison in comparisons if not (comparison.agrees or comparison.excused)]
    if not (given.sample or given.check):
        PAGE.write_text("\n".join(page(comparisons)) + "\n")
    for c in wrong:
        print(f"{c.protocol} {c.metric} {c.triple}: {c.ours:.10g}, official {c.official:.10g}, error {c.error:.1e}")
    excused = sum(comparison.excused for comparison in comparisons)
    print(f"{len(comparisons) - excused} values compared, {len(wrong)} beyond their tolerance")
    print(f"{excused} of {' and '.join(OTHER_FILES)} left out: their files are not those that were measured")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
