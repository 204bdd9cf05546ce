"""Score weights of `ember` on the validation pairs, RoadScene and MSRS each, and print Markdown.

    python scripts/validate_ember.py FILE ...      weights files, or `base` and `nano`

IRFUSE_DATA names the folder of the larger data. Settings are chosen by these scores, by `noise.py`, and by the looks of
the previews of a training, never by the test sets of `compare_ember.py`.
"""

import argparse

from compare import mean_scores
from compare_ember import TABLE, UNSEEN
from irfuse import datasets
from irfuse.fuser import Fuser
from irfuse.io import images


def main() -> None:
    parser = argparse.ArgumentParser(description="Score weights of ember on the validation pairs.")
    parser.add_argument("weights", nargs="+", metavar="FILE")
    print(f"| | {' | '.join(f'`{metric}`' for metric, _ in TABLE + UNSEEN)} |")
    print(f"|---|{'---:|' * len(TABLE + UNSEEN)}")
    pairs = datasets.pairs("pairs-val").pairs
    for weights in parser.parse_args().weights:
        fuser = Fuser(f"ember:weights={weights}", engine="torch", precision="fp32")
        for name, is_road in (("RoadScene", True), ("MSRS", False)):
            sources = {
                pair.name: (images.read(pair.ir), images.read(pair.vis))
                for pair in pairs
                if pair.name.startswith("FLIR") == is_road
            }
            scores = mean_scores({name: fuser(*pair) for name, pair in sources.items()}, sources, TABLE + UNSEEN)
            print(f"| {weights}, {name} | {' | '.join(f'{scores[reading]:.3f}' for reading in TABLE + UNSEEN)} |")


if __name__ == "__main__":
    main()
