from pathlib import Path

import pytest

from irfuse import datasets, samples
from irfuse.errors import DatasetError
from irfuse.imaging import misregistration
from irfuse.training.reading import prepare_pair


@pytest.mark.parametrize("image_set", (*datasets.IMAGE_SETS, *datasets.PAIR_SETS), ids=lambda image_set: image_set.name)
def test_named_sets(image_set: datasets.ImageSet, data: Path) -> None:
    files = image_set.files()
    assert len(set(files)) == len(files)
    assert image_set.citation
    assert image_set.license


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("tno21", 21),
        ("tno20", 20),
        ("vifb", 21),
        ("vifb7", 7),
        ("roadscene", 221),
        ("roadscene50", 50),
        ("msrs", 109),
    ],
)
def test_benchmark_sets(name: str, count: int, data: Path) -> None:
    pairs = datasets.pairs(name).pairs
    assert len({pair.name for pair in pairs}) == count
    assert all(pair.ir.stem == pair.vis.stem for pair in pairs)
    assert all((pair.ir.parent.name, pair.vis.parent.name) == ("ir", "vis") for pair in pairs)


def test_benchmark_sets_are_described() -> None:
    names = {image_set.name for image_set in datasets.BENCHMARK_SETS}
    assert names == {"tno21", "tno20", "vifb", "vifb7", "roadscene", "roadscene50", "msrs"}
    assert all(s.title and s.citation and s.license for s in datasets.BENCHMARK_SETS)


def test_parts_of_sets(data: Path) -> None:
    assert datasets.pairs("tno20").pairs == datasets.pairs("tno21").pairs[:20]
    assert set(datasets.pairs("vifb7").pairs) < set(datasets.pairs("vifb").pairs)
    assert set(datasets.pairs("roadscene50").pairs) < set(datasets.pairs("roadscene").pairs)
    names = (data / "roadscene50.txt").read_text().split()
    assert [pair.vis.name for pair in datasets.pairs("roadscene50").pairs] == sorted(names)
    guests = next((data / "vifb_fused").iterdir())
    assert {path.stem for path in guests.iterdir()} == {pair.name for pair in datasets.pairs("vifb7").pairs}


@pytest.mark.parametrize("name", ["natural330", "images-train"])
def test_training_and_test_images_differ(name: str, data: Path) -> None:
    training = set(datasets.images(name))
    assert not training & set(datasets.images("coco20"))
    tested = {pair.vis for name in ("pairs-val", "roadscene50") for pair in datasets.pairs(name).pairs}
    assert not training & tested
    assert not {"tno21", "vifb"} & {file.relative_to(data).parts[0] for file in training}


def test_pairs_for_training_and_validation_differ(data: Path) -> None:
    """No training pair is a test pair or a sample pair, so that those show how methods treat unseen images."""
    training, validation, test = (datasets.pairs(name).pairs for name in ("pairs-train", "pairs-val", "roadscene50"))
    assert (len(training), len(validation)) == (244, 44)
    sets = [{file for pair in pairs for file in (pair.ir, pair.vis)} for pairs in (training, validation, test)]
    assert not sets[0] & sets[1]
    assert not (sets[0] | sets[1]) & sets[2]
    assert {file.relative_to(data).parts[0] for file in sets[0]} == {"roadscene", "msrs", "m3svd"}
    assert {"00881N", "00633D"} <= {pair.name for pair in validation}
    for pair in (*training, *validation):
        assert pair.ir.stem == pair.vis.stem == pair.name
        assert (pair.ir.parent.name, pair.vis.parent.name) == ("ir", "vis")


@pytest.mark.slow
@pytest.mark.parametrize("name", [pair_set.name for pair_set in datasets.PAIR_SETS])
def test_pairs_for_training_are_registered(name: str, data: Path) -> None:
    """By the check that names 30 of the 55 pairs of ``msrs55``, an earlier source of these sets."""
    for pair in datasets.pairs(name).pairs:
        measured = misregistration.measure_prepared(prepare_pair(pair, 1))
        assert not (measured.shifted or measured.warped), pair


def test_pairs_of_a_folder() -> None:
    assert datasets.pairs(str(samples.FOLDER)).pairs == samples.pairs()
    with pytest.raises(DatasetError, match="no named set of pairs"):
        datasets.pairs("pairs1")


def test_an_incomplete_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRFUSE_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match=r"coco20: .* is missing"):
        datasets.images("coco20")
    first = (Path(datasets.__file__).parent / "coco20.txt").read_text().splitlines()[0].split("  ")[1]
    (tmp_path / first).parent.mkdir(parents=True)
    (tmp_path / first).touch()
    with pytest.raises(DatasetError, match="wrong SHA-256"):
        datasets.images("coco20")
    monkeypatch.delenv("IRFUSE_DATA")
    with pytest.raises(DatasetError, match="set IRFUSE_DATA"):
        datasets.images("coco20")


def test_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no images"):
        datasets.images(str(tmp_path))
    for name in ("b.png", "a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert datasets.images(str(tmp_path)) == [tmp_path / "a.jpg", tmp_path / "b.png"]
    (tmp_path / "c.png").symlink_to("gone")
    assert datasets.images(str(tmp_path))[2:] == [tmp_path / "c.png"]
    assert datasets.images(str(tmp_path / "b.png")) == [tmp_path / "b.png"]
    with pytest.raises(DatasetError, match="no such file or folder"):
        datasets.images("nowhere")


def test_every_file_has_a_source() -> None:
    for image_set in datasets.select([]):
        listed = image_set.listed()
        assert all(name.startswith(tuple(f"{part}/" for part in image_set.sources())) for name in listed)
        assert all(source.startswith("https://") for source in image_set.sources().values())


def test_near_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match=r"tno: no such file or folder, .*; did you mean 'tno21'\?"):
        datasets.pairs("tno")
    with pytest.raises(DatasetError, match="did you mean 'roadscene'\\?"):
        datasets.pairs("RoadScenes")
    with pytest.raises(DatasetError, match="did you mean 'coco20'\\?"):
        datasets.images("coco")
    with pytest.raises(DatasetError, match=r"no named set of pairs \("):
        datasets.pairs("some/folder")
    with pytest.raises(DatasetError, match="VIFB: no named set; did you mean 'vifb'\\?"):
        datasets.select(["tno21", "VIFB"])


def test_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRFUSE_DATA", str(tmp_path))
    (image_set,) = datasets.select(["coco20"])
    assert image_set.found() == 0
    first = next(iter(image_set.listed()))
    (tmp_path / first).parent.mkdir(parents=True)
    (tmp_path / first).touch()
    assert image_set.found() == 1
