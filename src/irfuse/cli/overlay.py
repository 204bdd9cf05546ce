"""What `irfuse fuse` lays over fused images, or draws in their place."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from irfuse import notices
from irfuse.cli.aligning import AlignPair
from irfuse.errors import ParameterError

if TYPE_CHECKING:
    from irfuse.imaging.levels import Levels, Percentiles
    from irfuse.imaging.overlay import Threshold
    from irfuse.imaging.palettes import Palette
    from irfuse.io.images import Array
    from irfuse.pipelines.folder import FusePair

UNUSED_BY_BLEND = ("method", "model", "color", "stretch", "device", "engine", "precision")
"""The options that make no difference to a blend, which needs no method."""


@dataclass(frozen=True)
class Overlay:
    """What the user wants to see of the temperatures.

    Attributes:
        threshold: from where on to highlight; None for no highlight.
        blend: whether to draw the thermal image with the visible image's edges, in place of a fused image.
        palette: the colors; None for the usual ones.
        legend: whether to draw the colors with their values.
        thermal: what becomes the last color, and in a blend the first one.
        align: brings the images of a pair to one field of view.
    """

    threshold: "Threshold | None"
    blend: bool
    palette: "Palette | None"
    legend: bool
    thermal: "Levels | Percentiles"
    align: AlignPair

    @classmethod
    def of(
        cls,
        highlight: str | None,
        blend: bool,
        palette: "Palette | None",
        legend: bool,
        thermal: "Levels | Percentiles",
        align: AlignPair,
    ) -> "Overlay":
        """Read the options.

        Raises:
            ParameterError: they do not go together, or the threshold is none.
        """
        from irfuse.imaging.overlay import Threshold

        if highlight is not None and blend:
            raise ParameterError("--highlight cannot be combined with --blend")
        without = "--palette" if palette else "--legend" if legend else ""
        if without and highlight is None and not blend:
            raise ParameterError(f"{without} needs --highlight or --blend")
        threshold = None if highlight is None else Threshold.parse(highlight)
        return cls(threshold, blend, palette, legend, thermal, align)

    def settings(self) -> list[str]:
        """List what changes results."""
        found = [] if self.threshold is None else [f"highlight: {self.threshold}"]
        return found + [f"palette: {self.palette}"] * (self.palette is not None) + ["legend"] * self.legend

    def laid_over(self, fuse: "FusePair") -> "FusePair":
        """Return a function that fuses a pair and highlights what is warm in it, if that is wanted."""
        return fuse if self.threshold is None else partial(self._highlighted, fuse)

    def blended(self, ir: "Array", vis: "Array") -> "Array":
        """Draw a pair without a method."""
        from irfuse.imaging import overlay

        palette = self.palette or "iron"
        infrared, visible = self.align(ir, vis)
        return overlay.blend(infrared, visible, palette=palette, thermal=self.thermal, legend=self.legend)

    def _highlighted(self, fuse: "FusePair", ir: "Array", vis: "Array") -> "Array":
        from irfuse.imaging import overlay

        assert self.threshold is not None
        palette = self.palette or "inferno"
        fused = fuse(ir, vis)
        # What is wrong with the pair was said when it was fused.
        with notices.collected():
            warm, _ = self.align(ir, vis)
        return overlay.highlight(fused, warm, self.threshold, palette=palette, thermal=self.thermal, legend=self.legend)


def unused(given: Sequence[str]) -> str:
    """Say in one line which of the given options a blend does not use; empty if there are none.

    >>> unused(["method", "palette"])
    '--blend needs no method, so that --method makes no difference'
    """
    found = [f"--{name}" for name in given if name in UNUSED_BY_BLEND]
    verb = "make" if len(found) > 1 else "makes"
    return f"--blend needs no method, so that {' and '.join(found)} {verb} no difference" if found else ""
