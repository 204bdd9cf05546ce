"""The size and the contents of the package."""

import zlib
from pathlib import Path

import irfuse

ROOT = Path(irfuse.__file__).parent


def test_the_wheel_stays_below_12_mb() -> None:
    """A wheel is a ZIP file, which compresses each file of the package."""
    files = (path for path in ROOT.rglob("*") if path.is_file() and path.suffix != ".pyc")
    assert sum(len(zlib.compress(path.read_bytes())) for path in files) < 12e6


def test_types_are_shipped() -> None:
    assert (ROOT / "py.typed").is_file()


def test_public_names() -> None:
    assert set(irfuse.__all__) <= set(dir(irfuse))
    assert {"Evaluator", "Fuser", "Model", "evaluate", "fuse"} <= set(irfuse.__all__)
    for name in irfuse.__all__:
        assert getattr(irfuse, name).__doc__


def test_the_older_name_of_the_runtime() -> None:
    assert irfuse.runtime.Model is irfuse.Model
