"""What a file itself gives cause to say is said once, with its path, by every command."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from irfuse.io import images
from tests.conftest import Run

SAID = "declares 100 as white"


@pytest.fixture
def odd(tmp_path: Path) -> Callable[[int], Path]:
    """Make a data set of so many pairs, whose first visible image gives cause to a warning."""

    def make(count: int) -> Path:
        generator = np.random.default_rng(0)
        for role in ("ir", "vis"):
            (tmp_path / role).mkdir()
            for number in range(count):
                pixels = generator.integers(0, 100, (64, 64), dtype=np.uint8)
                images.write(tmp_path / role / f"{number}.pgm", pixels)
        path = tmp_path / "vis" / "0.pgm"
        path.write_bytes(path.read_bytes().replace(b"\n255\n", b"\n100\n"))
        return tmp_path

    return make


def said(complaints: str, folder: Path) -> bool:
    lines = [line for line in complaints.splitlines() if SAID in line]
    return [line.startswith(f"warning: {folder / 'vis' / '0.pgm'}: {SAID}") for line in lines] == [True]


@pytest.mark.parametrize("count", [1, 3])
def test_fuse_and_evaluate(count: int, run: Run, odd: Callable[[int], Path]) -> None:
    """Files and folders; the size of a few pairs is read before they are fused."""
    folder = odd(count)
    ir, vis, out = folder / "ir", folder / "vis", folder / "out"
    status, _, complaints = run("fuse", ir, vis, "-o", out, "-m", "average")
    assert status == 0
    assert said(complaints, folder), complaints
    status, _, complaints = run("evaluate", out, ir, vis, "-k", "en", "-j", "1")
    assert status == 0
    assert said(complaints, folder), complaints
    ir, vis, out = ir / "0.pgm", vis / "0.pgm", out / "0.png"
    for command in (("fuse", ir, vis, "-o", out, "-m", "average"), ("evaluate", out, ir, vis, "-k", "en")):
        status, _, complaints = run(*command)
        assert status == 0
        assert said(complaints, folder), complaints


def test_benchmark(run: Run, odd: Callable[[int], Path], tmp_path: Path) -> None:
    """Whatever the number of methods, and also when all is in the cache."""
    folder = odd(2)
    options = ["-m", "average", "-m", "maximum", "-k", "en", "-j", "1", "--cache", tmp_path / "cache"]
    for _ in range(2):
        status, _, complaints = run("benchmark", folder, "-o", tmp_path / "report", *options)
        assert status == 0
        assert said(complaints, folder), complaints


def test_train(run: Run, odd: Callable[[int], Path], tmp_path: Path) -> None:
    folder = odd(10)
    settings = ["--epochs=1", "--epoch-steps=1", "--batch=1", "--size=32", "--width=2", "--halved-at=1", "--device=cpu"]
    out = tmp_path / "w.safetensors"
    status, _, complaints = run("train", "encoder-decoder", "--pairs", folder, *settings, "-o", out)
    assert status == 0
    assert said(complaints, folder), complaints
