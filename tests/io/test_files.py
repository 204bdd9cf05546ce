import os
from pathlib import Path

import pytest

from irfuse.errors import OutputError
from irfuse.io import files


def test_write_replaces_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    files.write_atomic(path, b"first, and long")
    files.write_atomic(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    files.write_atomic(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot write .*x: No space left"):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        files.write_atomic(tmp_path / "x", b"")
    finally:
        os.umask(old)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_remove_unfinished(tmp_path: Path) -> None:
    left, other = tmp_path / ".a[1].png.abc.part", tmp_path / ".b.png.abc.part"
    left.touch()
    other.touch()
    files.remove_unfinished(tmp_path, {"a[1].png", "c.png"})
    assert list(tmp_path.iterdir()) == [other]


def test_make_folder(tmp_path: Path) -> None:
    files.make_folder(tmp_path / "a" / "b")
    files.make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot create the folder"):
        files.make_folder(tmp_path / "file" / "x")


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert files.sha256(tmp_path / "x").startswith("ba7816bf8f01cfea")
