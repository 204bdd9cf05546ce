"""`irfuse datasets`, as a user meets it."""

import json
import shutil
from pathlib import Path

import pytest

from irfuse import datasets
from tests.conftest import Run


def test_list_without_data(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IRFUSE_DATA", raising=False)
    status, printed, _ = run("datasets")
    assert status == 0
    text = " ".join(printed.split())
    for image_set in datasets.select([]):
        assert f"{image_set.name} " in printed
        assert f"0 of {len(image_set.listed())}" in text
    assert "https://github.com/xingchenzhang/VIFB" in printed
    assert "free for research" in text
    assert "IRFUSE_DATA is not set" in text
    status, _, said = run("datasets", "--check")
    assert (status, said.count("\n")) == (2, 1)
    assert "set IRFUSE_DATA to the folder that holds the data" in said


def test_check(run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRFUSE_DATA", str(tmp_path))
    (vifb7,) = datasets.select(["vifb7"])
    for name in vifb7.listed():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(data / name, tmp_path / name)
    _, printed, _ = run("datasets", "vifb7", "tno21")
    assert "14 of 14" in printed
    assert "0 of 42" in printed
    assert f"IRFUSE_DATA is {tmp_path}" in printed
    assert run("datasets", "vifb7", "--check")[:2] == (0, "vifb7: 14 files: OK\n")
    first = next(iter(vifb7.listed()))
    (tmp_path / first).write_bytes(b"x")
    status, printed, said = run("datasets", "vifb7", "tno21", "--check")
    assert (status, printed, said.count("\n")) == (2, "", 2)
    assert f"vifb7: {tmp_path / first} is not the file in the list (wrong SHA-256)" in said
    assert "is missing; `irfuse datasets` says where to get it" in said


def test_json(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (vifb,) = datasets.select(["vifb"])
    monkeypatch.setenv("IRFUSE_DATA", str(tmp_path))
    first = tmp_path / next(iter(vifb.listed()))
    first.parent.mkdir(parents=True)
    first.write_bytes(b"x")
    facts = {
        "name": "vifb",
        "title": vifb.title,
        "citation": vifb.citation,
        "license": vifb.license,
        "files": 42,
        "found": 1,
        "sources": {"vifb": "https://github.com/xingchenzhang/VIFB"},
    }
    status, printed, said = run("datasets", "vifb", "--json")
    assert (status, json.loads(printed), said) == (0, [facts], "")
    status, printed, said = run("datasets", "vifb", "--check", "--json")
    problem = f"vifb: {first} is not the file in the list (wrong SHA-256)"
    assert (status, json.loads(printed), said) == (2, [{**facts, "problem": problem}], "")
    monkeypatch.delenv("IRFUSE_DATA")
    assert json.loads(run("datasets", "vifb", "--json")[1]) == [{**facts, "found": 0}]


def test_check_as_json(run: Run, data: Path) -> None:
    status, printed, _ = run("datasets", "vifb7", "--check", "--json")
    (vifb7,) = json.loads(printed)
    assert (status, vifb7["found"], vifb7["problem"]) == (0, 14, None)


def test_unknown_set(run: Run) -> None:
    status, _, said = run("datasets", "tno")
    assert (status, said.count("\n")) == (2, 1)
    assert "tno: no named set; did you mean 'tno21'?" in said
