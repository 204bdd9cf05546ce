import os
import signal
from pathlib import Path

import pytest

from irfuse import samples
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.progress import Progress
from irfuse.training import card
from irfuse.training.data import TrainingData


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    """Parts of the samples, 64x96 pixels, as natural images and as pairs, one of them for validation."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "ir").mkdir()
    (folder / "vis").mkdir()
    parts = []
    for pair in samples.pairs():
        part = Pair(pair.name, folder / "ir" / f"{pair.name}.png", folder / "vis" / f"{pair.name}.png")
        for source, target in ((pair.ir, part.ir), (pair.vis, part.vis)):
            images.write(target, images.read(source)[100:164, 100:196])
        parts.append(part)
    natural = tuple(pair.vis for pair in parts[1:])
    return TrainingData(images=natural, pairs=tuple(parts[1:]), validation=tuple(parts[:1]))


@pytest.fixture
def without_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write empty files for the curves, whose drawing takes a second, many times that of a few steps."""
    monkeypatch.setattr(card, "_curves", lambda history: b"")


def stop_after(step: int, word: str) -> Progress:
    """Interrupt a training, as Ctrl-C does, after the step of that number whose note has the word."""

    def on_step(done: int, total: int, note: str) -> None:
        if done == step and word in note:
            os.kill(os.getpid(), signal.SIGINT)

    return on_step


def names(folder: Path) -> set[str]:
    """The names of what is in a folder."""
    return {path.name for path in folder.iterdir()}
