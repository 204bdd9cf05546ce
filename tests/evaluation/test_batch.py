from pathlib import Path

import numpy as np
import pytest

from irfuse import api, notices, samples
from irfuse.errors import ImageError, PairError, ParameterError, StoppedError, UndefinedScoreWarning
from irfuse.evaluation import batch
from irfuse.evaluation.batch import Triple
from irfuse.evaluation.evaluator import Evaluator
from irfuse.io import images

METRICS = ["en", "qcb", "ssim"]


@pytest.fixture(scope="module")
def triples() -> list[Triple]:
    return [
        Triple(f"{pair.name} {role}", getattr(pair, role), pair.ir, pair.vis)
        for pair in samples.pairs()[:3]
        for role in ("ir", "vis")
    ]


@pytest.mark.parametrize("jobs", [1, 2])
def test_scores_in_order_whatever_the_jobs(jobs: int, triples: list[Triple], tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(Path(str(triples[0].fused)).read_bytes()[:1000])
    broken = Triple("broken", tmp_path / "cut.png", triples[3].ir, triples[3].vis)
    outcomes = list(batch.run([*triples[:4], broken, *triples[4:]], Evaluator(METRICS, "vifb"), jobs=jobs))
    assert [outcome.name for outcome in outcomes] == [t.name for t in triples[:4]] + [
        "broken",
        "tno_01 ir",
        "tno_01 vis",
    ]
    assert isinstance(outcomes[4].error, ImageError)
    assert outcomes[4].scores == {}
    evaluator = Evaluator(METRICS, "vifb")
    for outcome, triple in zip([*outcomes[:4], *outcomes[5:]], triples, strict=True):
        expected = evaluator(*(images.read(str(source)) for source in (triple.fused, triple.ir, triple.vis)))
        assert outcome.scores == pytest.approx(expected, rel=1e-12)


def test_sources_are_shared_only_where_both_are_the_same(triples: list[Triple]) -> None:
    ir, vis = images.read(str(triples[0].ir)), images.read(str(triples[0].vis))
    other = np.ascontiguousarray(vis[::-1])
    mixed = [Triple("a", ir, ir, vis), Triple("b", ir, ir, other), Triple("c", ir, other[..., 0], other)]
    evaluator = Evaluator(["mse"])
    for outcome, triple in zip(batch.run(mixed, evaluator), mixed, strict=True):
        assert outcome.scores == evaluator(triple.fused, triple.ir, triple.vis)


def test_unreadable_sources_fail_all_their_images(triples: list[Triple], tmp_path: Path) -> None:
    both = [Triple(name, triples[0].fused, tmp_path / "none.png", triples[0].vis) for name in "ab"]
    outcomes = list(batch.run([*both, triples[0]], Evaluator(["en"])))
    assert [outcome.error is None for outcome in outcomes] == [False, False, True]
    assert "none.png: no such file" in str(outcomes[0].error)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_stops_all_jobs(jobs: int, triples: list[Triple]) -> None:
    outcomes = batch.run(triples * 20, Evaluator(["fmi_dct"]), jobs=jobs)
    next(outcomes)
    with pytest.raises(StoppedError):
        outcomes.throw(KeyboardInterrupt())


def test_no_jobs(triples: list[Triple]) -> None:
    with pytest.raises(ParameterError, match="jobs cannot be 0"):
        list(batch.run(triples, Evaluator(["en"]), jobs=0))


def test_evaluate_takes_paths_arrays_and_tensors() -> None:
    pair = samples.pairs()[3]
    ir, vis = images.read(pair.ir), images.read(pair.vis)
    expected = api.evaluate(pair.vis, str(pair.ir), pair.vis, METRICS)
    assert api.evaluate(vis, ir, pair.vis, METRICS) == expected
    assert api.evaluate_batch([pair.vis, ir], [ir, ir], [vis, vis], METRICS)[0] == expected
    assert api.evaluate_batch(np.stack([vis, ir]), np.stack([ir, ir]), np.stack([vis, vis]), METRICS)[0] == expected


def test_what_looks_wrong_with_a_pair_is_said_once() -> None:
    pair = samples.pairs()[3]
    vis = images.read(pair.vis)
    ir = np.full(vis.shape[:2], 90, np.uint8)
    with notices.collected() as said:
        api.evaluate_batch([pair.vis, vis, vis], [ir] * 3, [vis] * 3, ["en"])
    assert ["the infrared image is constant (90)" in str(warning) for warning in said] == [True]


def test_images_in_color_can_be_compared_without_a_doubt() -> None:
    vis = images.read(samples.pairs()[1].vis)
    colored = np.stack([vis[..., 0], vis[..., 0] // 4, 255 - vis[..., 2]], 2)
    with notices.collected() as said:
        api.evaluate(vis, colored, colored.copy(), ["mse"])
    assert said == []


def test_errors_name_the_image(tmp_path: Path) -> None:
    pair = samples.pairs()[3]
    with pytest.raises(PairError, match=rf"{pair.vis.name}.*the sizes differ: infrared \d+x\d+, fused 3x3"):
        api.evaluate(np.zeros((3, 3), np.uint8), pair.ir, pair.vis, ["en"])
    with pytest.raises(ImageError, match=r"none\.png: no such file"):
        api.evaluate(tmp_path / "none.png", pair.ir, pair.vis, ["en"])
    with pytest.raises(ParameterError, match="give as many infrared and visible images as fused ones, not 1, 2 and 1"):
        api.evaluate_batch([pair.ir], [pair.ir] * 2, [pair.vis])
    with pytest.warns(UndefinedScoreWarning, match=rf"{pair.vis.name}: scd: undefined"):
        api.evaluate(pair.vis, pair.ir, pair.vis, ["scd"])
