"""Checks of the data before a training starts."""

from collections.abc import Sequence
from pathlib import Path

from irfuse import notices
from irfuse.errors import SuspiciousPairWarning, TrainingError
from irfuse.imaging import registration
from irfuse.imaging.registration import Registration
from irfuse.io.pairs import Pair
from irfuse.progress import Progress
from irfuse.training.reading import prepare_pair, read_gray


def check_images(images: Sequence[Path], on_step: Progress) -> None:
    """Read every image once, so that a bad one stops the training before it starts.

    Raises:
        TrainingError: there is no image.
        ImageError: a file cannot be read.
    """
    if not images:
        raise TrainingError("there are no images to train on: give --images")
    for number, path in enumerate(images, 1):
        read_gray(path)
        on_step(number, len(images), f"checking {path.name}")


def check_pairs(pairs: Sequence[Pair], on_step: Progress) -> None:
    """Read every pair once, so that a bad one stops the training before it starts.

    Raises:
        ImageError: a file cannot be read.
        PairError: the sizes of a pair differ.

    Warns:
        SuspiciousPairWarning: pairs look unregistered; see :mod:`irfuse.imaging.registration`.
    """
    measured: list[tuple[str, Registration]] = []
    for number, pair in enumerate(pairs, 1):
        measured.append((pair.name, registration.measure_prepared(prepare_pair(pair, 1))))
        on_step(number, len(pairs), f"checking {pair.name}")
    for remark in registration.remarks(measured):
        notices.warn(SuspiciousPairWarning(remark))
