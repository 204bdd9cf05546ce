"""`irfuse train`, as a user meets it."""

from pathlib import Path

from irfuse.io.pairs import Pair
from tests.conftest import Run


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
