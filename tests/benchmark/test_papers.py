import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from irfuse import datasets, samples
from irfuse.benchmark import reproduction
from irfuse.benchmark.papers import PAPERS, base, find
from irfuse.benchmark.papers.base import Ours, Paper, PaperTable, ProtocolMetric, ReconstructionTable, printed
from irfuse.cli import main
from irfuse.errors import BenchmarkWarning, ParameterError, WeightsError
from irfuse.fuser import Fuser
from irfuse.io import images
from irfuse.io.images import Array
from irfuse.io.pairs import Pair, Pairing
from irfuse.methods import Spec, parameters
from irfuse.methods import find as find_method
from irfuse.metrics.protocols import find as find_protocol

TABLES = [(paper, table) for paper in PAPERS for table in paper.tables]


@pytest.mark.parametrize(("paper", "table"), TABLES, ids=lambda item: getattr(item, "data", ""))
def test_tables_fit_the_numbers(paper: Paper, table: PaperTable) -> None:
    numbers = printed(paper.method, table)
    assert set(table.metrics) <= set(numbers.columns) or numbers.empty
    for ours in table.ours:
        assert ours.row in numbers.index or (not ours.row and numbers.empty)
        spec = Spec.parse(ours.spec)
        assert spec.name == paper.method
        assert {name for name, _ in spec.parameters} <= set(parameters(find_method(spec.name)))
    if isinstance(table, ReconstructionTable):
        assert set(table.metrics.values()) <= {"mse", "ssim", "psnr"}
        assert table.images in {known.name for known in datasets.IMAGE_SETS}
        return
    for reading in table.metrics.values():
        assert reading.metric in find_protocol(reading.protocol).readings
    assert table.pairs in {known.name for known in datasets.BENCHMARK_SETS}


def test_numbers_are_as_printed() -> None:
    numbers = printed("encoder-decoder", find("encoder-decoder").tables[0])
    assert numbers.loc["proposed", "Qw"] == "0.75285"
    assert numbers.loc["DLF", "Qe"] == "0.62082"
    assert list(numbers.columns) == ["Qw", "Qe", "Qe*Qw"]
    assert base._numbers().notna().all().all()
    assert len(base._numbers()) == 464


def test_all_tables_of_the_papers_exist() -> None:
    numbers = base._numbers()
    known = set(numbers[["method", "table", "data"]].itertuples(index=False, name=None))
    videos = {row for row in known if row[:2] == ("attention-ensemble", "Table 1")}
    assert len(videos) == 3
    run = {(paper.method, table.table, table.data) for paper, table in TABLES}
    assert known - videos == {row for row in run if not row[1].startswith("The figure")}


TABLE = PaperTable(
    "Table 1",
    "ten TNO pairs, 256x256, mean",
    "tno21",
    {"H": ProtocolMetric("en", "canonical"), "Qcb": ProtocolMetric("qcb", "liu")},
    (Ours("proposed", "average"), Ours("DIDFuse", "maximum", stretch=True)),
    only=("tno_01", "tno_12"),
    size=(32, 40),
    notes=("A note.",),
)


@pytest.fixture
def gray(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = tuple(
        Pair(name, folder / "ir" / f"{name}.png", folder / "vis" / f"{name}.png")
        for name in ("tno_01", "tno_12", "tno_16")
    )
    monkeypatch.setattr(reproduction.datasets, "pairs", lambda name: Pairing(pairs))


@pytest.mark.usefixtures("gray")
def test_reproduction(tmp_path: Path) -> None:
    text = reproduction.reproduce(Paper("nst", (TABLE,), ("On all.",)), cache=tmp_path)
    lines = text.splitlines()
    assert lines[:4] == ["## nst", "", "- On all.", ""]
    assert "| *as irfuse reads it* | - | `qcb` (`liu`) |" in text
    assert "| paper: proposed | 0.5686 | 0.5739 |" in text
    (average,) = (line for line in lines if line.startswith('| irfuse: `average`, for "proposed", 2 pairs | - |'))
    entropy = float(average.split(" | ")[7])
    differences = lines[lines.index(average) + 1].split(" | ")
    assert differences[0] == "| difference to the paper"
    assert float(differences[7]) == pytest.approx(entropy - 7.1461, abs=1e-9)
    assert 'maximum`, stretched, for "DIDFuse"' in text
    assert text.endswith("\n- A note.\n")
    scaled = [images.read(path) for path in (tmp_path / "scaled").rglob("*.png")]
    assert [image.shape for image in scaled] == [(32, 40)] * 4


@pytest.mark.usefixtures("gray")
def test_missing_weights_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **more: object) -> None:
        raise WeightsError("the file is not on this machine")

    monkeypatch.setattr(reproduction, "run", fail)
    text = reproduction.reproduce(Paper("nst", (replace(TABLE, size=None),)), cache=tmp_path)
    assert '| irfuse: `average`, for "proposed": not run |' in text
    # Once for both rows.
    assert text.count("- Not run: the file is not on this machine") == 1


