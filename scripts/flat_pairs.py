"""Print what `encoder-decoder` makes of flat pairs: the band along each side and the grid inside, in gray levels.

    python scripts/flat_pairs.py

The band is the mean of a row, or a column, at a distance from the side, minus the mean of the middle.
"""

import warnings

import numpy as np

from irfuse.errors import SuspiciousPairWarning
from irfuse.fuser import Fuser

HEIGHT, WIDTH = 480, 640
PAIRS = ((0, 255), (255, 0), (30, 220), (128, 128))
DISTANCES = (0, 8, 16, 32, 48, 64)
MIDDLE = 160
"""Where the middle begins, in pixels from each side: farther than an output pixel sees."""


def main() -> None:
    # Every source is constant.
    warnings.simplefilter("ignore", SuspiciousPairWarning)
    fuser = Fuser("encoder-decoder", device="cpu", engine="torch", precision="fp32")
    print(f"| infrared, visible | side | {' | '.join(f'{d} px' for d in DISTANCES)} | grid, standard deviation |")
    print(f"|---|---|{'---:|' * (len(DISTANCES) + 1)}")
    for ir, vis in PAIRS:
        fused = 255 * fuser(*(np.full((HEIGHT, WIDTH), value / 255, np.float32) for value in (ir, vis)))
        middle = fused[MIDDLE:-MIDDLE, MIDDLE:-MIDDLE]
        for side, turned in (("top", fused), ("bottom", fused[::-1]), ("left", fused.T), ("right", fused.T[::-1])):
            # The columns that the other sides do not reach.
            lines = turned[:, MIDDLE:-MIDDLE].mean(axis=1) - middle.mean()
            band = " | ".join(f"{lines[distance]:+.1f}" for distance in DISTANCES)
            print(f"| {ir}, {vis} | {side} | {band} | {middle.std():.1f} |")


if __name__ == "__main__":
    main()
