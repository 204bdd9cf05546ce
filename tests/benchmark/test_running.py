import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest import MonkeyPatch

from irfuse import api, benchmark, datasets
from irfuse.benchmark import Result, cache, fusing, plan, running, scoring
from irfuse.errors import (
    BenchmarkError,
    BenchmarkWarning,
    OutputError,
    PairError,
    ParameterError,
    SpecError,
    StoppedError,
)
from irfuse.fuser import Fuser
from irfuse.imaging.levels import DEFAULT_THERMAL, Levels
from irfuse.io import images
from irfuse.io.files import sha256
from irfuse.io.images import Array, Content
from irfuse.io.pairs import Pair
from irfuse.methods import build
from irfuse.metrics import protocols
from irfuse.progress import silent

from .conftest import METRICS, inverted


def test_scores_are_those_of_evaluate(result: Result, folder: Path) -> None:
    assert list(result.scores.columns) == ["method", "pair", "protocol", "metric", "value", "trained"]
    assert (result.methods, len(result.pairs)) == (("average", "maximum", "own_<b>", "external"), 5)
    assert (result.protocols, result.metrics("canonical")) == (["canonical"], METRICS)
    pair = result.pairs[1]
    ir, vis = images.read(pair.ir), images.read(pair.vis)
    expected = {
        "average": Fuser("average")(ir, vis),
        "own_<b>": inverted(ir, vis),
        "external": images.read(folder / "external" / f"{pair.name}.png"),
    }
    for method, fused in expected.items():
        for metric, value in api.evaluate(fused, ir, vis, METRICS).items():
            assert result.table("canonical", metric).loc[pair.name, method] == pytest.approx(value, rel=1e-12)


def test_failures_are_named(result: Result) -> None:
    assert [(failure.method, failure.pair, failure.reason) for failure in result.failures] == [
        ("own_<b>", "tno_01", "ValueError: this is TNO 01"),
    ]
    assert result.remarks == ("external lacks 1 of 5 images: msrs_00633D",)
    table = result.table("canonical", "en")
    assert table.isna().sum().sum() == 2
    assert math.isnan(table.loc["tno_01", "own_<b>"])
    assert list(table.index) == [pair.name for pair in result.pairs]


def test_costs(result: Result) -> None:
    costs = result.costs.set_index("method")
    assert list(costs["kind"]) == ["method", "method", "function", "external"]
    assert list(costs["timed"]) == [4, 4, 3, 0]
    assert costs.loc["average", "seconds"] > 0
    assert costs.loc["average", "parameters"] == 0
    assert math.isnan(costs.loc["external", "seconds"])
    assert math.isnan(costs.loc["own_<b>", "parameters"])


def test_operations_and_parameters_of_a_network(folder: Path, tmp_path: Path) -> None:
    found = benchmark.run(folder, ["res2netfuse"], metrics=["en"], cache=tmp_path)
    row = found.costs.iloc[0]
    assert row["parameters"] == 101217
    # At least two multiplications and additions per weight, pixel and encoded source.
    assert row["operations"] > 2 * 101217 * 64 * 80
    assert row["size"] == "80x64"


def test_operations_without_the_pair_that_counted_them(folder: Path, tmp_path: Path) -> None:
    pairs = datasets.pairs(str(folder)).pairs

    def row(first: int) -> tuple[Result, Any]:
        found = benchmark.run(pairs[first:], ["average", "res2netfuse"], metrics=["en"], cache=tmp_path)
        return found, found.costs.set_index("method").loc["res2netfuse"]

    _, whole = row(0)
    rest, part = row(1)
    # All pairs are of one size.
    assert part["operations"] == whole["operations"] > 0
    assert part["size"] == whole["size"]
    # One pair of each method was fused again, and its time is that of the former call.
    assert (rest.shares.fused_again, part["timed"]) == (6, 4)
    again, same = row(1)
    assert again.shares.fused_again == 8
    assert same.equals(part)


