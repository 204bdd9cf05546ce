"""The speed tables of perf/README.md can be computed, here at a tiny size and without writing them."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "perf"


def test_methods(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    methods = importlib.import_module("methods")
    arguments = ["--method", "encoder-decoder", "--size", "32x32", "--trial", "--device", "cpu"]
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
    arguments = ["--method", "average", "--pairs", "3", "--device", "cpu", "--trial"]
    monkeypatch.setattr(sys, "argv", ["folder.py", *arguments])
    folder.main()
    printed = capsys.readouterr().out
    assert "`average` (torch, fp32),\n3 pairs" in printed
    assert "of what processor time allows" in printed


def test_training(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    training = importlib.import_module("training")
    monkeypatch.setattr(training, "WARM_UP", 1)
    monkeypatch.setattr(sys, "argv", ["training.py", "--trial", "--steps", "1", "--device", "cpu"])
    training.main()
    printed = capsys.readouterr().out
    assert printed.count("| fp32 |") == 4
    assert printed.count("| bf16 | 2 | 32 |") == 3
    assert "| res2netfuse | fp32 | 1 | 32 |" in printed


def test_a_section_replaces_the_older_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    methods = importlib.import_module("methods")
    readme = tmp_path / "README.md"
    readme.write_text("# Speed\n")
    for device, text in (("cpu", "old"), ("cuda", "other"), ("cpu", "new")):
        methods.put(readme, device, 1, text)
    said = readme.read_text()
    assert "old" not in said
    assert said.index("# Speed") < said.index("new") < said.index("other")
