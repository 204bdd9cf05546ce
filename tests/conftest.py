import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from irfuse import samples
from irfuse.cli import main
from irfuse.io import images
from irfuse.io.pairs import Pair

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Networks with random weights are the same in every run."""
    torch.manual_seed(0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def tno_01() -> Pair:
    return next(pair for pair in samples.pairs() if pair.name == "tno_01")


@pytest.fixture(scope="session")
def msrs_day() -> Pair:
    return next(pair for pair in samples.pairs() if pair.name == "msrs_00633D")


@pytest.fixture(scope="session")
def real_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Crops of two real gray pairs, (2, 1, 96, 160) each, in [0, 1]."""
    pairs = [pair for pair in samples.pairs() if pair.name in ("tno_01", "tno_16")]

    def crops(paths: list[Path]) -> torch.Tensor:
        stacked: NDArray[np.float32] = np.stack([images.read(path)[100:196, 100:260] for path in paths]) / np.float32(
            255
        )
        return torch.from_numpy(stacked)[:, None]

    return crops([pair.ir for pair in pairs]), crops([pair.vis for pair in pairs])


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the larger data. Tests skip without it."""
    if "IRFUSE_DATA" not in os.environ:
        pytest.skip("IRFUSE_DATA does not name the folder of the larger data")
    return Path(os.environ["IRFUSE_DATA"])


@pytest.fixture(scope="session")
def supplied_weights() -> Path:
    """The folder of the backbones' weights. Tests skip without it."""
    if "IRFUSE_WEIGHTS" not in os.environ:
        pytest.skip("IRFUSE_WEIGHTS does not name the folder of the backbones' weights")
    return Path(os.environ["IRFUSE_WEIGHTS"])


@pytest.fixture(scope="session")
def gpu() -> torch.device:
    """The GPU. Tests skip without one. IRFUSE_GPU_DEVICE=cpu uses the CPU in its place."""
    device = torch.device(os.environ.get("IRFUSE_GPU_DEVICE", "cuda"))
    if device.type == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    return device


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `irfuse` with arguments. Returns the exit status, the standard output and the standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["irfuse", *map(str, arguments)])
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(SystemExit) as exit_:
            main()
        # The command ends with a handler that would end the tests, too.
        signal.signal(signal.SIGINT, before)
        # And it keeps all objects from the garbage collector, for a process that ends.
        gc.unfreeze()
        status = int(exit_.value.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run
