"""Print how closely a method reproduces an image that it fuses with itself: the luma of every sample image.

python scripts/identical_sources.py METHOD
"""

import sys

import cv2
import numpy as np

from irfuse import samples
from irfuse.fuser import Fuser


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/identical_sources.py METHOD")
    fuser = Fuser(sys.argv[1], device="cpu", engine="torch", precision="fp32")
    print("| pair | source | PSNR | brighter by, gray levels |")
    print("|---|---|---:|---:|")
    for pair in samples.pairs():
        for name, path in (("infrared", pair.ir), ("visible", pair.vis)):
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            difference = fuser(image, image).astype(np.float64) - image
            psnr = 10 * np.log10(255**2 / np.square(difference).mean())
            print(f"| {pair.name} | {name} | {psnr:.1f} dB | {difference.mean():+.2f} |")


if __name__ == "__main__":
    main()
