"""Methods in the user's Python files."""

from pathlib import Path

import numpy as np
import pytest
import torch

from irfuse import benchmark, samples
from irfuse.deploy.export import facts
from irfuse.engines.choose import choose
from irfuse.errors import BenchmarkWarning, ParameterError, SpecError
from irfuse.fuser import Fuser
from irfuse.io import images
from irfuse.io.files import sha256
from irfuse.methods import build, code_digest, find, shortest
from irfuse.methods.base import Method
from irfuse.weights import find as find_weights
from tests.conftest import Run

SOURCE = """
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from irfuse.methods.base import Method, MethodInfo
from irfuse.methods.res2netfuse import Res2NetFuse


@dataclass
class Settings:
    share: float


class Mine(Method):
    info = MethodInfo(name="mine", title="The weighted mean", tiling="halo")

    def __init__(self, *, share: float = 0.5, source: Literal["ir", "vis"] = "ir") -> None:
        super().__init__()
        self.settings = Settings(share if source == "vis" else 1 - share)

    def forward(self, ir, vis, statistics=None):
        return torch.lerp(ir, vis, self.settings.share)


class Network(Res2NetFuse):
    pass


class Bare(Method):
    pass


class Positional(Method):
    info = Mine.info

    def __init__(self, share: float) -> None:
        super().__init__()


class Untyped(Method):
    info = Mine.info

    def __init__(self, *, share=0.5) -> None:
        super().__init__()


class Optional(Method):
    info = Mine.info

    def __init__(self, *, share: float | None = None) -> None:
        super().__init__()


class Unknown(Method):
    info = Mine.info

    def __init__(self, *, share: Nowhere = 1) -> None:
        super().__init__()


class Unlucky(Mine):
    def __init__(self) -> None:
        raise RuntimeError("no\\nluck")


number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.filterwarnings("ignore:the infrared image is constant")
def test_build(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ir, vis = np.full((20, 30), 100, np.uint8), np.full((20, 30), 200, np.uint8)
    assert (Fuser(f"{file}:Mine", device="cpu")(ir, vis) == 150).all()
    fuser = Fuser(f"{file}:Mine:share=0.25,source=vis", device="cpu")
    assert (fuser(ir, vis) == 125).all()
    assert str(fuser.choice) == "torch, fp32: it has no network"
    monkeypatch.chdir(file.parent)
    assert (Fuser("my.py:Mine:share=1", device="cpu")(ir, vis) == 100).all()
    assert find("my.py:Mine") is find(f"{file}:Mine")


def test_a_changed_file_is_run_again(file: Path) -> None:
    first = find(f"{file}:Mine")
    assert find(f"{file}:Mine") is first
    digest = code_digest(first)
    assert digest == sha256(file)
    file.write_text(SOURCE.replace("The weighted mean", "Another title"))
    assert find(f"{file}:Mine").info.title == "Another title"
    assert code_digest(find(f"{file}:Mine")) != digest


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("none.py:Mine", "none.py: the file cannot be read: No such file or directory"),
        (".py:Mine", ".py: the file cannot be read"),
        ("my.py", "'my.py' names no class; write my.py:CLASS"),
        ("my.py:Yours", "my.py: there is no class 'Yours' in this file"),
        ("my.py:number", "my.py: number is not a subclass of irfuse.methods.base.Method"),
        ("my.py:Settings", "my.py: Settings is not a subclass"),
        ("my.py:Bare", "my.py: Bare has no info; set info = MethodInfo(name=..., title=...) in the class"),
        ("my.py:Positional", "the argument share of the constructor must be keyword-only and have a default"),
        ("my.py:Untyped", "the argument share of the constructor must have a type"),
        ("my.py:Optional", "share cannot be of type float | None; use Literal"),
        ("my.py:Unknown", "cannot be read: name 'Nowhere' is not defined"),
        ("my.py:Unlucky", "my.py:Unlucky cannot be built: RuntimeError: no luck"),
        ("my.py:Mine:share=much", "mine: share cannot be 'much'; it must be of type float"),
        ("my.py:Mine:source=both", "mine: source cannot be 'both'; choose one of ir, vis"),
        ("my.py:Mine:width=3", "mine has no parameter 'width'; its parameters: share, source"),
        ("broken.py:Mine", "broken.py, line 2: ZeroDivisionError: division by zero"),
        ("deep.py:Mine", "deep.py, line 4: KeyError: 'x'"),
        ("syntax.py:Mine", "syntax.py, line 1: SyntaxError: '(' was never closed"),
        ("leaves.py:Mine", "leaves.py, line 1: SystemExit: 3"),
    ],
)
def test_refusals(file: Path, spec: str, reason: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    Path("broken.py").write_text("\n1 / 0\n")
    Path("deep.py").write_text("import json\n\n\njson.loads('{}')['x']\n")
    Path("syntax.py").write_text("x = (\n")
    Path("leaves.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(SpecError) as caught:
        build(spec)
    assert reason in str(caught.value)
    pair = samples.pairs()[0]
    status, printed, said = run("fuse", "-m", spec, pair.ir, pair.vis, "-o", "fused.png")
    assert (status, printed, said.count("\n")) == (2, "", 1)
    assert reason in said


def test_an_object_without_info() -> None:
    class Nameless(Method):
        pass

    with pytest.raises(ParameterError, match="Nameless has no info; set info = MethodInfo"):
        Fuser(Nameless())


def test_engines(file: Path) -> None:
    """Measurements of irfuse's methods do not apply to other methods, even with the same name."""
    spec = f"{file}:Network"
    choice = choose(find(spec), spec, torch.device("cpu"))
    assert (choice.engine, choice.precision) == ("torch", "fp32")
    assert shortest(f"{spec}:strategy=l1-norm,weights=single-v1") == spec


