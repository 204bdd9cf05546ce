"""Checks of the data before a training starts."""

from collections.abc import Sequence
from pathlib import Path

from irfuse import notices
from irfuse.errors import ImageFileWarning, SuspiciousPairWarning, TrainingError
from irfuse.imaging import checks, misregistration
from irfuse.imaging.misregistration import Signs
from irfuse.io.pairs import Pair
from irfuse.progress import Progress
from irfuse.training.reading import prepare_planes, read_gray_and_warn, read_planes


def check_images(images: Sequence[Path], on_step: Progress) -> None:
    """Read every image once, so that a bad one stops the training before it starts.

    Raises:
        TrainingError: there is no image.
        ImageError: a file cannot be read.

    Warns:
        ImageFileWarning: see :func:`irfuse.io.images.read`.
    """
    if not images:
        raise TrainingError("there are no images to train on: give --images")
    said: list[tuple[str, str]] = []
    for number, path in enumerate(images, 1):
        with notices.collected() as found:
            read_gray_and_warn(path)
        said += [notices.about(path.name, warning) for warning in found]
        on_step(number, len(images), f"checking {path.name}")
    for line in notices.first_of_each(said):
        notices.warn(ImageFileWarning(line))


def check_pairs(pairs: Sequence[Pair], on_step: Progress) -> None:
    """Read every pair once, so that a bad one stops the training before it starts.

    Raises:
        ImageError: a file cannot be read.
        PairError: the sizes of a pair differ.

    Warns:
        SuspiciousPairWarning: pairs look wrong or unregistered; see :mod:`irfuse.imaging.inspection` and
            :mod:`irfuse.imaging.misregistration`.
    """
    said: list[tuple[str, str]] = []
    measured: list[tuple[str, Signs]] = []
    for number, pair in enumerate(pairs, 1):
        with notices.collected() as found:
            ir, vis = read_planes(pair)
            checks.check_pair(ir, vis)
            prepared = prepare_planes(pair.name, ir, vis, 1)
        said += [notices.about(pair.name, warning) for warning in found]
        measured.append((pair.name, misregistration.measure_prepared(prepared)))
        on_step(number, len(pairs), f"checking {pair.name}")
    for remark in (*notices.first_of_each(said), *misregistration.remarks(measured)):
        notices.warn(SuspiciousPairWarning(remark))
