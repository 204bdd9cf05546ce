"""The straightforward implementation, which speeds are compared with, computes the same images."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F

from irfuse.fuser import Fuser
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.methods import build

PATH = Path(__file__).parents[2] / "perf" / "straightforward.py"
TOLERANCE = 1e-5
"""The tolerance of pixels in [0, 1]. The sums are the same, but in another order."""
FRAMES = {"encoder-decoder": 16}
"""The pixels of padding that a method adds and the straightforward network does not."""


@pytest.fixture(scope="module")
def straightforward() -> ModuleType:
    spec = importlib.util.spec_from_file_location("straightforward", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", ["ember", "ember:weights=nano", "res2netfuse", "encoder-decoder", "attention-ensemble"]
)
def test_equals_irfuse(straightforward: ModuleType, name: str, tno_01: Pair) -> None:
    ir, vis = (torch.from_numpy(images.read(path)[None, None] / 255).float() for path in (tno_01.ir, tno_01.vis))
    expected = Fuser(build(name), device="cpu")(ir, vis)
    frame = FRAMES.get(name, 0)
    ir, vis = (F.pad(image, (frame, frame, frame, frame), mode="replicate") for image in (ir, vis))
    fused = F.pad(straightforward.fuse(straightforward.load(name), ir, vis), (-frame, -frame, -frame, -frame))
    torch.testing.assert_close(fused, expected, rtol=0, atol=TOLERANCE)


def test_every_network_is_checked(straightforward: ModuleType) -> None:
    assert list(straightforward.NETWORKS) == [
        "ember",
        "ember:weights=nano",
        "res2netfuse",
        "encoder-decoder",
        "attention-ensemble",
    ]
