"""Validation on data that is not trained on: scores, pictures, each source's contribution, and reconstruction."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from irfuse import notices
from irfuse.errors import SuspiciousPairWarning, TrainingError, UndefinedScoreWarning
from irfuse.evaluation.evaluator import Evaluator
from irfuse.imaging import sheet
from irfuse.io.pairs import Pair
from irfuse.methods.base import Channels, MethodInfo
from irfuse.metrics.pixels import mse, psnr
from irfuse.metrics.ssim import similarity
from irfuse.training.crops import tensors
from irfuse.training.reading import Gray, read_pair

Fuse = Callable[[Tensor, Tensor], Tensor]
"""From (1, 1, H, W) and (1, C, H, W) to (1, C, H, W), all in [0, 1]."""

METRICS = ("qw", "qw_edge", "qabf", "ssim_a", "scd")
_SHOWN = 5


class Validation:
    """The validation pairs, cut to a size that the network takes.

    Args:
        pairs: the files.
        channels: the channels of the visible image.
        method: the method that is validated, with the sizes that it takes.
        device: the device of the network.
        metrics: the metrics whose means :meth:`scores` gives.

    Attributes:
        tensors: the images of each pair, (1, H, W) and (C, H, W) in [0, 1].

    Raises:
        TrainingError: a pair is too small.
        ImageError, PairError: a pair cannot be used.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        channels: Channels,
        method: MethodInfo,
        device: torch.device,
        metrics: Sequence[str] = METRICS,
    ) -> None:
        self.pairs = pairs
        self._evaluator = Evaluator(metrics)
        self._metrics = metrics
        self._device = device
        self.tensors: list[tuple[Tensor, Tensor]] = []
        least = max(method.minimum, method.multiple)
        for pair in pairs:
            ir, vis = read_pair(pair, channels)
            height, width = (side // method.multiple * method.multiple for side in ir.shape)
            if min(height, width) < least:
                raise TrainingError(f"{pair.name}: validation needs pairs of at least {least}x{least} pixels")
            self.tensors.append(tensors(ir[:height, :width], vis[:height, :width]))

    def scores(self, fuse: Fuse) -> dict[str, float]:
        """Score the fused images, rounded to 8 bits, by protocol `canonical`, and average each metric.

        Warns:
            SuspiciousPairWarning: scores are undefined, and so are the means of their metrics.
        """
        every: list[dict[str, float]] = []
        said: list[tuple[str, str]] = []
        for pair, (ir, vis) in zip(self.pairs, self.tensors, strict=True):
            with notices.collected() as found:
                every.append(self._evaluator(*map(_picture, (self._fused(fuse, ir, vis), ir, vis))))
            # The check before the training has named the pairs that look wrong.
            said += [(pair.name, str(warning)) for warning in found if isinstance(warning, UndefinedScoreWarning)]
        for line in notices.first_of_each(said):
            notices.warn(SuspiciousPairWarning(line))
        return {name: float(np.mean([scores[name] for scores in every])) for name in self._metrics}

    def preview(self, fuse: Fuse) -> NDArray[np.uint8]:
        """Make a sheet of a few pairs, always the same ones, with their fused images."""
        step = max(1, len(self.tensors) // _SHOWN)
        rows = [[ir, vis, self._fused(fuse, ir, vis)] for ir, vis in self.tensors[step // 2 :: step][:_SHOWN]]
        return sheet.comparison([[_picture(i) for i in row] for row in rows], ["infrared", "visible", "fused"])

    def contributions(self, fuse: Fuse) -> dict[str, float]:
        """Measure how much the infrared and the visible images contribute to the fused images.

        A source's contribution is the change of the result when the source is replaced by its mean, relative to the
        change of the source. The average of both gives about 0.5 each; a source that is ignored has 0.
        """
        shares = []
        for ir, vis in self.tensors:
            fused = self._fused(fuse, ir, vis)
            without_ir = self._fused(fuse, _flat(ir), vis)
            without_vis = self._fused(fuse, ir, _flat(vis))
            shares.append([_ratio(fused - without_ir, ir - _flat(ir)), _ratio(fused - without_vis, vis - _flat(vis))])
        means = np.mean(shares, axis=0).tolist()
        return dict(zip(("infrared", "visible"), means, strict=True))

    @torch.no_grad()
    def _fused(self, fuse: Fuse, ir: Tensor, vis: Tensor) -> Tensor:
        return fuse(ir[None].to(self._device), vis[None].to(self._device))[0].float().cpu()


@torch.inference_mode()
def reconstruction(
    rebuild: Callable[[Tensor], Tensor], images: Sequence[Gray], device: torch.device
) -> dict[str, float]:
    """Measure how well an auto-encoder reconstructs images, rounded to 8 bits.

    Args:
        rebuild: the auto-encoder, from (1, 1, H, W) in [0, 1] to the same shape; it need not clip.
        images: (H, W) in [0, 1], each at least 11x11.
        device: the device of the auto-encoder.

    Returns:
        The means over the images of ``mse``, ``ssim`` and ``psnr`` (decibels).
    """
    scores = []
    for pixels in images:
        image = torch.from_numpy(pixels)[None, None].to(device, memory_format=torch.channels_last)
        rebuilt = (rebuild(image).clamp(0, 1) * 255).round() / 255
        values = (mse(rebuilt, image, image), similarity(rebuilt, image), psnr(rebuilt, image, image))
        scores.append([value.item() for value in values])
    means = torch.tensor(scores, dtype=torch.float64).mean(dim=0)
    return dict(zip(("mse", "ssim", "psnr"), means.tolist(), strict=True))


def _picture(image: Tensor) -> NDArray[np.uint8]:
    """(C, H, W) in [0, 1] as (H, W) or (H, W, 3), 8 bits."""
    pixels = (image * 255).round().clamp(0, 255).to(torch.uint8).movedim(0, 2).numpy()
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def _flat(image: Tensor) -> Tensor:
    return image.mean(dim=(1, 2), keepdim=True).expand_as(image)


def _ratio(change: Tensor, by: Tensor) -> float:
    size = float(by.square().mean().sqrt())
    return float(change.square().mean().sqrt()) / size if size else 0.0
