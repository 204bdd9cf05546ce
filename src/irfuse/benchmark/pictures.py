"""The pictures of a report: images of one scene side by side, with a region enlarged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from irfuse.benchmark.figures import plain
from irfuse.errors import ParameterError
from irfuse.imaging.planes import Array
from irfuse.imaging.sheet import to_rgb8

_TILES = 6
"""The number of pictures that fit side by side."""


@dataclass(frozen=True)
class Region:
    """A rectangle in an image.

    Attributes:
        x, y: the upper left corner in pixels.
        width, height: the size in pixels.
    """

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> "Region":
        """Read ``x,y,width,height``.

        Raises:
            ParameterError: the text is not four integers, or the region is empty or begins outside of images.

        >>> Region.parse("200,100,64,48")
        Region(x=200, y=100, width=64, height=48)
        """
        try:
            x, y, width, height = (int(part) for part in text.split(","))
        except ValueError:
            raise ParameterError(f"region cannot be {text!r}; give x,y,width,height in pixels") from None
        if x < 0 or y < 0 or width < 1 or height < 1:
            raise ParameterError(f"region cannot be {text!r}; x and y must be at least 0, width and height at least 1")
        return cls(x, y, width, height)

    def check_inside(self, pair: str, height: int, width: int) -> None:
        """Refuse the region if it reaches beyond the images of a pair.

        Args:
            pair: the name of the pair, for the error.
            height, width: the size of its images.

        Raises:
            ParameterError: the error names the region, the pair and its size.
        """
        if self.x + self.width > width or self.y + self.height > height:
            raise ParameterError(
                f"the region {self.x},{self.y},{self.width},{self.height} reaches beyond the pair {pair}, which is "
                f"{width}x{height}; give another region, or name other pairs to show"
            )


def sheet(pictures: Sequence[tuple[str, Array]], region: Region) -> Figure:
    """Show images of one scene side by side, each with the same region enlarged in a lower corner.

    Args:
        pictures: (caption, image) with images as :func:`irfuse.io.images.read` returns them, all of one size.
        region: the region to enlarge, which lies inside the images.
    """
    height, width = pictures[0][1].shape[:2]
    # The enlargement must not cover the region itself.
    to_right = region.x + region.width / 2 < width / 2 and region.y + region.height / 2 > height / 2
    down = -(-len(pictures) // _TILES)
    across = -(-len(pictures) // down)
    tile = 1.7
    figure = Figure(figsize=(tile * across, (tile * height / width + 0.2) * down))
    panels = figure.subplots(down, across, squeeze=False)
    figure.subplots_adjust(0.004, 0.004, 0.996, 1 - 0.2 / figure.get_figheight(), 0.025, 0.2 / (tile * height / width))
    for panel in panels.flat[len(pictures) :]:
        panel.set_axis_off()
    for panel, (caption, image) in zip(panels.flat, pictures, strict=False):
        picture = to_rgb8(image)
        panel.imshow(picture, interpolation="antialiased")
        panel.set_title(plain(caption), fontsize=_fitting(caption), pad=2)
        _frame(panel, "0.2", 0.4)
        panel.add_patch(
            Rectangle((region.x - 0.5, region.y - 0.5), region.width, region.height, fill=False, ec="#ffd400", lw=0.8)
        )
        share = min(0.45, 0.45 * height / width * region.width / region.height)
        tall = share * width / height * region.height / region.width
        inset = panel.inset_axes((1 - share if to_right else 0.0, 0.0, share, tall))
        rows, columns = slice(region.y, region.y + region.height), slice(region.x, region.x + region.width)
        inset.imshow(picture[rows, columns], interpolation="nearest", aspect="auto")
        _frame(inset, "#ffd400", 1.0)
    return figure


def telling_region(images: Sequence[Array]) -> Region:
    """Find where images of one scene differ most. The region has a quarter of their width and height.

    Args:
        images: images as :func:`irfuse.io.images.read` returns them, all of one size.
    """
    height, width = images[0].shape[:2]
    across, down = max(1, width // 4), max(1, height // 4)
    lumas = np.stack([to_rgb8(image).astype(np.float64).mean(axis=2) for image in images])
    # The sums of the variance over all windows, from its integral image.
    summed = np.pad(lumas.var(axis=0), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    windows = summed[down:, across:] - summed[:-down, across:] - summed[down:, :-across] + summed[:-down, :-across]
    y, x = np.unravel_index(windows.argmax(), windows.shape)
    return Region(int(x), int(y), across, down)


def _frame(panel: Axes, color: str, width: float) -> None:
    panel.set_xticks([])
    panel.set_yticks([])
    for spine in panel.spines.values():
        spine.set(color=color, linewidth=width)


def _fitting(caption: str) -> float:
    """The font size at which a caption is no wider than its picture."""
    return max(4.5, min(7.5, 7.5 * 24 / max(1, len(caption))))
