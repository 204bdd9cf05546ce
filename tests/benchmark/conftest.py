from pathlib import Path

import numpy as np
import pytest

from irfuse import samples
from irfuse.benchmark import Result, run
from irfuse.errors import BenchmarkWarning
from irfuse.io import images
from irfuse.io.images import Array

METRICS = ["en", "qabf", "mse", "qsf"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops of the sample pairs. `external` has their darkened visible images, except for the first pair."""
    folder = tmp_path_factory.mktemp("pairs")
    for name in ("ir", "vis", "external"):
        (folder / name).mkdir()
    for number, pair in enumerate(samples.pairs()):
        ir, vis = (images.read(path)[100:164, 100:180] for path in (pair.ir, pair.vis))
        images.write(folder / "ir" / f"{pair.name}.png", ir)
        images.write(folder / "vis" / f"{pair.name}.png", vis)
        if number:
            images.write(folder / "external" / f"{pair.name}.png", vis // 2)
    return folder


def inverted(ir: Array, vis: Array) -> Array:
    """A user's method that returns floats, and fails on one pair."""
    if vis.ndim == 2 and vis[0, 0] == 133:
        raise ValueError("this is TNO 01")
    return np.asarray(1 - vis.astype(np.float64) / 255)


@pytest.fixture(scope="session")
def result(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The result for two methods of irfuse, a function and external images. The last two have one failure each."""
    with (
        pytest.warns(BenchmarkWarning, match="external lacks 1 of 5 images: msrs_00633D"),
        pytest.warns(BenchmarkWarning, match=r"own_<b> failed on 1 of 5 pairs; the first: tno_01: ValueError: this is"),
    ):
        return run(
            folder,
            ["average", "maximum"],
            functions={"own_<b>": inverted},
            fused={"external": folder / "external"},
            metrics=METRICS,
            cache=tmp_path_factory.mktemp("cache"),
        )