def test_what_is_installed_changes_nothing(folder: Path, tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    made = []

    def fuser(*arguments: Any, **more: Any) -> Fuser:
        made.append(Fuser(*arguments, **more))
        return made[-1]

    monkeypatch.setattr(fusing, "Fuser", fuser)
    found = benchmark.run(folder, ["encoder-decoder", "average"], metrics=["en"], cache=tmp_path)
    assert [str(one.choice) for one in made] == ["torch, fp32: as requested", "torch, fp32: it has no network"]
    assert found.settings["engine"] == "torch in fp32"
    pair = found.pairs[0]
    expected = Fuser(build("encoder-decoder"))(images.read(pair.ir), images.read(pair.vis))
    np.testing.assert_array_equal(images.read(found.fused["encoder-decoder", pair.name]), expected)


def test_earlier_results_are_reused(folder: Path, tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    first = benchmark.run(folder, ["average"], metrics=["en"], cache=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(fusing, "Fuser", None)
        patch.setattr(scoring.batch, "load", None)
        second = benchmark.run(folder, ["average"], metrics=["en"], cache=tmp_path)
    assert second.scores.equals(first.scores)
    assert second.costs.equals(first.costs)
    assert (second.shares.fused_again, second.shares.scored_again, second.shares.fusing) == (5, 5, 0)
    assert (first.shares.fused_again, first.shares.scored_again) == (0, 0)
    assert first.shares.fusing > 0
    more = benchmark.run(folder, ["average"], metrics=["en", "sd"], cache=tmp_path)
    assert more.metrics("canonical") == ["en", "sd"]
    stretched = benchmark.run(folder, ["average"], metrics=["en"], stretch=True, cache=tmp_path)
    assert stretched.shares.fused_again == 0
    assert not stretched.scores.equals(first.scores)


def test_damaged_images_are_recomputed(folder: Path, tmp_path: Path) -> None:
    first = benchmark.run(folder, ["average"], metrics=["en"], cache=tmp_path)
    damaged = first.fused["average", "tno_01"]
    damaged.write_bytes(damaged.read_bytes()[:100])
    second = benchmark.run(folder, ["average"], metrics=["en"], cache=tmp_path)
    assert second.shares.fused_again == 4
    assert second.scores.equals(first.scores)


def test_equal_images_are_scored_once(folder: Path, tmp_path: Path) -> None:
    def visible(ir: Array, vis: Array) -> Array:
        return vis

    found = benchmark.run(folder, functions={"a": visible, "b": visible}, metrics=["en"], cache=tmp_path)
    assert len(found.scores) == 10
    assert len(list((tmp_path / "scores").rglob("*.json"))) == 5


SLOW = """
import sys, time
from irfuse import benchmark, datasets
from irfuse.fuser import Fuser
call = Fuser.__call__
def slow(self, ir, vis):
    print("fusing", flush=True)
    time.sleep(0.2)
    return call(self, ir, vis)
Fuser.__call__ = slow
result = benchmark.run(sys.argv[1], ["average", "maximum"], metrics=["en"], cache=sys.argv[2])
print(result.shares.fused_again, len(result.scores))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_a_killed_run_resumes(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SLOW, str(folder), str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(4):
        assert process.stdout.readline() == "fusing\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    found = benchmark.run(folder, ["average", "maximum"], metrics=["en"], cache=tmp_path)
    # Three are certainly complete. The fourth was being computed.
    assert found.shares.fused_again in (3, 4)
    assert (len(found.scores), found.failures) == (10, ())


def test_an_interrupt_loses_nothing(folder: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int, note: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(StoppedError, match="run the same again to continue"):
        benchmark.run(folder, ["average"], metrics=["en"], cache=tmp_path, on_fuse=stop)
    assert benchmark.run(folder, ["average"], metrics=["en"], cache=tmp_path).shares.fused_again == 3


def test_progress(folder: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int, str]] = []
    benchmark.run(
        folder,
        ["average", "maximum"],
        metrics=["en"],
        cache=tmp_path,
        on_fuse=lambda *step: steps.append(("fuse", *step)),
        on_score=lambda *step: steps.append(("score", *step)),
    )
    assert steps[0] == ("fuse", 1, 10, "average: msrs_00633D")
    assert [step[:3] for step in steps[9:11]] == [("fuse", 10, 10), ("score", 1, 10)]
    assert steps[-1][:3] == ("score", 10, 10)
    with pytest.warns(BenchmarkWarning, match="external lacks"):
        benchmark.run(
            folder,
            fused={"external": folder / "external"},
            metrics=["en"],
            cache=tmp_path,
            on_fuse=lambda *step: steps.append(("fuse", *step)),
        )
    assert steps[-1][:3] == ("fuse", 4, 4)


def test_several_protocols(folder: Path, tmp_path: Path) -> None:
    found = benchmark.run(folder, ["average"], metrics=["qabf", "en"], protocols=["canonical", "vifb"], cache=tmp_path)
    assert found.protocols == ["canonical", "vifb"]
    assert len(found.scores) == 20
    again = benchmark.run(folder, ["average"], metrics=["en"], protocols=["vifb"], cache=tmp_path)
    assert again.table("vifb", "en").equals(found.table("vifb", "en"))


def test_pairs_that_weights_know_are_marked(folder: Path, tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    known, validated = ([{"sha256": sha256(folder / "vis" / f"{name}.png")}] for name in ("tno_01", "tno_12"))
    header: dict[str, Any] = {"method": "res2netfuse", "images": known, "validation": validated}
    monkeypatch.setattr(plan.weights, "header", lambda path: header)
    spec = "res2netfuse:strategy=mean"
    with pytest.warns(BenchmarkWarning) as said:
        found = benchmark.run(folder, [spec, "average"], metrics=["en"], cache=tmp_path)
    assert [str(warning.message) for warning in said] == [
        f"{spec} was trained on 1 of the 5 pairs: tno_01",
        f"{spec} was validated on 1 of the 5 pairs: tno_12",
    ]
    assert found.trained() == {(spec, "tno_01")}
    # The weights that a training started from know their images, too.
    header["images"], header["init"] = [], {"images": known}
    with pytest.warns(BenchmarkWarning):
        assert benchmark.run(folder, [spec], metrics=["en"], cache=tmp_path).trained() == {(spec, "tno_01")}
    # Headers can also contain switches of a network.
    header["switch"] = True
    with pytest.warns(BenchmarkWarning):
        assert benchmark.run(folder, [spec], metrics=["en"], cache=tmp_path).shares.fused_again == 0


def test_the_key_depends_on_everything_that_changes_an_image(
    folder: Path, tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    def used_again(**settings: Any) -> int:
        found = benchmark.run(folder, ["average"], metrics=["en"], cache=tmp_path, **settings)
        return found.shares.fused_again

    assert used_again() == 0
    assert used_again() == 5
    assert used_again(thermal=Levels(10, 200)) == 0
    monkeypatch.setattr(fusing, "machine", lambda device: "another machine")
    assert used_again() == 0
    monkeypatch.setattr(fusing, "__version__", "99")
    assert used_again() == 0


def test_functions_with_one_name_do_not_share_images(folder: Path, tmp_path: Path) -> None:
    first, second = (
        benchmark.run(
            folder, functions={"mine": lambda ir, vis, g=gray: np.full_like(ir, g)}, metrics=["en"], cache=tmp_path
        )
        for gray in (0, 200)
    )
    assert images.read(first.fused["mine", "tno_01"]).max() == 0
    assert images.read(second.fused["mine", "tno_01"]).min() == 200


def test_several_processes_give_the_same(folder: Path, tmp_path: Path) -> None:
    one, two = (
        benchmark.run(folder, ["average", "maximum"], metrics=["en", "qabf"], jobs=jobs, cache=tmp_path / str(jobs))
        for jobs in (1, 2)
    )
    assert one.scores.equals(two.scores)
    assert two.shares.scoring > 0


def test_a_metric_that_fails_in_an_unforeseen_way_is_a_failure(
    folder: Path, tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    load = scoring.batch.load

    def fail(source: Any, content: Content) -> Any:
        image = load(source, content)
        if Path(source).is_relative_to(tmp_path) and image.mean() < 50:
            raise RuntimeError("out of\norder")
        return image

    monkeypatch.setattr(scoring.batch, "load", fail)
    functions = {"dark": lambda ir, vis: np.zeros_like(ir), "bright": lambda ir, vis: np.full_like(ir, 200)}
    with pytest.warns(BenchmarkWarning, match="dark failed on 5 of 5 pairs; the first: .*: RuntimeError: out of order"):
        found = benchmark.run(folder, functions=functions, metrics=["en"], cache=tmp_path)
    assert {(failure.method, failure.reason) for failure in found.failures} == {("dark", "RuntimeError: out of order")}
    assert len(found.failures) == 5
    assert len(found.scores) == 5


def test_a_method_that_cannot_be_built_is_a_failure(folder: Path, tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    def fail(*arguments: object, **more: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(fusing, "Fuser", fail)
    functions = {"vis": lambda ir, vis: vis}
    with pytest.warns(
        BenchmarkWarning, match="average failed on 5 of 5 pairs; the first: .*: out of memory; use smaller"
    ):
        found = benchmark.run(folder, ["average"], functions=functions, metrics=["en"], cache=tmp_path)
    assert len(found.failures) == 5
    assert len(found.scores) == 5


def test_wrong_input_prevents_the_start(folder: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    def refused(error: type[Exception], message: str, *arguments: object, **more: object) -> None:
        with pytest.raises(error, match=message):
            benchmark.run(*arguments, cache=tmp_path / "cache", **({"metrics": ["en"]} | more))  # type: ignore

    pair = Pair("a", folder / "ir" / "tno_01.png", folder / "vis" / "tno_01.png")
    noise = rng.integers(0, 255, (20, 30), np.uint8)
    (tmp_path / "small").mkdir()
    images.write(tmp_path / "small" / "tno_01.png", noise)
    images.write(tmp_path / "noise.png", noise)
    refused(ParameterError, "nothing to compare", folder)
    refused(ParameterError, "two methods are named average", folder, ["average", "average"])
    refused(ParameterError, "two methods are named x", folder, functions={"x": inverted}, fused={"x": folder})
    refused(SpecError, "unknown method", folder, ["none"])
    refused(ParameterError, "unknown metric", folder, ["average"], metrics=["none"])
    refused(ParameterError, "unknown protocol", folder, ["average"], protocols=["none"])
    refused(ParameterError, r"methods must be a list of names, such as \['average'\]", folder, "average")
    refused(ParameterError, "functions must be a dict with names as keys, not list", folder, functions=[inverted])
    refused(ParameterError, "x: int is not a function of two images", folder, functions={"x": 3})
    refused(ParameterError, "jobs cannot be 0", folder, ["average"], jobs=0)
    refused(PairError, "two pairs are named a", [pair, pair], ["average"])
    refused(PairError, "there are no pairs", [], ["average"])
    refused(
        PairError,
        "none of the 1 pairs can be read; the first: b: the sizes differ",
        [Pair("b", tmp_path / "noise.png", pair.vis)],
        ["average"],
    )
    refused(PairError, "external: there is no folder", folder, fused={"external": tmp_path / "none"})
    refused(
        PairError,
        "external: .*tno_01.png is 30x20, but its pair is 80x64",
        folder,
        fused={"external": tmp_path / "small"},
    )
    refused(
        ValueError, "msrs_00633D: the smaller side has 64 pixels, and ms_ssim", folder, ["average"], metrics=["ms_ssim"]
    )
    assert not (tmp_path / "cache").exists()


def test_a_pair_that_cannot_be_read_costs_only_itself(folder: Path, tmp_path: Path) -> None:
    pairs = [Pair(name, folder / "ir" / f"{name}.png", folder / "vis" / f"{name}.png") for name in ("tno_01", "tno_12")]
    (tmp_path / "cut.png").write_bytes(pairs[0].vis.read_bytes()[:900])
    images.write(tmp_path / "small.png", np.zeros((20, 30), np.uint8))
    broken = [
        Pair("cut", pairs[0].ir, tmp_path / "cut.png"),
        Pair("missing", tmp_path / "none.png", pairs[0].vis),
        Pair("unequal", tmp_path / "small.png", pairs[0].vis),
    ]
    with pytest.warns(BenchmarkWarning, match=r"every method failed on 3 of 5 pairs; the first: cut: .*cut\.png: "):
        found = benchmark.run([*broken, *pairs], ["average"], metrics=["en"], cache=tmp_path / "cache")
    assert [(failure.method, failure.pair) for failure in found.failures] == [
        ("every method", name) for name in ("cut", "missing", "unequal")
    ]
    assert found.failures[2].reason.startswith("the sizes differ")
    assert [pair.name for pair in found.pairs] == ["tno_01", "tno_12"]
    assert len(found.scores) == 2


def test_an_external_image_that_cannot_be_read_costs_only_itself(folder: Path, tmp_path: Path) -> None:
    for name in ("tno_01", "tno_12"):
        image = (folder / "vis" / f"{name}.png").read_bytes()
        (tmp_path / f"{name}.png").write_bytes(image[:900] if name == "tno_01" else image)
    with pytest.warns(BenchmarkWarning) as said:
        found = benchmark.run(folder, fused={"other": tmp_path}, metrics=["en"], cache=tmp_path / "cache")
    assert "other failed on 1 of 5 pairs; the first: tno_01: " in str(said[-1].message)
    assert len(found.scores) == 1


def test_everything_that_fails_raises(folder: Path, tmp_path: Path) -> None:
    def broken(ir: Array, vis: Array) -> Array:
        raise ValueError("no such layer")

    expected = "nothing could be scored; broken failed on 5 of 5 pairs; the first: .*: ValueError: no such layer"
    with pytest.raises(BenchmarkError, match=expected):
        benchmark.run(folder, functions={"broken": broken}, metrics=["en"], cache=tmp_path)


def test_canonical_has_a_default_choice_of_metrics(folder: Path, tmp_path: Path) -> None:
    pairs = [Pair("a", folder / "ir" / "tno_01.png", folder / "vis" / "tno_01.png")]
    found = benchmark.run(pairs, ["average"], protocols=["canonical", "vifb"], cache=tmp_path)
    assert found.metrics("canonical") == ["en", "sd", "sf", "mi", "scd", "vif", "qabf", "ssim"]
    assert set(found.metrics("vifb")) == set(protocols.find("vifb").readings)
    made = plan.make(pairs, ["average"], {}, {}, ["tang"], ["all"], DEFAULT_THERMAL, silent)
    assert set(made.evaluators["tang"].metrics) == set(protocols.find("tang").readings)


def test_missing_partners_are_reported_first(folder: Path, tmp_path: Path) -> None:
    for role in ("ir", "vis"):
        (tmp_path / role).mkdir()
        for name in ("tno_01", "tno_12")[: 1 if role == "ir" else 2]:
            (tmp_path / role / f"{name}.png").write_bytes((folder / role / f"{name}.png").read_bytes())
    with pytest.warns(UserWarning, match=r"no partner: .*tno_12\.png"):
        found = benchmark.run(tmp_path, ["average"], metrics=["en"], cache=tmp_path / "cache")
    assert len(found.pairs) == 1
    assert "no partner" in found.remarks[0]
    assert math.isnan(found.costs.loc[0, "seconds"])


def test_unregistered_pairs_are_reported_first(folder: Path, tmp_path: Path) -> None:
    for role in ("ir", "vis"):
        (tmp_path / role).mkdir()
        image = images.read(folder / role / "tno_12.png").clip(1)
        image[: 4 if role == "ir" else 0] = 0
        images.write(tmp_path / role / "a.png", image)
    with pytest.warns(UserWarning, match=r"1 of 1 infrared images has a black border.* a \(\d+% of the image\)"):
        found = benchmark.run(tmp_path, ["average"], metrics=["en"], cache=tmp_path / "cache")
    assert "black border" in found.remarks[0]


def test_pairs_that_look_wrong_are_reported_once(folder: Path, tmp_path: Path) -> None:
    for role in ("ir", "vis"):
        (tmp_path / role).mkdir()
        image = images.read(folder / role / "tno_12.png")
        images.write(tmp_path / role / "a.png", np.full_like(image, 90) if role == "ir" else image)
    for _ in range(2):
        with pytest.warns(BenchmarkWarning, match="^a: the infrared image is constant"):
            found = benchmark.run(tmp_path, ["average", "maximum"], metrics=["en"], cache=tmp_path / "cache")
        assert found.remarks == ("a: the infrared image is constant (90): was the lens covered, or the export wrong?",)
    with pytest.warns(BenchmarkWarning, match="^average: a: the infrared image is constant"):
        found = benchmark.run(tmp_path, ["average"], metrics=["en"], cache=tmp_path / "cache")
    assert [remark.startswith("average: a: the infrared") for remark in found.remarks] == [True]


def test_undefined_scores_are_reported(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.warns(BenchmarkWarning, match="^5 remarks on pairs, which the report lists; the first: vis: .*scd"):
            found = benchmark.run(folder, functions={"vis": lambda ir, vis: vis}, metrics=["scd"], cache=tmp_path)
        assert len(found.scores) == 5
        assert found.scores["value"].isna().all()
        assert len(found.remarks) == 5
        assert "vis: tno_01: scd: undefined: the fused image equals the visible image" in found.remarks[2]
    # There is no warning if the metric is not requested.
    assert benchmark.run(folder, functions={"vis": lambda ir, vis: vis}, metrics=["en"], cache=tmp_path).remarks == ()


def test_shares(result: Result) -> None:
    shares = result.shares
    assert sum(map(shares.percent, (shares.fusing, shares.scoring, shares.rest))) == pytest.approx(100)


def test_example_of_the_page(folder: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "benchmark.md").read_text(encoding="utf-8")
    example: dict[str, Any] = {"__name__": "example"}
    exec(page.partition("```python\n")[2].partition("```")[0], example)
    found = benchmark.run(folder, ["average"], functions={"mine": example["mine"]}, metrics=["en"], cache=tmp_path)
    assert (len(found.scores), found.failures) == (10, ())


def test_a_full_disk_stops_the_run(folder: Path, tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OutputError("cannot write: no space left on device")

    monkeypatch.setattr(cache, "write_atomic", full)
    with pytest.raises(OutputError, match="no space left"):
        benchmark.run(folder, ["average"], metrics=["en"], cache=tmp_path)


def test_named_sets_have_citations() -> None:
    assert "A. Toet" in running._citation("tno20")
    assert "free for research with citation" in running._citation("tno20")
    assert running._citation("somewhere/else") == ""
