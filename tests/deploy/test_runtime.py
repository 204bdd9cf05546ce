"""An exported file on arrays equals the Fuser, without PyTorch."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from irfuse import samples
from irfuse.deploy.export import export, graph
from irfuse.deploy.runtime import Model
from irfuse.errors import (
    ExportError,
    ImageError,
    MissingDependencyError,
    PairError,
    ParameterError,
    SuspiciousPairWarning,
)
from irfuse.fuser import Fuser
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.methods import build
from tests.test_torch_free import WITHOUT_TORCH, python

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SPEC = "encoder-decoder"
SIZE = (40, 50)
FLOAT32 = 1e-5


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(SPEC, tmp_path_factory.mktemp("model") / "fuse.onnx").path


def fuser(**options: Any) -> Fuser:
    return Fuser(SPEC, device="cpu", engine="torch", precision="fp32", **options)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [SIZE, (*SIZE, 1), (*SIZE, 2), (*SIZE, 3), (*SIZE, 4)])
@pytest.mark.parametrize("options", [{}, {"color": "gray"}, {"stretch": True}, {"tile": 32}])
def test_equals_the_fuser(
    dtype: type, shape: tuple[int, ...], options: dict[str, Any], file: Path, rng: np.random.Generator
) -> None:
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    ir, vis = ((rng.random(size) * top).astype(dtype) for size in (SIZE, shape))
    before = ir.copy(), vis.copy()
    fused, expected = Model(file, **options)(ir, vis), fuser(**options)(ir, vis)
    assert (fused.shape, fused.dtype) == (expected.shape, expected.dtype)
    # Integers may differ by one, where a result lies between two of them.
    step = FLOAT32 if np.dtype(dtype).kind == "f" else max(1, FLOAT32 * top)
    np.testing.assert_allclose(fused.astype(float), expected.astype(float), rtol=0, atol=step)
    np.testing.assert_array_equal(ir, before[0])
    np.testing.assert_array_equal(vis, before[1])


@pytest.mark.parametrize("thermal", [Levels(20000, 24000), Percentiles(5, 95)])
def test_thermal_levels(thermal: Levels | Percentiles, file: Path, rng: np.random.Generator) -> None:
    ir, vis = rng.integers(19000, 25000, SIZE).astype(np.uint16), rng.random(SIZE, np.float32)
    fused, expected = Model(file, thermal=thermal)(ir, vis), fuser(thermal=thermal)(ir, vis)
    np.testing.assert_allclose(fused, expected, rtol=0, atol=FLOAT32)


@pytest.mark.parametrize("name", [pair.name for pair in samples.pairs()])
def test_real_pairs(name: str, file: Path) -> None:
    pair = next(pair for pair in samples.pairs() if pair.name == name)
    sources = images.read(pair.ir), images.read(pair.vis)
    fused, expected = Model(file)(*sources), fuser()(*sources)
    difference = np.abs(fused.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


@pytest.mark.parametrize("spec", ["res2netfuse", "encoder-decoder", "attention-ensemble"])
def test_tiles_have_no_seams(spec: str, tmp_path: Path, real_batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    path = export(spec, tmp_path / "fuse.onnx").path
    ir, vis = (image[0, 0, :91, :155].numpy() for image in real_batch)
    whole = Model(path)(ir, vis)
    for tile in (32, 47):
        np.testing.assert_allclose(Model(path, tile=tile)(ir, vis), whole, rtol=0, atol=FLOAT32)


def test_without_torch(file: Path, tmp_path: Path) -> None:
    """A process that cannot import PyTorch fuses the same images as the Fuser of this one."""
    pair = samples.pairs()[0]
    command = WITHOUT_TORCH + "import irfuse.cli; irfuse.cli.main()"
    done = python(command, "fuse", "--model", str(file), str(pair.ir), str(pair.vis), "-o", str(tmp_path / "f.png"))
    assert done.returncode == 0, done.stderr
    assert f"engine: onnx, fp32: {SPEC} in {file.name}" in done.stderr
    out = tmp_path / "out"
    done = python(command, "fuse", "--model", str(file), str(samples.FOLDER), "-o", str(out))
    assert done.returncode == 0, done.stderr
    assert "5 fused" in done.stdout
    for name in [pair.name for pair in samples.pairs()]:
        pair = next(pair for pair in samples.pairs() if pair.name == name)
        expected = fuser()(images.read(pair.ir), images.read(pair.vis))
        assert np.abs(images.read(out / f"{name}.png").astype(int) - expected).max() <= 1
    np.testing.assert_array_equal(images.read(tmp_path / "f.png"), images.read(out / f"{samples.pairs()[0].name}.png"))


@pytest.mark.parametrize(
    ("ir", "vis", "error", "reason"),
    [
        (np.zeros((4, 5)), np.zeros((5, 4)), PairError, "sizes differ: infrared 5x4, visible 4x5; register"),
        (np.full((4, 4), np.nan), np.zeros((4, 4)), ImageError, "infrared: 16 values are NaN or infinite"),
        (np.zeros((4, 4)), np.full((4, 4), np.inf), ImageError, "visible: 16 values are NaN or infinite"),
        (np.zeros(4), np.zeros((4, 4)), ImageError, r"infrared: the shape \(4,\) is not"),
        (np.zeros((4, 4)), np.zeros((4, 4, 5)), ImageError, r"visible: the shape \(4, 4, 5\) is not"),
        (np.zeros((0, 4)), np.zeros((0, 4)), ImageError, "infrared: the image is empty"),
        (np.zeros((4, 4), np.int64), np.zeros((4, 4)), ImageError, "infrared: int64 images are not supported"),
        (np.zeros((4, 4)), np.zeros((4, 4), np.int16), ImageError, "visible: int16 images are not supported"),
        (np.zeros((4, 4)), np.full((4, 4), -1.0), ImageError, "visible: .* these go from -1 to -1; scale it$"),
    ],
)
def test_bad_input(ir: Any, vis: Any, error: type[Exception], reason: str, file: Path) -> None:
    for fuse in (Model(file), Fuser("average")):
        with pytest.raises(error, match=reason):
            fuse(ir, vis)


def test_swapped_pair_is_noticed(file: Path, msrs_day: Pair) -> None:
    with pytest.warns(SuspiciousPairWarning, match="swapped"):
        Model(file)(images.read(msrs_day.vis), images.read(msrs_day.ir))


def test_files_that_are_not_models(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"none\.onnx: no such file; make one with irfuse export"):
        Model(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ExportError, match=r"text\.onnx: ONNX Runtime cannot read it"):
        Model(tmp_path / "text.onnx")
    (tmp_path / "bare.onnx").write_bytes(graph(build(SPEC).eval()))
    with pytest.raises(ExportError, match=r"bare\.onnx: not a model that irfuse exported"):
        Model(tmp_path / "bare.onnx")


def test_impossible_arguments(file: Path) -> None:
    for arguments, reason in (
        ({"color": "sepia"}, "color cannot be 'sepia'; choose one of"),
        ({"tile": 0}, "tile cannot"),
    ):
        with pytest.raises(ParameterError, match=reason):
            Model(file, **arguments)


def test_missing_package(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"pip install .*\[onnx\]"):
        Model(file)
