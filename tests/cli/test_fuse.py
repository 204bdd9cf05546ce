"""`irfuse fuse` and `irfuse demo`, as a user meets them: what they print, write and return."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irfuse import __version__, samples
from irfuse.io import images, pairs
from irfuse.io.pairs import Pair
from tests.conftest import Run


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
    assert "0 fused, 5 skipped" in printed


def test_failures_show_in_the_exit_status(run: Run, folders: Path, tmp_path: Path) -> None:
    (folders / "ir" / "tno_12.png").write_bytes(b"no image")
    images.write(folders / "ir" / "tno_16.png", np.zeros((10, 10), np.uint8))
    status, printed, complaints = run("fuse", folders, "-o", tmp_path / "out", "-m", "average")
    assert status == 1
    assert "3 fused, 2 failed" in printed
    assert "failed: tno_12: " in complaints
    assert "tno_12.png: not a readable image" in complaints
    assert "failed: tno_16: the sizes differ: infrared 10x10, visible 620x450" in complaints


def test_one_warning_stands_for_many(run: Run, tmp_path: Path) -> None:
    for name in ("ir", "vis"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for number in range(12):
            images.write(tmp_path / "in" / name / f"{number:02}.png", np.full((8, 8), number, np.uint8))
    status, printed, complaints = run(
        "fuse", tmp_path / "in", "-o", tmp_path / "out", "-m", "average", "--thermal-range", "100", "200"
    )
    assert status == 0
    assert "12 fused" in printed
    assert complaints.count("none lies within the thermal range 100 200") == 1
    assert "warning: 00: " in complaints
    assert "(and 11 more like this)" in complaints


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
        (["empty"], "empty: no pair: no two folders such as ir/ and vis/"),
        (["broken.png", "vis.png"], "broken.png: not a readable image"),
        (["ir.png", "small.png"], "the sizes differ: infrared 8x6, visible 4x3"),
        (["ir.png", "vis.png", "-o", "new/folder/out.png", "-m", "nope"], "unknown method 'nope'"),
        (["ir.png", "vis.png", "-m", "res2netfuze"], "did you mean 'res2netfuse'?"),
        (["ir.png", "vis.png", "-m", "res2netfuse:strategy=max"], "choose one of l1-norm, mean, average"),
        (
            ["ir.png", "vis.png", "-m", "res2netfuse:width=3"],
            "no parameter 'width'; its parameters: strategy, weights",
        ),
        (["ir.png", "vis.png", "-m", "average:x=1"], "it takes no parameters"),
        (["ir.png", "vis.png", "-m", "average:x"], "not of the form parameter=value"),
        (["ir.png", "vis.png", "-m", "res2netfuse:weights=none"], "known names: single, many"),
        (["ir.png", "vis.png", "-m", "res2netfuse:weights=broken.png"], "not a readable weights file"),
        (["ir.png", "vis.png", "--device", "tpu"], "choose auto or cpu"),
        (["ir.png", "vis.png", "--thermal-range", "5", "5"], "thermal range 5 5"),
        (["ir.png", "vis.png", "-o", "vis.png"], "would replace an input"),
        (["ir.png", "vis.png", "-o", "out.gif"], "must end in one of"),
        (["ir.png", "vis.png", "-o", "vis.png/out.png"], "cannot create the folder"),
        (["none.csv"], "none.csv: cannot be read as CSV"),
        (["none"], "not a data-set folder"),
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
    assert "cannot create the folder" in complaints


@pytest.mark.parametrize(("name", "count", "color"), [("tno21", 21, False), ("msrs", 109, True)])
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
    assert "skipped, since it exists" in run(*arguments)[1]


@pytest.mark.parametrize("one_pair", [True, False])
def test_resume_with_another_method_or_setting(run: Run, folders: Path, tmp_path: Path, one_pair: bool) -> None:
    if one_pair:
        arguments = ["fuse", folders / "ir/tno_01.png", folders / "vis/tno_01.png", "-o", tmp_path / "out.png"]
    else:
        arguments = ["fuse", folders, "-o", tmp_path / "out"]
    run(*arguments, "-m", "average")
    made, count = (f"{tmp_path / 'out.png'}\n", 1) if one_pair else ("5 fused", 5)
    for options, former in (
        (["-m", "maximum"], "method: average"),
        (["-m", "maximum", "--color", "gray"], "method: maximum"),
        (["-m", "maximum", "--stretch"], "method: maximum, color: gray"),
        (["-m", "maximum", "--thermal-range", "0", "200"], "method: maximum, stretched"),
        (["-m", "maximum", "--thermal-percentiles", "1", "99"], "method: maximum, thermal range: 0 200"),
        (["-m", "average"], "method: maximum, thermal percentiles: 1 99"),
    ):
        status, printed, said = run(*arguments, *options, "--resume")
        assert (status, made in printed) == (0, True)
        assert f"made again, because its result was made by {former}" in said
        assert count == 1 or "(and 4 more like this)" in said
        _, printed, said = run(*arguments, *options, "--resume")
        assert "skipped" in printed
        assert "made again" not in said


def test_files_without_a_partner_are_counted(run: Run, folders: Path, tmp_path: Path) -> None:
    for i in range(30):
        images.write(folders / "ir" / f"lonely_{i:02}.png", np.zeros((8, 8), np.uint8))
    _, _, said = run("fuse", folders, "-o", tmp_path / "out", "-m", "average")
    assert said.count("no partner: ") == 11
    assert f"no partner: {folders / 'ir' / 'lonely_09.png'}" in said
    assert f"no partner: 20 more in {folders / 'ir'}" in said


def test_unreadable_folders_are_named(run: Run, folders: Path, tmp_path: Path) -> None:
    (tmp_path / "set" / "lost").mkdir(parents=True)
    (tmp_path / "set" / "s").symlink_to(folders)
    (tmp_path / "set" / "gone").symlink_to("nothing")
    status, printed, said = run("fuse", tmp_path / "set", "-o", tmp_path / "out", "-m", "average")
    assert status == 0
    assert "5 fused" in printed
    assert f"warning: {tmp_path / 'set' / 'gone'}: the link is broken" in said


def test_engine_and_precision(run: Run, tno_01: Pair, tmp_path: Path) -> None:
    pair = ("fuse", tno_01.ir, tno_01.vis, "-m", "encoder-decoder")
    status, _, said = run(*pair, "-o", tmp_path / "f.png", "--engine", "torch", "--precision", "fp32")
    assert (status, said) == (0, "engine: torch, fp32: as requested\n")
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
    assert "average runs only on engine torch in fp32: it has no network" in said


def test_results_say_what_computed_them(run: Run, tno_01: Pair, folders: Path, tmp_path: Path) -> None:
    run("fuse", tno_01.ir, tno_01.vis, "-o", tmp_path / "f.png", "-m", "average")
    run("fuse", folders, "-o", tmp_path / "out", "-m", "average", "--format", "jpg")
    for path in (tmp_path / "f.png", *(tmp_path / "out").iterdir()):
        with Image.open(path) as image:
            assert (
                image.getexif()[270] == f"irfuse {__version__}, method: average, engine: torch, fp32: it has no network"
            )


def test_demo(run: Run, tmp_path: Path) -> None:
    status, printed, said = run("demo", "-o", tmp_path / "demo", "-m", "laplacian-pyramid")
    assert status == 0
    assert "engine: torch, fp32: it has no network" in said
    assert str(tmp_path / "demo" / "comparison.png") in printed
    assert images.read(tmp_path / "demo" / "comparison.png").shape[1] > 1000
    assert len(list((tmp_path / "demo").iterdir())) == len(samples.pairs()) + 1


@pytest.mark.parametrize("given", [("-m", "average", "--method", "maximum"), ("--device", "cpu", "--device=cpu")])
def test_an_option_that_is_given_twice_is_an_error(given: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    status, _, said = run("fuse", "ir", "vis", "-o", tmp_path, *given)
    assert (status, said.count("\n")) == (2, 1)
    assert "is given 2 times; give it once" in said


def test_one_or_two_small_pairs_use_no_graph(run: Run, tno_01: Pair, folders: Path, tmp_path: Path) -> None:
    assert "engine: torch" in run("fuse", tno_01.ir, tno_01.vis, "-o", tmp_path / "one.png")[2]
    for role in ("ir", "vis"):
        for path in sorted((folders / role).iterdir())[1:]:
            path.unlink()
    assert "engine: torch" in run("fuse", folders, "-o", tmp_path / "out")[2]


def test_a_video_is_refused_with_the_way_out(run: Run, tmp_path: Path) -> None:
    for name in ("ir.mp4", "vis.AVI"):
        (tmp_path / name).write_bytes(b"x")
    for arguments in (("ir.mp4", "vis.AVI"), ("vis.AVI",)):
        status, _, said = run("fuse", *(tmp_path / name for name in arguments), "-o", tmp_path / "out.mp4")
        assert (status, said.count("\n")) == (2, 1)
        assert "write its frames into a folder first: ffmpeg -i " in said
    (tmp_path / "hot.SEQ").write_bytes(b"x")
    for command in (("fuse", tmp_path / "hot.SEQ", "-o", tmp_path / "out"), ("thermal", "info", tmp_path / "hot.SEQ")):
        status, _, said = run(*command)
        assert (status, said.count("\n")) == (2, 1)
        assert "videos of FLIR are not supported; export its frames as radiometric JPEG" in said


@pytest.mark.parametrize("by", [0, 60])
def test_a_folder_of_shifted_pairs_is_warned_of(by: int, run: Run, data: Path, tmp_path: Path) -> None:
    for role in ("ir", "vis"):
        (tmp_path / role).mkdir()
    for path in sorted((data / "msrs" / "vis").iterdir())[:5]:
        ir, vis = images.read(data / "msrs" / "ir" / path.name), images.read(path)
        width = vis.shape[1] - by
        images.write(tmp_path / "ir" / path.name, ir[:, by:])
        images.write(tmp_path / "vis" / path.name, vis[:, :width])
    status, _, said = run("fuse", tmp_path, "-o", tmp_path / "out", "-m", "average")
    assert status == 0
    assert ("pairs look unregistered" in said) == bool(by)
