import shutil
from pathlib import Path

import pytest

from irfuse import samples
from irfuse.errors import TrainingError
from irfuse.training.data import DataSources, find

FOLDER = str(samples.FOLDER)


def test_pairs_and_what_has_no_partner(tmp_path: Path) -> None:
    for role in ("ir", "vis"):
        shutil.copytree(samples.FOLDER / role, tmp_path / role)
    (tmp_path / "vis" / "tno_12.png").unlink()
    data = find(DataSources(ir=str(tmp_path / "ir"), vis=str(tmp_path / "vis"), validation=FOLDER))
    assert (len(data.pairs), len(data.validation)) == (4, 5)
    assert data.unpaired == (tmp_path / "ir" / "tno_12.png",)


@pytest.mark.parametrize(("count", "held_out"), [(10, 1), (25, 2), (1000, 50)])
def test_some_pairs_are_held_out(count: int, held_out: int, tmp_path: Path) -> None:
    pair = samples.pairs()[0]
    lines = [f"{number},{pair.ir},{pair.vis}" for number in range(count)]
    (tmp_path / "pairs.csv").write_text("\n".join(["name,ir,vis", *lines]))
    data = find(DataSources(pairs=str(tmp_path / "pairs.csv")))
    assert len(data.validation) == held_out
    assert {one.name for one in data.pairs} | {one.name for one in data.validation} == set(map(str, range(count)))
    assert len(data.pairs) + held_out == count
    assert data.held_out
    assert not find(DataSources(pairs=str(tmp_path / "pairs.csv"), validation=FOLDER)).held_out


@pytest.mark.parametrize(
    ("sources", "error"),
    [
        (DataSources(ir="ir"), "give both --ir and --vis, or --pairs"),
        (DataSources(ir="ir", vis="vis", pairs="pairs"), "give both --ir and --vis, or --pairs"),
        (DataSources(pairs=FOLDER), "5 pairs are too few to hold some out for validation: give at least 10"),
    ],
)
def test_sources_that_cannot_be_used(sources: DataSources, error: str) -> None:
    with pytest.raises(TrainingError, match=error):
        find(sources)
