"""Make a picture of docs/cameras.md: a pair, its warmest pixels highlighted, and a blend with a legend.

python scripts/overlay_picture.py
"""

from pathlib import Path

from irfuse import samples
from irfuse.imaging import overlay, sheet
from irfuse.io import images

ROOT = Path(__file__).parent.parent


def main() -> None:
    pair = next(pair for pair in samples.pairs() if pair.name == "msrs_00881N")
    ir, vis = images.read(pair.ir), images.read(pair.vis)
    row = [
        vis,
        ir,
        overlay.highlight(vis, ir, "98.5%", legend=True),
        overlay.blend(ir, vis, legend=True),
    ]
    picture = ROOT / "docs" / "pictures" / "overlays.jpg"
    images.write(picture, sheet.comparison([row], ["visible", "infrared", "highlight", "blend"], width=400))
    print(picture)


if __name__ == "__main__":
    main()
