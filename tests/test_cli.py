"""The command, as a user meets it: what it prints, writes and returns."""

import csv
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import irfuse
from irfuse import __version__, images, pairs, samples
from irfuse.cli import console, main
from irfuse.methods import METHODS
from irfuse.pairs import Pair
from irfuse.weights import fetch

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `irfuse` with arguments; gives exit status, standard output and standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["irfuse", *map(str, arguments)])
        try:
            main()
            status = 0
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for role in ("ir", "vis"):
        shutil.copytree(samples.FOLDER / role, tmp_path / "data" / role)
    return tmp_path / "data"


def test_pair_in_color(run: Run, msrs_day: Pair, tmp_path: Path) -> None:
    out = tmp_path / "new folder" / "fused.png"
    status, printed, _ = run("fuse", msrs_day.ir, msrs_day.vis, "-o", out)
    assert (status, printed.strip()) == (0, str(out))
    fused, vis = images.read(out), images.read(msrs_day.vis)
    assert (fused.shape, fused.dtype) == (vis.shape, vis.dtype)
    # Chroma is kept: the differences between the channels are the visible's, but for clipping and rounding.
    red_minus_blue = [image[..., 0].astype(int) - image[..., 2] for image in (fused, vis)]
    assert (np.abs(red_minus_blue[0] - red_minus_blue[1]) <= 1).mean() > 0.9


def test_pair_in_gray_16_bits(run: Run, tmp_path: Path, rng: np.random.Generator) -> None:
    images.write(tmp_path / "ir.tiff", rng.integers(20000, 24000, (20, 30)).astype(np.uint16))
    images.write(tmp_path / "vis.png", rng.integers(0, 65536, (20, 30, 3)).astype(np.uint16))
    options = ["-m", "maximum", "--color", "gray", "--thermal-range", "20000", "24000"]
    status, _, _ = run("fuse", tmp_path / "ir.tiff", tmp_path / "vis.png", "-o", tmp_path / "f.png", *options)
    fused = images.read(tmp_path / "f.png")
    assert (status, fused.shape, fused.dtype) == (0, (20, 30), np.dtype(np.uint16))


@pytest.mark.parametrize("spec", ["nst:iterations=2", "resnet152:backbone=resnet50"])
def test_methods_with_networks(run: Run, spec: str, msrs_day: Pair, tmp_path: Path) -> None:
    if "backbone" in spec and "IRFUSE_WEIGHTS" not in os.environ:
        pytest.skip("IRFUSE_WEIGHTS does not name the folder of the backbones' weights")
    status, printed, _ = run("fuse", msrs_day.ir, msrs_day.vis, "-o", tmp_path / "f.png", "-m", spec)
    assert (status, printed) == (0, f"{tmp_path / 'f.png'}\n")
    fused, vis = images.read(tmp_path / "f.png"), images.read(msrs_day.vis)
    assert (fused.shape, fused.dtype) == (vis.shape, vis.dtype)
    assert not np.array_equal(fused, vis)


@pytest.mark.parametrize("form", ["two folders", "data set", "manifest"])
def test_folders(run: Run, form: str, folders: Path, tmp_path: Path) -> None:
    (folders / "ir" / "lonely.png").write_bytes((folders / "ir" / "tno_01.png").read_bytes())
    manifest = folders / "pairs.csv"
    manifest.write_text(
        "ir,vis\n" + "".join(f"ir/{path.name},vis/{path.name}\n" for path in (folders / "vis").iterdir())
    )
    sources = {"two folders": [folders / "ir", folders / "vis"], "data set": [folders], "manifest": [manifest]}[form]
    status, printed, complaints = run("fuse", *sources, "-o", tmp_path / "out", "-m", "average")
    assert status == 0
    assert "5 fused" in printed
    assert ("lonely.png" in complaints) == (form != "manifest")
    for path in (folders / "vis").iterdir():
        assert images.read(tmp_path / "out" / path.name).shape == images.read(path).shape
    _, printed, _ = run("fuse", *sources, "-o", tmp_path / "out", "-m", "average", "--resume")
    assert "0 fused, 5 were there already" in printed


def test_failures_show_in_the_exit_status(run: Run, folders: Path, tmp_path: Path) -> None:
    (folders / "ir" / "tno_12.png").write_bytes(b"no image")
    images.write(folders / "ir" / "tno_16.png", np.zeros((10, 10), np.uint8))
    status, printed, complaints = run("fuse", folders, "-o", tmp_path / "out", "-m", "average")
    assert status == 1
    assert "3 fused, 2 failed" in printed
    assert "failed: tno_12: " in complaints
    assert "tno_12.png: not a readable image" in complaints
    assert "failed: tno_16: the sizes differ: infrared 10x10, visible 620x450" in complaints


