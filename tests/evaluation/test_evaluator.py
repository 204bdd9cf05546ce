import math
import sys
import types
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from irfuse.errors import (
    ImageError,
    IrfuseError,
    MissingDependencyError,
    PairError,
    ParameterError,
    SuspiciousPairWarning,
    UndefinedScoreWarning,
)
from irfuse.evaluation.evaluator import Evaluator
from irfuse.imaging.levels import Levels
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.metrics import METRICS, no_reference
from irfuse.metrics.protocols import PROTOCOLS
from irfuse.metrics.protocols.base import Protocol

Triple = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]

INFO = {info.name: info for info in METRICS}
CHEAP = ["en", "mi", "qabf", "ssim", "scd", "mse"]
by_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)


@pytest.fixture(scope="module")
def triple(tno_01: Pair) -> Triple:
    ir, vis = (images.read(path)[:176, :180] for path in (tno_01.ir, tno_01.vis))
    return ((ir.astype(int) + vis + 1) // 2).astype(np.uint8), ir, vis


@pytest.fixture(scope="module")
def color_triple(msrs_day: Pair) -> Triple:
    ir, vis = images.read(msrs_day.ir), images.read(msrs_day.vis)
    return np.maximum(ir[..., None] // 2, vis), ir, vis


def test_images_are_rounded_to_8_bits(triple: Triple) -> None:
    evaluate = Evaluator(CHEAP)
    expected = evaluate(*triple)
    assert evaluate(*(image.astype(np.uint16) * 257 + 60 for image in triple)) == expected
    assert evaluate(*(image / np.float32(255) for image in triple)) == expected
    assert evaluate(*(torch.from_numpy(image)[None] for image in triple)) == expected
    with_alpha = [np.stack([image, np.full_like(image, 7)], axis=2) for image in triple]
    assert evaluate(*with_alpha) == expected


def test_raw_thermal_counts(triple: Triple) -> None:
    fused, ir, vis = triple
    counts = (20000 + 4 * ir.astype(int)).astype(np.uint16)
    with pytest.warns(SuspiciousPairWarning, match="uses 700 of 65535 levels.*give thermal levels"):
        Evaluator(["en"])(fused, counts, vis)
    scores = Evaluator(CHEAP, thermal=Levels(20000, 20000 + 4 * 255))(fused, counts, vis)
    assert scores == Evaluator(CHEAP)(*triple)


def test_color_by_luma_or_by_planes(color_triple: Triple) -> None:
    fused, ir, vis = color_triple
    luma = [
        np.rint(image @ [0.299, 0.587, 0.114]).astype(np.uint8) if image.ndim == 3 else image for image in color_triple
    ]
    assert Evaluator(CHEAP)(*color_triple) == pytest.approx(Evaluator(CHEAP)(*luma))
    names = ["en", "qabf", "ssim"]
    planes = [Evaluator(names, "vifb")(fused[..., k], ir, vis[..., k]) for k in range(3)]
    means = {name: np.mean([scores[name] for scores in planes]) for name in names}
    assert Evaluator(names, "vifb")(*color_triple) == pytest.approx(means)


def test_one_color_image_makes_the_triple_color(color_triple: Triple) -> None:
    fused, ir, vis = color_triple
    gray = np.ascontiguousarray(vis[..., 1])
    expected = np.mean([Evaluator(["ag"], "vifb")(fused[..., k], ir, gray)["ag"] for k in range(3)])
    assert Evaluator(["ag"], "vifb")(fused, ir, gray)["ag"] == pytest.approx(expected)


def test_planes_together(color_triple: Triple) -> None:
    fused = color_triple[0].astype(float)
    beside = np.concatenate([fused[..., 0], fused[..., 1], fused[..., 2]], axis=1)
    squares = (np.diff(beside, axis=0) ** 2).sum() + (np.diff(beside, axis=1) ** 2).sum()
    scores = Evaluator(["sf"], "vifb")(*color_triple)
    assert scores["sf"] == pytest.approx(math.sqrt(squares / beside.size))


def test_many_fused_images_of_one_pair(triple: Triple) -> None:
    fused, ir, vis = triple
    evaluator = Evaluator()
    sources = evaluator.sources(ir, vis)
    others = [fused, np.maximum(ir, vis), fused]
    assert [sources.score(image) for image in others] == [evaluator(image, ir, vis) for image in others]


@by_protocol
def test_sharing_changes_nothing(protocol: Protocol, triple: Triple) -> None:
    planes = [torch.from_numpy(image / 255)[None, None] for image in triple]
    unshared = {name: float(reading.function(*planes)) for name, reading in protocol.readings.items()}
    assert Evaluator(None, protocol.name)(*triple) == unshared


@by_protocol
def test_smallest_images(protocol: Protocol, rng: np.random.Generator) -> None:
    for name, reading in protocol.readings.items():
        side = reading.minimum or INFO[name].minimum
        smallest = rng.integers(0, 256, (3, side, side + 2)).astype(np.uint8)
        evaluator = Evaluator([name], protocol.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedScoreWarning)
            evaluator(*smallest)
        if side > 1:
            message = f"the smaller side has {side - 1} pixels, and {name} needs {side}x{side}: name the metrics"
            with pytest.raises(ImageError, match=message):
                evaluator(*smallest[:, 1:])


@by_protocol
@pytest.mark.parametrize("constant", [(0,), (1,), (2,), (1, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("level", [0, 100])
def test_constant_images(protocol: Protocol, constant: tuple[int, ...], level: int, triple: Triple) -> None:
    images_ = [np.full_like(image, level) if k in constant else image for k, image in enumerate(triple)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scores = Evaluator(None, protocol.name)(*images_)
    # That the infrared image is constant is said, too, unless both sources are the same image.
    doubted = [one for one in caught if one.category is SuspiciousPairWarning]
    assert len(doubted) == (1 in constant and 2 not in constant)
    caught = [one for one in caught if one not in doubted]
    undefined = [name for name, score in scores.items() if math.isnan(score)]
    assert all(math.isfinite(score) for name, score in scores.items() if name not in {*undefined, "psnr"})
    assert len(caught) == bool(undefined)
    if undefined:
        assert str(caught[0].message).startswith(f"{', '.join(undefined)}: undefined: the ")
        assert "constant" in str(caught[0].message)


def test_right_limits_of_constant_images(triple: Triple) -> None:
    constant = np.full_like(triple[0], 100)
    names = ["en", "mi", "ag", "sf", "ssim_a", "q", "mse", "psnr"]
    expected = {"en": 0, "mi": 0, "ag": 0, "sf": 0, "ssim_a": 1, "q": 1, "mse": 0, "psnr": math.inf}
    assert Evaluator(names)(constant, constant, constant) == pytest.approx(expected)


def test_a_copied_source_has_no_scd(triple: Triple) -> None:
    _, ir, vis = triple
    with pytest.warns(UndefinedScoreWarning, match="scd: undefined: the fused image equals the visible image"):
        assert math.isnan(Evaluator(["scd"])(vis, ir, vis)["scd"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda f, i, v: (f, i[1:], v), PairError, "infrared 180x175, visible 180x176"),
        (lambda f, i, v: (f[:, 1:], i, v), PairError, "infrared 180x176, fused 179x176"),
        (lambda f, i, v: (f[:0], i, v), ImageError, r"fused: the image is empty, its shape is \(0, 180\)"),
        (lambda f, i, v: (f, i, v[None, None]), ImageError, r"visible: the shape \(1, 1, \d+, \d+\) is not"),
        (lambda f, i, v: (np.where(f < 100, np.nan, 0.5), i, v), ImageError, r"fused: \d+ values are NaN"),
        (
            lambda f, i, v: (f, i * 1.0, v),
            ImageError,
            r"infrared: floating-point values must lie in \[0, 1\], .* thermal",
        ),
        (lambda f, i, v: (f.tolist(), i, v), ImageError, "fused: an array or a tensor is needed, not list"),
        (lambda f, i, v: (f, i, v.astype(np.int32)), ImageError, "visible: int32 images are not supported"),
    ],
)
def test_bad_input(change: object, error: type[IrfuseError], message: str, triple: Triple) -> None:
    with pytest.raises(error, match=message):
        Evaluator(["en"])(*change(*triple))


@pytest.mark.parametrize(
    ("metrics", "protocol", "message"),
    [
        (["en"], "mine", r"unknown protocol 'mine' \(protocols: canonical, vifb"),
        (["en", "nonsense"], "canonical", r"unknown metric 'nonsense' \(metrics: en, ce"),
        (["EN"], "canonical", r"unknown metric 'EN'; did you mean 'en'\? \(metrics: en, ce"),
        (["fmi_pixel"], "li", r"'fmi_pixel' is not defined by the protocol li \(metrics: en, mi"),
        ([], "li", "no metric is named"),
        ("en", "li", r"a list of names is needed, such as \['en'\]"),
    ],
)
def test_unknown_metrics_and_protocols(metrics: list[str], protocol: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Evaluator(metrics, protocol)


class StandIn(types.ModuleType):
    """A substitute for pyiqa with two metrics, one without a reference and one with."""

    @staticmethod
    def create_metric(name: str, device: torch.device) -> object:
        if name not in ("paq2piq", "lpips"):
            raise ValueError(f"no metric {name}")

        def metric(image: torch.Tensor) -> torch.Tensor:
            assert image.shape[1] == 3
            assert image.dtype == torch.float32
            return image.mean()[None]

        metric.metric_mode = "NR" if name == "paq2piq" else "FR"
        return metric


@pytest.fixture
def pyiqa(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "pyiqa", StandIn("pyiqa"))
    yield
    no_reference.load.cache_clear()


@pytest.mark.usefixtures("pyiqa")
def test_no_reference_metrics(color_triple: Triple, triple: Triple) -> None:
    scores = Evaluator(["pyiqa:paq2piq", "en"])(*color_triple)
    assert list(scores) == ["pyiqa:paq2piq", "en"]
    assert scores["pyiqa:paq2piq"] == pytest.approx(color_triple[0].mean() / 255)
    assert Evaluator(["pyiqa:paq2piq"], "vifb")(*triple)["pyiqa:paq2piq"] == pytest.approx(triple[0].mean() / 255)
    with pytest.raises(ParameterError, match="pyiqa:lpips needs a reference"):
        Evaluator(["pyiqa:lpips"])
    with pytest.raises(ParameterError, match="pyiqa cannot make 'x'"):
        Evaluator(["pyiqa:x"])


def test_no_reference_metrics_without_pyiqa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(MissingDependencyError, match="pip install pyiqa"):
        Evaluator(["pyiqa:paq2piq"])


@pytest.mark.gpu
@by_protocol
def test_on_a_gpu(protocol: Protocol, triple: Triple, gpu: torch.device) -> None:
    on_cpu, on_gpu = Evaluator(None, protocol.name)(*triple), Evaluator(None, protocol.name, device=str(gpu))(*triple)
    for name, score in on_cpu.items():
        # Scores that depend on rounding may differ by the tolerance of the reading.
        assert on_gpu[name] == pytest.approx(score, rel=protocol.readings[name].tolerance, abs=1e-9), name
