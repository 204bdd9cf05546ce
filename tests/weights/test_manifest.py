import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from irfuse import weights
from irfuse.errors import WeightsError
from irfuse.io.files import sha256
from irfuse.methods import build
from irfuse.methods.res2netfuse import AutoEncoder

SHIPPED = weights.find("res2netfuse", "single-v1")


@pytest.mark.parametrize("shipped", weights.manifest(), ids=lambda shipped: shipped.file)
def test_manifest_matches_the_files(shipped: weights.ShippedWeights) -> None:
    weights.verify(shipped)
    assert shipped.license
    assert weights.find(shipped.method, shipped.versioned_name) == shipped.path
    assert weights.header(shipped.path)["method"] == shipped.method
    assert (Path(__file__).parents[2] / "docs" / "models" / f"{shipped.path.stem}.md").is_file()


def test_superseded_weights_are_in_the_repository() -> None:
    """Each can still be used as a file, and its name says where that is."""
    folder = Path(__file__).parents[2] / "superseded"
    assert {entry.file for entry in weights.superseded()} == {path.name for path in folder.glob("*.safetensors")}
    for entry in weights.superseded():
        path = folder / entry.file
        assert sha256(path) == entry.sha256
        build(f"{entry.method}:weights={path}")
        with pytest.raises(WeightsError, match=f"{entry.versioned_name} ships no longer; .* superseded/{entry.file}"):
            weights.find(entry.method, entry.versioned_name)
        assert weights.find(entry.method, entry.name) != path
        assert (folder.parent / "docs" / "models" / f"{path.stem}.md").is_file()


def test_every_shipped_file_is_listed() -> None:
    assert {entry.path for entry in weights.manifest()} == set(SHIPPED.parent.glob("*.safetensors"))


def test_a_name_without_version_is_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    first = weights.manifest()[0]
    monkeypatch.setattr(weights, "manifest", lambda: (first, replace(first, version=12), replace(first, version=3)))
    monkeypatch.setattr(weights, "verify", lambda entry: pytest.fail("v12") if entry.version == 12 else None)
    with pytest.raises(pytest.fail.Exception, match="v12"):
        weights.find(first.method, first.name)


def test_wrong_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(weights.manifest()[0], sha256="0" * 64)
    monkeypatch.setattr(weights, "manifest", lambda: (wrong,))
    with pytest.raises(WeightsError, match=r"wrong SHA-256 \w{16}\.\.\., expected 0{16}\.\.\."):
        weights.find(wrong.method, wrong.name)


def test_missing_shipped_file() -> None:
    with pytest.raises(WeightsError, match="is missing; reinstall"):
        weights.verify(replace(weights.manifest()[0], file="gone.safetensors"))


def test_own_file(tmp_path: Path) -> None:
    shutil.copy(SHIPPED, tmp_path / "mine.safetensors")
    network = AutoEncoder()
    weights.load(network, "res2netfuse", str(tmp_path / "mine.safetensors"))
    shipped = AutoEncoder()
    weights.load(shipped, "res2netfuse", "single")
    for mine, theirs in zip(network.parameters(), shipped.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_save_and_load(tmp_path: Path) -> None:
    network, again = AutoEncoder(), AutoEncoder()
    weights.save(network, {"method": "res2netfuse", "note": "é"}, tmp_path / "x.safetensors")
    assert weights.header(tmp_path / "x.safetensors") == {"method": "res2netfuse", "note": "é"}
    weights.load(again, "res2netfuse", str(tmp_path / "x.safetensors"))
    assert torch.equal(again.encoder[0].weight, network.encoder[0].weight)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    cut, foreign, other, narrow = (tmp_path / f"{name}.safetensors" for name in ("cut", "foreign", "other", "narrow"))
    for i, text in enumerate(("no json", "{}", "[1]")):
        save_file({"x": torch.zeros(1)}, tmp_path / f"header{i}.safetensors", {"irfuse": text})
        with pytest.raises(WeightsError, match="not weights of irfuse"):
            weights.header(tmp_path / f"header{i}.safetensors")
    cut.write_bytes(SHIPPED.read_bytes()[:1000])
    save_file({"x": torch.zeros(1)}, foreign)
    weights.save(AutoEncoder(), {"method": "encoder-decoder"}, other)
    weights.save(torch.nn.Linear(2, 2), {"method": "res2netfuse"}, narrow)
    for file, reason in (
        (cut, "not a readable weights file"),
        (foreign, "not weights of irfuse"),
        (other, "weights are for encoder-decoder, not for res2netfuse"),
        (narrow, "do not fit the network of res2netfuse"),
        (tmp_path / "none.safetensors", "no such file; known names: single, many"),
    ):
        with pytest.raises(WeightsError, match=reason):
            weights.load(AutoEncoder(), "res2netfuse", str(file))
