"""Make the picture of docs/cameras.md: the images of two cameras, fused before and after registration.

    python scripts/registration_picture.py

The second camera is made: the infrared image of a sample pair is warped by a known matrix.
"""

from pathlib import Path

import cv2
import numpy as np

import irfuse
from irfuse import samples
from irfuse.imaging import sheet
from irfuse.io import images

ROOT = Path(__file__).parent.parent
NAME, METHOD = "msrs_00633D", "ember"
MATRIX = np.array([[1.42, 0.05, 60.0], [-0.04, 1.45, 42.0], [2e-5, -3e-5, 1.0]])
"""Of the infrared image to the visible one."""
SIZE = (320, 256)


def main() -> None:
    pair = next(pair for pair in samples.pairs() if pair.name == NAME)
    vis = images.read(pair.vis)
    warped = cv2.warpPerspective(images.read(pair.ir), MATRIX, SIZE, flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP)
    ir = np.asarray(warped, np.uint8)
    resized = np.asarray(cv2.resize(ir, (vis.shape[1], vis.shape[0]), interpolation=cv2.INTER_CUBIC), np.uint8)
    fused = irfuse.fuse(ir, vis, method=METHOD, registration=irfuse.register(ir, vis))
    row = [vis, ir, irfuse.fuse(resized, vis, method=METHOD), fused]
    picture = ROOT / "docs" / "pictures" / "registration.jpg"
    captions = ["visible", "infrared, another camera", "only resized, and fused", "registered and fused"]
    images.write(picture, sheet.comparison([row], captions, width=400))
    print(picture)


if __name__ == "__main__":
    main()