@pytest.mark.usefixtures("gray")
def test_pairs_that_fail_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = Fuser.__call__

    def fail(self: Fuser, ir: Array, vis: Array) -> Array:
        if vis[0, 0] == 133:
            raise ValueError("this is TNO 01")
        return np.asarray(call(self, ir, vis))

    monkeypatch.setattr(Fuser, "__call__", fail)
    paper = Paper("nst", (replace(TABLE, ours=TABLE.ours[:1], size=None),))
    with pytest.warns(BenchmarkWarning, match="average failed on 1 of 2 pairs"):
        text = reproduction.reproduce(paper, cache=tmp_path)
    assert '| irfuse: `average`, for "proposed", 1 of 2 pairs |' in text
    assert '- Failed: `average`, for "proposed", 1 of 2 pairs: tno_01: ValueError: this is TNO 01' in text


def test_missing_data_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRFUSE_DATA", str(tmp_path / "none"))
    paper = Paper("nst", (replace(TABLE, only=()),))
    text = reproduction.reproduce(paper, cache=tmp_path)
    assert "| irfuse: all rows: not run |" + " |" * 10 in text
    assert "- Not run: tno21: " in text
    assert "| paper: proposed | 0.5686 | 0.5739 |" in text
    text = reproduction.reproduce(Paper("res2netfuse", find("res2netfuse").tables[1:2]), cache=tmp_path)
    assert "- Not run: coco20: " in text


def test_reconstruction(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = find("res2netfuse").tables[1]
    assert isinstance(table, ReconstructionTable)
    pictures = [pair.vis for pair in samples.pairs()[:2]]
    monkeypatch.setattr(reproduction.datasets, "images", lambda name: pictures)
    text = reproduction.reproduce(Paper("res2netfuse", (replace(table, ours=table.ours[:1]),)), cache=tmp_path)
    (row,) = (line for line in text.splitlines() if line.startswith("| irfuse: `res2netfuse:weights=single`"))
    psnr = float(row.split(" | ")[3].rstrip(" |"))
    assert psnr > 50
    assert "| difference to the paper | -0.0004" in text
    assert f" | +{psnr - 40.36431:.4f} |" in text


@pytest.mark.usefixtures("gray")
def test_external_images_and_tables_without_numbers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A table without numbers, such as a figure, has only rows of irfuse and of fused images."""
    monkeypatch.setenv("IRFUSE_DATA", str(folder))
    table = PaperTable(
        "The figure",
        "VIFB",
        "vifb7",
        {"Qw": ProtocolMetric("qw", "ataman")},
        (Ours("", "average"),),
        external="external",
    )
    text = reproduction.reproduce(Paper("encoder-decoder", (table,)), cache=tmp_path)
    assert "| irfuse: `average`, 3 pairs | 0." in text
    assert "| irfuse: fused images of external, 3 pairs | 0." in text
    assert "difference" not in text


@pytest.mark.usefixtures("gray")
def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    paper = Paper("nst", (replace(TABLE, ours=TABLE.ours[:1], size=None),))
    monkeypatch.setattr("irfuse.benchmark.papers.PAPERS", (paper,))
    monkeypatch.setenv("IRFUSE_DATA", str(tmp_path))
    target = tmp_path / "reproduction.md"
    arguments = ["irfuse", "reproduce", "-j", "1", "--cache", str(tmp_path / "cache")]
    monkeypatch.setattr(sys, "argv", [*arguments, "-o", str(target)])
    with pytest.raises(SystemExit, match="0"):
        main()
    text = target.read_text(encoding="utf-8")
    assert text.startswith("# The papers' tables, run again\n")
    monkeypatch.setattr(sys, "argv", [*arguments, "nst"])
    with pytest.raises(SystemExit, match="0"):
        main()
    printed = capsys.readouterr().out
    assert printed.startswith(f"{target}\n## nst\n")
    assert text.rstrip().endswith(printed.partition("\n")[2].rstrip())


def test_without_data_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "reproduction.md"
    target.write_text("what was there")
    monkeypatch.setattr(sys, "argv", ["irfuse", "reproduce", "-o", str(target)])
    monkeypatch.delenv("IRFUSE_DATA", raising=False)
    with pytest.raises(SystemExit, match="2"):
        main()
    monkeypatch.setenv("IRFUSE_DATA", str(tmp_path / "none"))
    with pytest.raises(SystemExit, match="2"):
        main()
    said = capsys.readouterr().err.splitlines()
    assert "set IRFUSE_DATA" in said[0]
    assert "the folder that IRFUSE_DATA names does not exist" in said[1]
    assert target.read_text() == "what was there"


def test_no_paper() -> None:
    with pytest.raises(ParameterError, match="choose one of nst, encoder-decoder"):
        find("average")
