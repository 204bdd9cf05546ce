"""Every script and speed measurement can be imported without side effects, and the README of its folder names it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "scripts").glob("*.py"), *(ROOT / "perf").glob("*.py")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_import_does_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(path.parent))
    monkeypatch.delenv("IRFUSE_DATA", raising=False)
    spec = importlib.util.spec_from_file_location(f"imported_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look up their module.
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    assert module.__doc__
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").glob("*.*")), ids=lambda path: path.name)
def test_the_readme_names_every_script(path: Path) -> None:
    assert path.name in (ROOT / "scripts" / "README.md").read_text(encoding="utf-8") or path.name == "README.md"


def test_the_gpu_script_can_be_parsed() -> None:
    done = subprocess.run(["bash", "-n", ROOT / "scripts" / "on_gpu.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
