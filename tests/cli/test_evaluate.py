"""`irfuse evaluate`, `metrics` and `protocols`, as a user meets them."""

import csv
import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import irfuse
from irfuse.errors import ImageError
from irfuse.io import images
from irfuse.io.pairs import Pair
from tests.conftest import Run


def test_evaluate_a_triple(run: Run, tno_01: Pair, tmp_path: Path) -> None:
    run("fuse", tno_01.ir, tno_01.vis, "-o", tmp_path / "f.png", "-m", "average")
    triple = [tmp_path / "f.png", tno_01.ir, tno_01.vis]
    status, printed, _ = run("evaluate", *triple, "--metrics", "en,qabf", "--metrics", "qcv")
    assert status == 0
    assert [line.split()[:2] for line in printed.splitlines()[1:]] == [["en", "↑"], ["qabf", "↑"], ["qcv", "↓"]]
    scores = irfuse.evaluate(*triple, ["en", "qabf", "qcv"])
    assert float(printed.splitlines()[2].split()[-1]) == pytest.approx(scores["qabf"], abs=1e-4)
    thermal = ["--thermal-percentiles", "1", "99"]
    status, printed, _ = run("evaluate", *triple, "-k", "en", "-p", "li", "--json", "-", *thermal)
    assert json.loads(printed)["images"] == {"f.png": {"en": scores["en"]}}


def test_evaluate_folders(run: Run, folders: Path, tmp_path: Path) -> None:
    run("fuse", folders, "-o", tmp_path / "fused", "-m", "average")
    (tmp_path / "fused" / "msrs_00881N.png").unlink()
    (tmp_path / "fused" / "stranger.png").write_bytes((tmp_path / "fused" / "tno_01.png").read_bytes())
    out = [tmp_path / f"scores.{ending}" for ending in ("csv", "json", "tex", "md")]
    options = zip(("--csv", "--json", "--latex", "--markdown"), out, strict=True)
    files = [argument for option in options for argument in option]
    arguments = [tmp_path / "fused", folders / "ir", folders / "vis", "-k", "en,scd", "--jobs", "1"]
    (folders / "ir" / "lonely.png").write_bytes((folders / "ir" / "tno_01.png").read_bytes())
    status, printed, complaints = run("evaluate", *arguments, *files)
    assert status == 1
    assert f"no partner: {folders / 'ir' / 'lonely.png'}" in complaints
    assert "no fused image for: msrs_00881N" in complaints
    assert f"no partner: {tmp_path / 'fused' / 'stranger.png'}" in complaints
    assert "4 images" in printed
    rows = list(csv.DictReader(out[0].read_text().splitlines()))
    assert [row["image"] for row in rows] == ["msrs_00633D", "tno_01", "tno_12", "tno_16"]
    expected = irfuse.evaluate(tmp_path / "fused" / "tno_01.png", *(folders / r / "tno_01.png" for r in ("ir", "vis")))
    assert float(rows[1]["scd"]) == expected["scd"]
    by_entropy = sorted(rows, key=lambda row: float(row["en"]))
    line = next(line.split() for line in printed.splitlines() if line.startswith("en"))
    assert (line[5], line[7]) == (by_entropy[0]["image"], by_entropy[-1]["image"])
    means = json.loads(out[1].read_text())["mean"]
    assert means["en"] == pytest.approx(np.mean([float(row["en"]) for row in rows]))
    assert "toprule" in out[2].read_text()
    assert out[3].read_text().startswith("| canonical | mean")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.png", "ir/tno_01.png", "vis/tno_01.png"], "none.png: no such file or folder"),
        (["ir/tno_01.png", "ir", "vis"], "tno_01.png is a file; give one infrared and one visible image"),
        (["ir", "ir/tno_01.png", "vis"], "ir is a folder; give an infrared and a visible folder"),
        (["ir/tno_01.png", "ir/tno_12.png", "vis/tno_12.png"], "the sizes differ"),
        (["ir", ".", "-k", "qxx"], "unknown metric 'qxx'"),
        (["ir", ".", "-k", ""], "no metric is named"),
        (["ir", ".", "--csv", ""], "it is a folder"),
        (["ir", ".", "--csv", "vis"], "cannot write vis: it is a folder"),
        (["ir", ".", "--csv", "a", "--json", "a"], "two tables cannot be written to one file"),
        (["ir/tno_01.png", "ir/tno_01.png", "vis/tno_01.png", "--csv", "ir/tno_01.png"], "would replace an input"),
        (["ir", ".", "-p", "li", "-k", "fmi_pixel"], "'fmi_pixel' is not defined by the protocol li"),
        (["ir", ".", "--csv", "no/such/folder.csv"], "there is no folder no/such"),
        (["ir", ".", "-k", "pyiqa:niqe"], "pip install pyiqa"),
    ],
)
def test_evaluate_bad_input(
    run: Run, arguments: list[str], message: str, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders)
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    status, _, complaints = run("evaluate", *arguments)
    assert status == 2
    assert message in complaints
    assert "Traceback" not in complaints