def test_facts(file: Path) -> None:
    spec = f"{file}:Network"
    found = facts(build(spec), spec)
    assert (found["method"], found["code_digest"]) == ("res2netfuse", sha256(file))
    assert found["weights_sha256"] == sha256(find_weights("res2netfuse", "single"))
    assert facts(build("res2netfuse"), "res2netfuse")["code_digest"] == ""


def test_benchmark_knows_the_code(file: Path, tmp_path: Path) -> None:
    pairs, spec, cache = samples.pairs()[2:3], f"{file}:Mine:share=0.3", tmp_path / "cache"

    def fused_again() -> tuple[int, int]:
        result = benchmark.run(pairs, [spec], metrics=["en"], cache=cache)
        assert (result.methods, result.failures) == ((spec,), ())
        return result.shares.fused_again, int(images.read(result.fused[spec, pairs[0].name])[0, 0])

    first = fused_again()
    assert fused_again() == (1, first[1])
    file.write_text(SOURCE.replace("torch.lerp(ir, vis, self.settings.share)", "ir * 0"))
    assert fused_again() == (0, 0)


def test_benchmark_notices_code_that_changes_meanwhile(file: Path, tmp_path: Path) -> None:
    spec = f"{file}:Mine"

    def change(done: int, total: int | None, note: str) -> None:
        file.write_text(SOURCE + "# changed\n")

    with pytest.warns(BenchmarkWarning, match="failed on 1 of 1 pairs"):
        found = benchmark.run(
            samples.pairs()[2:3], ["average", spec], metrics=["en"], cache=tmp_path / "cache", on_fuse=change
        )
    assert [(failure.method, failure.reason) for failure in found.failures] == [
        (spec, f"the code of {spec} has changed since this run began; run it again")
    ]


def test_commands(file: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(file.parent)
    data = samples.FOLDER
    status, printed, said = run("fuse", data, "-o", "out", "-m", "my.py:Mine")
    assert (status, printed) == (0, "5 fused: out\n")
    assert said == "engine: torch, fp32: it has no network\n"
    status, printed, _ = run("benchmark", data, "-o", "report", "-m", "my.py:Mine", "-m", "average", "-k", "en")
    assert status == 0
    assert {line.split()[0] for line in printed.splitlines()[1:3]} == {"my.py:Mine", "average"}
    assert "my.py:Mine,tno_01,canonical,en," in Path("report/scores.csv").read_text()
    status, _, said = run("export", "my.py:Mine", "-o", "x.onnx")
    assert (status, said) == (2, "irfuse: mine cannot be exported: it has no network\n")
