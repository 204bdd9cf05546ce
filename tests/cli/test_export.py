"""`irfuse export` and the files that it makes, as a user meets them."""

from pathlib import Path

import pytest

from irfuse.io.pairs import Pair
from tests.conftest import Run


def test_export_and_its_model(run: Run, tno_01: Pair, tmp_path: Path) -> None:
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package)
    file = tmp_path / "new" / "fuse.onnx"
    status, printed, _ = run("export", "encoder-decoder", "-o", file)
    assert status == 0
    assert printed.startswith(f"{file}: differs by at most ")
    pair = ("fuse", tno_01.ir, tno_01.vis, "-o", tmp_path / "f.png")
    status, _, said = run(*pair, "--model", file)
    assert (status, said) == (0, "engine: onnx, fp32: encoder-decoder in fuse.onnx\n")
    status, _, said = run(*pair, "--model", file, "--engine", "torch")
    assert (status, said) == (2, "irfuse: --model cannot be combined with --engine\n")
    # Though it is the method that there is without.
    status, _, said = run(*pair, "--model", file, "-m", "res2netfuse", "--device", "cpu")
    assert (status, said) == (2, "irfuse: --model cannot be combined with --method, --device\n")
    for path, reason in (tno_01.ir, "ONNX Runtime cannot read it"), (tmp_path, "not a file"), (Path("none"), "no such"):
        status, _, said = run(*pair, "--model", path)
        assert status == 2
        assert reason in said


def test_exports_that_cannot_be(run: Run, tmp_path: Path) -> None:
    status, _, said = run("export", "average", "-o", tmp_path / "average.onnx")
    assert (status, said) == (2, "irfuse: average cannot be exported: it has no network\n")
    status, _, said = run("export", "res2netfuse", "-o", tmp_path / "model.pt")
    assert status == 2
    assert "the name of the file must end in .onnx" in said
