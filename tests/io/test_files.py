import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

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


def test_unfinished_files_of_running_processes_stay(tmp_path: Path) -> None:
    """Another process that starts in the same folder does not take the file that this one is writing."""
    path = tmp_path / "x.png"
    remove = "import sys; from pathlib import Path; from irfuse.io import files; "
    remove += "files.remove_unfinished(Path(sys.argv[1]), {'x.png'})"
    with files.open_atomic(path) as file:
        file.write(b"whole")
        subprocess.run([sys.executable, "-c", remove, str(tmp_path)], check=True)
        assert len(list(tmp_path.iterdir())) == 1
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_removed_before_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really_hold, held = files._hold, []

    def hold(file: BinaryIO) -> None:
        held.append(Path(file.name))
        if len(held) == 1:
            held[0].unlink()
        really_hold(file)

    monkeypatch.setattr(files, "_hold", hold)
    files.write_atomic(tmp_path / "x", b"whole")
    assert len(set(held)) == 2
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]


@pytest.mark.parametrize("name", ["a" * 251 + ".png", "像" * 83 + ".png", "a" * 200, "a" * 201])
def test_long_names(name: str, tmp_path: Path) -> None:
    files.write_atomic(tmp_path / name, b"whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    (tmp_path / f".{files._short(name)}.0123abcd.part").touch()
    files.remove_unfinished(tmp_path, {name})
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File name too long"):
        files.write_atomic(tmp_path / ("a" * 256), b"")
    assert list(tmp_path.iterdir()) == []


def test_links_and_folders(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    files.write_atomic(tmp_path / "link", b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"
    (tmp_path / "self").symlink_to("self")
    files.write_atomic(tmp_path / "self", b"whole")
    assert (tmp_path / "self").read_bytes() == b"whole"
    with pytest.raises(OutputError, match=r"^cannot write \S*: it exists and is not a regular file$"):
        files.write_atomic(tmp_path, b"")


def test_make_folder(tmp_path: Path) -> None:
    files.make_folder(tmp_path / "a" / "b")
    files.make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot create the folder"):
        files.make_folder(tmp_path / "file" / "x")


def test_the_cache_of_a_user_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files.user_cache("x") == tmp_path / "irfuse" / "x"
    monkeypatch.delenv("XDG_CACHE_HOME")

    def fail(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", fail)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert files.user_cache("x") == tmp_path / "irfuse" / "x"


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert files.sha256(tmp_path / "x").startswith("ba7816bf8f01cfea")
