"""The command `irfuse benchmark`."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from irfuse.benchmark import plan, report
from irfuse.errors import PairError
from irfuse.io import images
from tests.conftest import Run


@pytest.fixture
def run(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `irfuse benchmark` with its own cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return partial(run, "benchmark")


def test_report(run: Run, folder: Path, tmp_path: Path) -> None:
    options = ["-k", "en, qabf", "-k", "sd", "-p", "vifb", "-j", "1", "--show", "tno_16"]
    methods = ["-m", "average", "-m", "laplacian-pyramid"]
    external = ["--fused", f"dark={folder / 'external'}"]
    status, printed, said = run(folder, "-o", tmp_path / "r", *methods, *external, *options, "--region", "5,5,20,20")
    assert status == 0, said
    assert "warning: dark lacks 1 of 5 images: msrs_00633D" in said
    lines = printed.splitlines()
    assert lines[0].split() == ["overall", "rank", "vifb"]
    assert {line.split()[0] for line in lines[1:4]} == {"average", "laplacian-pyramid", "dark"}
    assert lines[-1] == str(tmp_path / "r" / "report.html")
    assert {"vifb.tex", "vifb.md", "scores.csv"} <= {path.name for path in (tmp_path / "r").iterdir()}
    assert (tmp_path / "r" / "figures" / "sheet-tno_16.pdf").is_file()
    assert (tmp_path / "cache" / "irfuse" / "benchmark" / "fused").is_dir()


def test_folders_of_external_images(folder: Path, tmp_path: Path) -> None:
    for name in ("A", "B"):
        shutil.copytree(folder / "external", tmp_path / "external" / name)
    assert plan.external_folders(str(tmp_path / "external")) == {name: tmp_path / "external" / name for name in "AB"}
    assert plan.external_folders(str(tmp_path / "external" / "A")) == {"A": tmp_path / "external" / "A"}
    assert plan.external_folders(f"x={tmp_path}") == {"x": tmp_path}
    (tmp_path / "empty").mkdir()
    with pytest.raises(PairError, match="contains neither images nor folders"):
        plan.external_folders(str(tmp_path / "empty"))


def test_wrong_input_is_reported_in_one_line(run: Run, folder: Path, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "r")
    for arguments, message in {
        (folder, *out): "nothing to compare",
        ("nowhere", *out, "-m", "average"): "no named set of pairs (pairs-train, pairs-val, tno21,",
        (folder, *out, "-k", "en", "-m", "averag"): "did you mean 'average'?",
        (folder, *out, "-m", "average", "--region", "1,2"): "give x,y,width,height in pixels",
        (folder, *out, "-m", "average", "--show", "x"): "there is no pair 'x' to show",
        (folder, *out, "-m", "average", "--fused", "a=none"): "there is no folder none",
        (folder, *out, "--fused", "a=.", "--fused", "a=."): "two methods are named a",
    }.items():
        status, _, said = run(*arguments)
        assert (status, said.count("\n")) == (2, 1), said
        assert message in said


@pytest.mark.parametrize(("shown", "fits"), [(["--show", "a"], True), (["--show", "b"], False), ([], False)])
def test_a_region_must_lie_inside_the_pairs(
    shown: list[str], fits: bool, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if only some of the pairs are too small; nothing is fused before it is known."""
    for role in ("ir", "vis"):
        (tmp_path / role).mkdir()
        for name, width in (("a", 60), ("b", 40)):
            pixels = np.arange(32 * width, dtype=np.uint16).reshape(32, width) // 8
            images.write(tmp_path / role / f"{name}.png", pixels.astype(np.uint8))
    (tmp_path / "vis" / "c.png").write_bytes(b"not readable, so that another line names it")
    shutil.copy(tmp_path / "vis" / "c.png", tmp_path / "ir")
    monkeypatch.setattr(report, "write", lambda result, out, **more: out / "report.html")
    options = ["-m", "average", "-k", "en", "-j", "1", "--region", "30,0,30,10"]
    status, _, said = run(tmp_path, "-o", tmp_path / "r", *options, *shown)
    assert (status, "reaches beyond" in said) == ((1, False) if fits else (2, True)), said
    assert fits or "the region 30,0,30,10 reaches beyond the pair b, which is 40x32; " in said
    assert (tmp_path / "cache").exists() == fits


def test_failures_are_named_and_change_the_status(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from irfuse.methods.maximum import Maximum

    def fail(*arguments: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(Maximum, "forward", fail)
    monkeypatch.setattr(report, "write", lambda result, out, **more: out / "report.html")
    status, printed, said = run(folder, "-o", tmp_path / "r", "-m", "average", "-m", "maximum", "-k", "en", "-j", "1")
    assert status == 1
    assert said.count("failed: maximum: ") == 5
    assert "RuntimeError: out of order" in said
    assert printed.splitlines()[-1] == str(tmp_path / "r" / "report.html")
