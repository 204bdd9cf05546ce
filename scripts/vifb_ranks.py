"""Rank methods among the published ones of VIFB, by the mean of their ranks in all metrics, and print Markdown.

    irfuse benchmark vifb7 -o REPORT -m ember -m ember:weights=nano --fused $IRFUSE_DATA/vifb_fused -p vifb
    python scripts/vifb_ranks.py REPORT ember ember:weights=nano

A rank is that of a method's mean score. Each method is ranked alone among the published ones, which are all others of
the report.
"""

import argparse
from pathlib import Path

import pandas as pd

from irfuse.metrics import METRICS


def main() -> None:
    parser = argparse.ArgumentParser(description="Rank methods among the published ones of VIFB.")
    parser.add_argument("report", type=Path, metavar="REPORT", help="the folder that the benchmark wrote")
    parser.add_argument("methods", nargs="+", metavar="METHOD", help="irfuse's own methods of the report")
    given = parser.parse_args()
    means = pd.read_csv(given.report / "summary.csv").pivot(index="method", columns="metric", values="mean")
    smaller = [metric.name for metric in METRICS if metric.direction == "lower" and metric.name in means]
    means[smaller] *= -1
    published = means.drop(index=given.methods)
    print("| method | place | mean rank | the best | its mean rank |")
    print("|---|---:|---:|---|---:|")
    for method in given.methods:
        ranks = pd.concat([published, means.loc[[method]]]).rank(ascending=False).mean(axis=1).sort_values()
        place = f"{ranks.index.get_loc(method) + 1} of {len(ranks)}"
        print(f"| `{method}` | {place} | {ranks[method]:.1f} | {ranks.index[0]} | {ranks.iloc[0]:.1f} |")


if __name__ == "__main__":
    main()