def test_pairs_that_look_wrong_are_said_once(run: Run, tmp_path: Path, rng: np.random.Generator) -> None:
    """A covered lens, and pairs that are shifted, in a folder of four pairs."""
    for role in ("fused", "ir", "vis"):
        (tmp_path / role).mkdir()
    for name in "abcd":
        scene = cv2.GaussianBlur(rng.random((200, 260)), (0, 0), 4)
        scene = np.rint(255 * (scene - scene.min()) / np.ptp(scene)).astype(np.uint8)
        ir = np.full((200, 240), 90, np.uint8) if name in "ab" else scene[:, 20:]
        for role, image in (("ir", ir), ("vis", scene[:, :240]), ("fused", scene[:, :240])):
            images.write(tmp_path / role / f"{name}.png", image)
    folders = [tmp_path / role for role in ("fused", "ir", "vis")]
    status, _, complaints = run("evaluate", *folders, "-k", "en", "-j", "1")
    assert status == 0
    lines = [line for line in complaints.splitlines() if "constant" in line]
    assert [line.startswith("warning: a: the infrared image is constant (90)") for line in lines] == [True]
    assert lines[0].endswith("(and 1 more like this)")
    assert "look unregistered" not in complaints
    for name in "ab":
        vis = images.read(tmp_path / "vis" / f"{name}.png")
        images.write(tmp_path / "ir" / f"{name}.png", np.roll(vis, 20, 1))
    _, _, complaints = run("evaluate", *folders, "-k", "en", "-j", "2")
    assert complaints.count("look unregistered: their edges agree better") == 1


def test_metrics_and_protocols(run: Run) -> None:
    _, printed, _ = run("metrics")
    assert "fmi_wavelet" in printed
    _, printed, _ = run("protocols")
    assert "tang-tables" in printed
    _, printed, _ = run("protocols", "li")
    assert "twice the entropy" in printed
    heads = ["Li and Wu", "source: github.com/hli1221, analysis_*.m, MATLAB", "color images: scored by the luma"]
    assert printed.splitlines()[:3] == heads
    status, _, complaints = run("protocols", "mine")
    assert (status, "unknown protocol 'mine'" in complaints) == (2, True)


@pytest.mark.parametrize("role", ["fused", "ir", "vis"])
def test_errors_name_the_files(role: str, run: Run, tmp_path: Path) -> None:
    """Of one image, and of a folder of two."""
    paths = {name: tmp_path / name / "a.tiff" for name in ("fused", "ir", "vis")}
    for name, path in paths.items():
        path.parent.mkdir()
        image = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
        images.write(path.with_name("b.tiff"), image)
        image[3, 3:5] = np.nan if name == role else 0.5
        images.write(path, image)
    named = paths["fused"] if role == "fused" else f"{paths['ir']} and {paths['vis']}"
    words = {"fused": "fused", "ir": "infrared", "vis": "visible"}[role]
    message = f"{named}: {words}: 2 values are NaN or infinite; replace them"
    status, _, complaints = run("evaluate", *paths.values(), "-k", "en")
    assert status == 2
    assert message in complaints
    status, _, complaints = run("evaluate", *(path.parent for path in paths.values()), "-k", "en", "-j", "1")
    assert status == 1
    assert f"failed: a: {message}" in complaints
    with pytest.raises(ImageError, match=f"^{re.escape(message)}"):
        irfuse.evaluate(*paths.values(), ["en"])
