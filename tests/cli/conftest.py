import shutil
from pathlib import Path

import pytest

from irfuse import samples


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for role in ("ir", "vis"):
        shutil.copytree(samples.FOLDER / role, tmp_path / "data" / role)
    return tmp_path / "data"
