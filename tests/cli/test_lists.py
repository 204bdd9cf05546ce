"""`irfuse methods`, `weights` and `info`, as a user meets them."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from irfuse import __version__
from irfuse.methods import METHODS
from irfuse.weights import fetch
from tests.conftest import Run


@pytest.fixture
def no_backbones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without the weights of any backbone."""
    monkeypatch.delenv("IRFUSE_WEIGHTS", raising=False)
    # Both, so that not even broken code comes near the real cache.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.mark.usefixtures("no_backbones")
def test_lists(run: Run) -> None:
    assert run("--version")[1].strip() == __version__
    status, printed, _ = run("methods")
    assert status == 0
    for word in ("res2netfuse", "arXiv:2112.14540", "strategy=l1-norm|mean|average", "laplacian-pyramid"):
        assert word in printed
    status, printed, _ = run("weights", "list")
    assert status == 0
    assert "single-v1" in printed
    assert run("weights", "verify")[0] == 0
    status, printed, _ = run("weights", "path", "res2netfuse", "single")
    assert Path(printed.strip()).is_file()
    status, _, complaints = run("weights", "path", "res2netfuse")
    assert status == 2
    assert "res2netfuse: the name of the weights is missing; known names: single, many" in complaints


@pytest.mark.usefixtures("no_backbones")
@pytest.mark.parametrize(
    "command",
    [
        ("info",),
        ("methods",),
        ("metrics",),
        ("protocols",),
        ("protocols", "liu"),
        ("weights", "list"),
        ("datasets",),
        ("datasets", "vifb", "tno21"),
    ],
)
def test_lists_as_json(command: tuple[str, ...], run: Run) -> None:
    status, printed, said = run(*command, "--json")
    assert (status, said) == (0, "")
    assert json.loads(printed)


def test_json_holds_what_the_lists_show(run: Run) -> None:
    def listed(*command: str) -> Any:
        return json.loads(run(*command, "--json")[1])

    res2netfuse = next(method for method in listed("methods") if method["name"] == "res2netfuse")
    assert res2netfuse["arxiv"] == "2112.14540"
    assert res2netfuse["parameters"]["strategy"]["default"] == "l1-norm"
    metrics = {metric["name"]: metric for metric in listed("metrics")}
    assert metrics["en"]["direction"] == "higher"
    assert metrics["psnr"]["range"][1] is None
    assert "liu" in metrics["qp"]["protocols"]
    assert "qp" in listed("protocols", "liu")["metrics"]
    assert listed("weights", "list")["weights"][0]["sha256"]
    facts = listed("info")
    assert facts["irfuse"] == __version__
    assert facts["engines"]["torch"] == {"installed": True, "missing": None}
    assert facts["methods"]["average"]["engine"] == "torch"


@pytest.mark.usefixtures("no_backbones")
@pytest.mark.parametrize("command", ["methods", "metrics", "protocols", "info", "weights list", "datasets"])
def test_no_cell_is_wrapped_in_a_pipe(command: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(columns: int) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        return run(*command.split())[1]

    assert listed(40) == listed(1000)


def test_completion_is_offered(run: Run) -> None:
    assert "--install-completion" in run("--help")[1]


@pytest.mark.usefixtures("no_backbones")
def test_weights_of_backbones(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = tuple(replace(file, sha256=hashlib.sha256(b"x").hexdigest()) for file in fetch.backbone_files())
    monkeypatch.setattr(fetch, "backbone_files", lambda: known)
    mirror, kept = tmp_path / "resnet101-63fe2227.pth", tmp_path / "torch/hub/checkpoints/resnet101-63fe2227.pth"
    mirror.write_bytes(b"x")
    listed = " ".join(run("weights", "list")[1].split())
    assert "resnet101-63fe2227.pth BSD-3-Clause not on this machine: irfuse weights fetch resnet101" in listed
    assert run("weights", "path", "resnet101")[0] == 2
    for _ in range(2):
        assert run("weights", "fetch", "resnet101", "--mirror", tmp_path.as_uri())[:2] == (0, f"{kept}\n")
        mirror.unlink(missing_ok=True)
    assert run("weights", "path", "resnet101")[:2] == (0, f"{kept}\n")
    assert str(kept) in "".join(run("weights", "list")[1].split())
    assert f"{kept}: OK" in run("weights", "verify")[1]
    kept.write_bytes(b"y")
    shutil.copy(kept, kept.with_name("resnet50-0676ba61.pth"))
    kept.with_name("resnet152-394f9c45.pth").write_bytes(b"x")
    status, printed, complaints = run("weights", "verify")
    assert (status, complaints.count("\n")) == (2, 2)
    assert f"{kept}: wrong SHA-256" in complaints
    assert "resnet50-0676ba61.pth: wrong SHA-256" in complaints
    assert "resnet152-394f9c45.pth: OK" in printed
    kept.with_name("resnet152-394f9c45.pth").unlink()
    status, _, complaints = run("weights", "fetch", "resnet152", "--mirror", tmp_path.as_uri())
    assert (status, complaints.count("\n")) == (2, 1)
    assert "resnet152-394f9c45.pth cannot be fetched: No such file or directory" in complaints


def test_info(run: Run) -> None:
    status, printed, _ = run("info", "--device", "cpu")
    assert status == 0
    assert "device: cpu, " in printed
    assert "engine torch: installed" in printed
    for method in METHODS:
        assert f"\n{method.info.name} " in printed
    assert "it optimizes each pair" in printed
