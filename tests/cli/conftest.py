import shutil
from pathlib import Path

import pytest

from irfuse import samples


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for role in ("ir", "vis"):
        shutil.copytree(samples.FOLDER / role, tmp_path / "data" / role)
    return tmp_path / "data"


def copies(pair: tuple[Path, Path], folder: Path) -> Path:
    """Copy the infrared and the visible file of a pair three times, into folders as data sets have them."""
    for role, path in zip(("ir", "vis"), pair, strict=True):
        (folder / role).mkdir(parents=True)
        for number in range(3):
            shutil.copy(path, folder / role / f"{number}{path.suffix}")
    return folder
