"""Print how well `encoder-decoder` gives back an image that is fused with itself, over the images that ship.

python scripts/same_image.py [WEIGHTS]      a weights file; by default those that ship
"""

import math
import sys

import numpy as np

from irfuse import samples
from irfuse.fuser import Fuser
from irfuse.imaging.color import luma
from irfuse.io import images


def main() -> None:
    weights = sys.argv[1] if len(sys.argv) > 1 else "luma"
    fuser = Fuser(f"encoder-decoder:weights={weights}", engine="torch", precision="fp32")
    found = []
    for pair in samples.pairs():
        for path in (pair.ir, pair.vis):
            image = images.read(path).astype(np.float32) / 255
            grey = luma(*np.moveaxis(image, 2, 0)) if image.ndim == 3 else image
            difference = fuser(grey, grey) - grey
            psnr = -10 * math.log10((difference**2).mean())
            found.append(psnr)
            levels = 255 * difference.mean()
            print(f"{pair.name} {path.parent.name}: {psnr:.1f} dB, on average {levels:+.1f} grey levels")
    print(f"from {min(found):.1f} to {max(found):.1f} dB")


if __name__ == "__main__":
    main()
