"""A Fuser, a Model and an Evaluator work in eight threads at once, and change no state of the process."""

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch

import irfuse
from irfuse import samples
from irfuse.deploy.export import _FOLDING, export
from irfuse.deploy.runtime import Model
from irfuse.engines.base import EngineName
from irfuse.engines.choose import why_missing
from irfuse.fuser import Fuser
from irfuse.imaging.planes import Array
from irfuse.io import images

THREADS, ROUNDS = 8, 3

Call = Callable[[Array, Array], Any]


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Array, Array]]:
    """Crops of the sample pairs in several sizes, one of them with raw counts."""
    read = [(images.read(pair.ir)[100:196, 60:188], images.read(pair.vis)[100:196, 60:188]) for pair in samples.pairs()]
    ir, vis = read[0]
    raw = (ir if ir.ndim == 2 else ir[..., 0]).astype(np.uint16) * 11 + 7000
    return [*read, (raw, vis), (ir[:64], vis[:64])]


def settings() -> tuple[Any, ...]:
    """Return the state of the whole process."""
    kinds = torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
    return (
        torch.get_num_threads(),
        [kind.fp32_precision for kind in kinds],
        torch.backends.cudnn.enabled,
        torch.is_grad_enabled(),
        # The exporter of graphs adds a filter for one message of PyTorch, and imports SymPy, which adds one of its own.
        [kept for kept in warnings.filters if _FOLDING not in str(kept[1]) and "sympy" not in kept[2].__module__],
        warnings.showwarning,
    )


def in_threads(call: Call, pairs: list[tuple[Array, Array]]) -> list[list[Any]]:
    """Compute the results for all pairs in each thread. The threads start together, each with another pair."""
    start = Barrier(THREADS)

    def work(number: int) -> list[Any]:
        start.wait()
        order = [(number + k) % len(pairs) for k in range(len(pairs))] * ROUNDS
        results = {k: call(*pairs[k]) for k in order}
        return [results[k] for k in range(len(pairs))]

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(THREADS)))


@pytest.mark.parametrize("name", ["torch", "openvino", "onnx"])
def test_fuser(name: EngineName, pairs: list[tuple[Array, Array]]) -> None:
    if why_missing(name, torch.device("cpu")) is not None:
        pytest.skip("it is not installed")
    before = settings()
    fuser = Fuser("encoder-decoder", device="cpu", engine=name, precision="fp32", tile=80)
    # The threads create the engine. All of them call before it exists.
    results = in_threads(fuser, pairs)
    assert settings() == before
    expected = [fuser(*pair).tobytes() for pair in pairs]
    for of_thread in results:
        assert [image.tobytes() for image in of_thread] == expected


def test_model(pairs: list[tuple[Array, Array]], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    export("encoder-decoder", tmp_path / "fuse.onnx")
    model = Model(tmp_path / "fuse.onnx")
    before = settings()
    results = in_threads(model, pairs)
    assert settings() == before
    expected = [model(*pair).tobytes() for pair in pairs]
    for of_thread in results:
        assert [image.tobytes() for image in of_thread] == expected


def test_evaluate(pairs: list[tuple[Array, Array]]) -> None:
    before = settings()

    def scores(ir: Array, vis: Array) -> dict[str, float]:
        return irfuse.evaluate(vis, ir, vis, ["qabf", "mi", "ssim_a"], thermal=irfuse.Percentiles())

    results = in_threads(scores, pairs)
    assert settings() == before
    expected = [scores(*pair) for pair in pairs]
    assert all(of_thread == expected for of_thread in results)


@pytest.mark.slow
def test_evaluate_in_processes(pairs: list[tuple[Array, Array]]) -> None:
    """Two threads have processes of their own, and each ends only its own."""
    irs, viss = [ir for ir, _ in pairs[:3]], [vis for _, vis in pairs[:3]]

    def scores(_: int) -> list[dict[str, float]]:
        return irfuse.evaluate_batch(viss, irs, viss, ["en"], jobs=2)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(scores, range(2))
    assert first == second
