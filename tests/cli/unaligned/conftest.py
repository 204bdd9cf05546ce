"""Images of two cameras on a rig."""

from pathlib import Path

import pytest

from irfuse.imaging.planes import Array
from irfuse.io import images
from tests.cli.conftest import copies
from tests.registration.scenes import calibration, unaligned


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def images_of_a_rig() -> tuple[Array, Array]:
    return unaligned()


@pytest.fixture
def pair(tmp_path: Path, images_of_a_rig: tuple[Array, Array]) -> tuple[Path, Path]:
    paths = tmp_path / "ir.png", tmp_path / "vis.png"
    for path, image in zip(paths, images_of_a_rig, strict=True):
        images.write(path, image)
    return paths


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    calibration().write(tmp_path / "rig.json")
    return tmp_path / "rig.json"


@pytest.fixture
def folders(tmp_path: Path, pair: tuple[Path, Path]) -> Path:
    """Three pairs of a rig."""
    return copies(pair, tmp_path / "in")
