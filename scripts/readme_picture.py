"""Make the README's picture: the sample pairs and their results by `ember`, side by side.

python scripts/readme_picture.py
"""

from pathlib import Path

import irfuse
from irfuse import samples
from irfuse.imaging import sheet
from irfuse.io import images

ROOT = Path(__file__).parent.parent


def main() -> None:
    fuser = irfuse.Fuser("ember", device="cpu", engine="torch", precision="fp32")
    rows = []
    for pair in samples.pairs():
        ir, vis = images.read(pair.ir), images.read(pair.vis)
        rows.append([ir, vis, fuser(ir, vis)])
    picture = ROOT / "docs" / "pictures" / "comparison.jpg"
    images.write(picture, sheet.comparison(rows, ["infrared", "visible", "fused"], width=320))
    print(picture)


if __name__ == "__main__":
    main()