def test_swapped_pair_is_fused_with_a_warning(run: Run, msrs_day: Pair, tmp_path: Path) -> None:
    status, _, complaints = run("fuse", msrs_day.vis, msrs_day.ir, "-o", tmp_path / "f.png", "-m", "average")
    assert status == 0
    assert "are they swapped?" in complaints


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["none.png", "vis.png"], "none.png: no such file"),
        (["ir.png", "."], "ir.png: is a file; give two image files or two folders"),
        (["none", "."], "none: no such file or folder"),
        (["ir.png"], "the visible image is missing"),
        (["empty"], "empty: exactly one subfolder"),
        (["broken.png", "vis.png"], "broken.png: not a readable image"),
        (["ir.png", "small.png"], "the sizes differ: infrared 8x6, visible 4x3"),
        (["ir.png", "vis.png", "-o", "new/folder/out.png", "-m", "nope"], "unknown method 'nope'"),
        (["ir.png", "vis.png", "-m", "res2netfuze"], "did you mean 'res2netfuse'?"),
        (["ir.png", "vis.png", "-m", "res2netfuse:strategy=max"], "choose one of l1-norm, mean, average"),
        (["ir.png", "vis.png", "-m", "res2netfuse:width=3"], "no parameter 'width'; its parameters: strategy, weights"),
        (["ir.png", "vis.png", "-m", "average:x=1"], "it takes none"),
        (["ir.png", "vis.png", "-m", "average:x"], "not of the form parameter=value"),
        (["ir.png", "vis.png", "-m", "res2netfuse:weights=none"], "known names: single, many"),
        (["ir.png", "vis.png", "-m", "res2netfuse:weights=broken.png"], "not a readable weights file"),
        (["ir.png", "vis.png", "--device", "tpu"], "choose auto or cpu"),
        (["ir.png", "vis.png", "--thermal-range", "5", "5"], "thermal range 5 5"),
        (["ir.png", "vis.png", "-o", "vis.png"], "would replace an input"),
        (["ir.png", "vis.png", "-o", "out.gif"], "must end in one of"),
        (["ir.png", "vis.png", "-o", "vis.png/out.png"], "cannot make the folder"),
        (["none.csv"], "none.csv: cannot be read as CSV"),
        (["none"], "a data-set folder"),
    ],
)
def test_bad_input(
    run: Run, arguments: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    images.write("ir.png", np.zeros((6, 8), np.uint8))
    images.write("vis.png", np.zeros((6, 8, 3), np.uint8))
    images.write("small.png", np.zeros((3, 4), np.uint8))
    Path("broken.png").write_bytes(Path("ir.png").read_bytes()[:40])
    Path("empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    output = [] if "-o" in arguments else ["-o", "out.png"]
    status, printed, complaints = run("fuse", *arguments, *output)
    assert status == 2
    assert printed == ""
    assert complaints.count("\n") == 1
    assert complaints.startswith("irfuse: ")
    assert reason in complaints
    assert sorted(tmp_path.rglob("*")) == before


def test_unwritable_folder(run: Run, folders: Path, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    status, _, complaints = run("fuse", folders, "-o", tmp_path / "out", "-m", "average")
    assert status == 2
    assert complaints.count("\n") == 1
    assert "cannot make the folder" in complaints


@pytest.mark.parametrize(("name", "count", "color"), [("tno21", 21, False), ("msrs55", 55, True)])
def test_whole_data_sets(run: Run, name: str, count: int, color: bool, data: Path, tmp_path: Path) -> None:
    status, printed, _ = run("fuse", data / name, "-o", tmp_path, "-m", "laplacian-pyramid")
    assert status == 0
    assert f"{count} fused" in printed
    for pair in pairs.find(data / name).pairs:
        fused, vis = images.read(tmp_path / f"{pair.name}.png"), images.read(pair.vis)
        assert fused.shape == vis.shape
        assert (fused.ndim == 3) == color


def test_format(run: Run, folders: Path, tmp_path: Path) -> None:
    status, _, _ = run("fuse", folders, "-o", tmp_path / "out", "-m", "average", "--format", "tiff")
    assert status == 0
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".tiff"}
    status, _, complaints = run("fuse", folders, "-o", tmp_path / "other", "-m", "average", "--format", "gif")
    assert status == 2
    assert "format cannot be 'gif'" in complaints
    assert not (tmp_path / "other").exists()


def test_resume_of_one_pair(run: Run, tno_01: Pair, tmp_path: Path) -> None:
    arguments = ("fuse", tno_01.ir, tno_01.vis, "-o", tmp_path / "f.png", "-m", "average", "--resume")
    assert run(*arguments)[1].strip() == str(tmp_path / "f.png")
    assert "was there already" in run(*arguments)[1]


def test_demo(run: Run, tmp_path: Path) -> None:
    status, printed, _ = run("demo", "-o", tmp_path / "demo", "-m", "laplacian-pyramid")
    assert status == 0
    assert str(tmp_path / "demo" / "comparison.png") in printed
    assert images.read(tmp_path / "demo" / "comparison.png").shape[1] > 1000
    assert len(list((tmp_path / "demo").iterdir())) == len(samples.pairs()) + 1


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
    assert "res2netfuse: the weights' name is needed as well; known names: single, many" in complaints


@pytest.mark.usefixtures("no_backbones")
def test_weights_of_backbones(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = tuple(replace(file, sha256=hashlib.sha256(b"x").hexdigest()) for file in fetch.backbone_files())
    monkeypatch.setattr(fetch, "backbone_files", lambda: known)
    mirror, kept = tmp_path / "resnet101-63fe2227.pth", tmp_path / "torch/hub/checkpoints/resnet101-63fe2227.pth"
    mirror.write_bytes(b"x")
    listed = " ".join(run("weights", "list")[1].split())
    assert "resnet101-63fe2227.pth BSD-3-Clause not here: irfuse weights fetch resnet101" in listed
    assert run("weights", "path", "resnet101")[0] == 2
    for _ in range(2):
        assert run("weights", "fetch", "resnet101", "--mirror", tmp_path.as_uri())[:2] == (0, f"{kept}\n")
        mirror.unlink(missing_ok=True)
    assert run("weights", "path", "resnet101")[:2] == (0, f"{kept}\n")
    assert str(kept) in "".join(run("weights", "list")[1].split())
    assert f"{kept}: as it should be" in run("weights", "verify")[1]
    kept.write_bytes(b"y")
    shutil.copy(kept, kept.with_name("resnet50-0676ba61.pth"))
    kept.with_name("resnet152-394f9c45.pth").write_bytes(b"x")
    status, printed, complaints = run("weights", "verify")
    assert (status, complaints.count("\n")) == (2, 2)
    assert f"{kept}: wrong SHA-256" in complaints
    assert "resnet50-0676ba61.pth: wrong SHA-256" in complaints
    assert "resnet152-394f9c45.pth: as it should be" in printed
    kept.with_name("resnet152-394f9c45.pth").unlink()
    status, _, complaints = run("weights", "fetch", "resnet152", "--mirror", tmp_path.as_uri())
    assert (status, complaints.count("\n")) == (2, 1)
    assert "resnet152-394f9c45.pth cannot be fetched: No such file or directory" in complaints


def test_train(run: Run, tno_01: Pair, tmp_path: Path) -> None:
    weights = tmp_path / "mine.safetensors"
    options = ["--iterations", "3", "--size", "32", "--test", tno_01.vis, "--device", "cpu"]
    status, _, _ = run("train", "res2netfuse", "--images", tno_01.vis, "-o", weights, *options)
    assert status == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"mine.{end}" for end in ("safetensors", "md", "png", "csv")}
    card = (tmp_path / "mine.md").read_text()
    assert f"--images {tno_01.vis}" in card
    assert "| these weights |" in card
    assert len((tmp_path / "mine.csv").read_text().splitlines()) == 4
    assert run("fuse", tno_01.ir, tno_01.vis, "-o", tmp_path / "f.png", "-m", f"res2netfuse:weights={weights}")[0] == 0
    status, _, complaints = run("train", "res2netfuse", "--images", "nothing", "-o", tmp_path / "n.safetensors")
    assert status == 2
    assert "no such file or folder, and no named set" in complaints


def test_train_on_pairs(run: Run, folders: Path, tmp_path: Path) -> None:
    weights, ir, vis = tmp_path / "w.safetensors", folders / "ir", folders / "vis"
    settings = [
        "--epochs",
        "1",
        "--epoch-steps",
        "2",
        "--batch",
        "1",
        "--size",
        "32",
        "--width",
        "2",
        "--halved-at",
        "1",
    ]
    kept = tmp_path / "kept"
    for role in ("ir", "vis"):
        (kept / role).mkdir(parents=True)
        (folders / role / "tno_01.png").rename(kept / role / "tno_01.png")
    (vis / "tno_12.png").rename(tmp_path / "gone.png")
    sources = ("--ir", ir, "--vis", vis, "--validation", kept)
    status, printed, complaints = run("train", "encoder-decoder", *sources, *settings, "-o", weights)
    assert status == 0
    assert printed.splitlines()[0] == f"weights: {weights}"
    assert "warning: " in complaints
    assert "hardly contributes" in complaints
    assert f"no partner: {ir / 'tno_12.png'}" in complaints
    assert "3 pairs to train on, 1 for validation" in complaints
    command = f"--ir {ir} --vis {vis} --validation {kept} {' '.join(settings)} -o w.safetensors"
    assert f"`irfuse train encoder-decoder {command}`" in weights.with_suffix(".md").read_text()
    for arguments, complaint in (
        (("--ir", ir), "both --ir and --vis, or --pairs"),
        (("--ir", ir, "--vis", vis, "--pairs", folders), "both --ir and --vis, or --pairs"),
        (("--pairs", folders), "3 pairs are too few to hold some out"),
        (("--pairs", "nothing"), "no named set of pairs (pairs272, pairs44, tno21"),
    ):
        status, _, complaints = run("train", "encoder-decoder", *arguments, "-o", tmp_path / "n.safetensors")
        assert status == 2
        assert complaint in complaints
    assert not (tmp_path / "n.safetensors").exists()


def test_train_in_two_stages(run: Run, folders: Path, tmp_path: Path) -> None:
    weights, again = tmp_path / "w.safetensors", tmp_path / "v.safetensors"
    for role in ("ir", "vis"):
        (folders / "kept" / role).mkdir(parents=True)
        (folders / role / "tno_01.png").rename(folders / "kept" / role / "tno_01.png")
    settings = ["--epochs", "1", "--epoch-steps", "2", "--batch", "1", "--size", "32"]
    images = ["--images", folders / "vis", "--autoencoder-steps", "2"]
    sources = ["--ir", folders / "ir", "--vis", folders / "vis", "--validation", folders / "kept"]
    status, printed, _ = run("train", "attention-ensemble", *images, *sources, *settings, "-o", weights)
    assert status == 0
    assert printed.splitlines()[0] == f"weights: {weights}"
    card = weights.with_suffix(".md").read_text()
    assert f"`irfuse train attention-ensemble --images {folders / 'vis'} --ir" in card
    first = ["--autoencoder", tmp_path / "w-autoencoder.safetensors"]
    assert run("train", "attention-ensemble", *first, *sources, *settings, "-o", again)[0] == 0
    for arguments in ([], [*images, *first]):
        status, _, complaints = run(
            "train", "attention-ensemble", *arguments, *sources, "-o", tmp_path / "n.safetensors"
        )
        assert status == 2
        assert "give one of --images and --autoencoder" in complaints


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
    (tmp_path / "fused" / "msrs_00037N.png").unlink()
    (tmp_path / "fused" / "stranger.png").write_bytes((tmp_path / "fused" / "tno_01.png").read_bytes())
    out = [tmp_path / f"scores.{ending}" for ending in ("csv", "json", "tex", "md")]
    options = zip(("--csv", "--json", "--latex", "--markdown"), out, strict=True)
    files = [argument for option in options for argument in option]
    arguments = [tmp_path / "fused", folders / "ir", folders / "vis", "-k", "en,scd", "--jobs", "1"]
    (folders / "ir" / "lonely.png").write_bytes((folders / "ir" / "tno_01.png").read_bytes())
    status, printed, complaints = run("evaluate", *arguments, *files)
    assert status == 1
    assert f"no partner: {folders / 'ir' / 'lonely.png'}" in complaints
    assert "no fused image of: msrs_00037N" in complaints
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
        (["ir/tno_01.png", "ir", "vis"], "tno_01.png is a file: give one infrared and one visible image file"),
        (["ir", "ir/tno_01.png", "vis"], "ir is a folder: give an infrared and a visible folder"),
        (["ir/tno_01.png", "ir/tno_12.png", "vis/tno_12.png"], "the sizes differ"),
        (["ir", ".", "-k", "qxx"], "'qxx' is no metric"),
        (["ir", ".", "-k", ""], "no metric is named"),
        (["ir", ".", "--csv", ""], "it is a folder"),
        (["ir", ".", "--csv", "vis"], "cannot write vis: it is a folder"),
        (["ir", ".", "--csv", "a", "--json", "a"], "two tables cannot be written to one place"),
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


def test_metrics_and_protocols(run: Run) -> None:
    _, printed, _ = run("metrics")
    assert "fmi_wavelet" in printed
    _, printed, _ = run("protocols")
    assert "tang-tables" in printed
    _, printed, _ = run("protocols", "li")
    assert "twice the entropy" in printed
    status, _, complaints = run("protocols", "mine")
    assert (status, "unknown protocol 'mine'" in complaints) == (2, True)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_bar_may_wait_for_the_first_step(at_once: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(console, "errors", Console(force_terminal=True, file=shown))
    with console.progress("fetching", "MB", at_once=at_once):
        pass
    assert ("fetching" in shown.getvalue()) == at_once
    with console.progress("fetching", "MB", at_once=at_once) as on_step:
        on_step(1, 2, "resnet50")
    assert "1/2" in shown.getvalue()


def test_engine_and_precision(run: Run, tno_01: Pair, tmp_path: Path) -> None:
    pair = ("fuse", tno_01.ir, tno_01.vis, "-m", "encoder-decoder")
    status, _, said = run(*pair, "-o", tmp_path / "f.png", "--engine", "torch", "--precision", "fp32")
    assert (status, said) == (0, "engine: torch, fp32: as asked for\n")
    status, _, said = run(*pair, "-o", tmp_path / "auto.png")
    assert status == 0
    assert "fp32: the fastest here" in said or "bf16: the fastest here" in said
    fused, auto = (images.read(tmp_path / name).astype(float) for name in ("f.png", "auto.png"))
    assert ((fused - auto) ** 2).mean() < 255**2 * 10**-5
    status, _, said = run(*pair, "-o", tmp_path / "f.png", "--precision", "fp16", "--device", "cpu")
    assert status == 2
    assert said.startswith("irfuse: this cpu does not compute in fp16; choose precision auto or ")
    status, _, said = run("fuse", tno_01.ir, tno_01.vis, "-o", tmp_path / "f.png", "-m", "average", "--engine", "onnx")
    assert status == 2
    assert "average runs on engine torch in fp32 alone: it has no network" in said


def test_results_say_what_computed_them(run: Run, tno_01: Pair, folders: Path, tmp_path: Path) -> None:
    run("fuse", tno_01.ir, tno_01.vis, "-o", tmp_path / "f.png", "-m", "average")
    run("fuse", folders, "-o", tmp_path / "out", "-m", "average", "--format", "jpg")
    for path in (tmp_path / "f.png", *(tmp_path / "out").iterdir()):
        with Image.open(path) as image:
            assert (
                image.getexif()[270] == f"irfuse {__version__}, method: average, engine: torch, fp32: it has no network"
            )


def test_export_and_its_model(run: Run, tno_01: Pair, tmp_path: Path) -> None:
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package)
    file = tmp_path / "new" / "fuse.onnx"
    status, printed, _ = run("export", "encoder-decoder", "-o", file)
    assert status == 0
    assert printed.startswith(f"{file}: at most ")
    pair = ("fuse", tno_01.ir, tno_01.vis, "-o", tmp_path / "f.png")
    status, _, said = run(*pair, "--model", file)
    assert (status, said) == (0, "engine: onnx, fp32: encoder-decoder in fuse.onnx\n")
    status, _, said = run(*pair, "--model", file, "--engine", "torch")
    assert (status, said) == (
        2,
        "irfuse: --model says it all: leave out --method, --device, --engine and --precision\n",
    )
    status, _, said = run(*pair, "--model", tno_01.ir)
    assert status == 2
    assert "ONNX Runtime cannot read it" in said


def test_exports_that_cannot_be(run: Run, tmp_path: Path) -> None:
    status, _, said = run("export", "average", "-o", tmp_path / "average.onnx")
    assert (status, said) == (2, "irfuse: average cannot be exported: it has no network\n")
    status, _, said = run("export", "res2netfuse", "-o", tmp_path / "model.pt")
    assert status == 2
    assert "the name of the file must end in .onnx" in said


def test_info(run: Run) -> None:
    status, printed, _ = run("info", "--device", "cpu")
    assert status == 0
    assert "device: cpu, " in printed
    assert "engine torch: here" in printed
    for method in METHODS:
        assert f"\n{method.info.name} " in printed
    assert "it optimises each pair" in printed
