"""The speed tables of perf/README.md can be made: at a tiny size, without writing them."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "perf"


def test_methods(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    methods = importlib.import_module("methods")
    for name, small in (("SIDE", 64), ("COPIED", 1 << 10), ("TURNS", 1), ("WARM_UP", 0), ("COUNTED", 0)):
        monkeypatch.setattr(methods, name, small)
    arguments = ["--method", "encoder-decoder", "--size", "32x32", "--print", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["methods.py", *arguments])
    before = (FOLDER / "README.md").read_bytes()
    methods.main()
    printed = capsys.readouterr().out
    assert "| `encoder-decoder` | 32x32 | straightforward | fp32 |" in printed
    assert "| `encoder-decoder` | 32x32 | torch | fp32 |" in printed.replace(" (auto)", "")
    assert printed.count("(auto)") == 1
    assert (FOLDER / "README.md").read_bytes() == before


def test_folder(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    folder = importlib.import_module("folder")
    monkeypatch.setattr(folder, "ALONE", 1)
    monkeypatch.setattr(folder, "ROUNDS", 1)
    monkeypatch.setattr(sys, "argv", ["folder.py", "--method", "average", "--pairs", "3", "--device", "cpu"])
    folder.main()
    printed = capsys.readouterr().out
    assert "`average` (torch, fp32),\n3 pairs" in printed
    assert "of what processor time allows" in printed


def test_a_section_replaces_the_older_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    methods = importlib.import_module("methods")
    readme = tmp_path / "README.md"
    readme.write_text("# Speed\n")
    monkeypatch.setattr(methods, "README", readme)
    for device, text in (("cpu", "old"), ("cuda", "other"), ("cpu", "new")):
        methods.put(device, 1, text)
    said = readme.read_text()
    assert "old" not in said
    assert said.index("# Speed") < said.index("new") < said.index("other")
