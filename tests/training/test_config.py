"""The configuration file says what a training was, and is read back as it was written."""

from pathlib import Path

import pytest

from irfuse.errors import TrainingError
from irfuse.training import config
from irfuse.training.data import DataSources
from irfuse.training.recipes.attention_ensemble import AttentionEnsembleRecipe
from irfuse.training.recipes.encoder_decoder import EncoderDecoderRecipe
from irfuse.training.recipes.res2netfuse import Res2NetFuseRecipe


def test_it_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = EncoderDecoderRecipe(learning_rate=1e-5, halved_at=(3, 5), channels=3, precision="bf16", mse_weight=2)
    written = config.write(
        recipe, DataSources(ir='thermal "ü"', vis="visible", validation="pairs-val"), Path("x.safetensors")
    )
    assert written.name == "x.toml"
    values, sources = config.read(written, EncoderDecoderRecipe)
    assert EncoderDecoderRecipe(**values) == recipe
    assert sources == {"ir": str(tmp_path / 'thermal "ü"'), "vis": str(tmp_path / "visible"), "validation": "pairs-val"}


def test_names_of_weights_stay_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for init, written in (("luma", "luma"), ("luma-v2", "luma-v2"), ("full", str(tmp_path / "full"))):
        file = config.write(EncoderDecoderRecipe(), DataSources(pairs="pairs-train", init=init), Path("x.safetensors"))
        assert config.read(file, EncoderDecoderRecipe)[1] == {"init": written, "pairs": "pairs-train"}


def test_parts_may_be_left_out(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("settings.learning_rate = 1\n")
    assert config.read(file, Res2NetFuseRecipe) == ({"learning_rate": 1.0}, {})
    file.write_text("")
    assert config.read(file, Res2NetFuseRecipe) == ({}, {})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("iterations = 3", r"unknown entry 'iterations' \(known: recipe, data, settings\)"),
        ("setings.batch = 3", "unknown entry 'setings'; did you mean 'settings'"),
        ("settings.iteration = 3", "unknown setting 'iteration'; did you mean 'iterations'"),
        ("settings.iterations = '3'", "iterations must be a whole number, not '3'"),
        ("settings.iterations = 0", "iterations must be at least 1, not 0"),
        ("settings = 3", r"settings must be a table, \[settings\]"),
        ("data.pairs = 'pairs-train'", "unknown source of data 'pairs'"),
        ("data.images = 3", "images must be text, not 3"),
        ("recipe = 'encoder-decoder'", "is for the recipe encoder-decoder, not for res2netfuse"),
        ("no TOML", "not a TOML file"),
    ],
)
def test_what_it_cannot_say(text: str, error: str, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(text)
    with pytest.raises(TrainingError, match=rf"x\.toml:? .*{error}"):
        config.read(file, Res2NetFuseRecipe)


def test_the_example_of_the_docs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    example = next(block for block in page.split("```toml\n")[1:] if block.startswith("recipe = ")).partition("```")[0]
    (tmp_path / "x.toml").write_text(example)
    values, sources = config.read(tmp_path / "x.toml", EncoderDecoderRecipe)
    assert EncoderDecoderRecipe(**values).halved_at == (20, 40, 60)
    assert sources["validation"] == "pairs-val"


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"x\.toml: the file cannot be read: No such file"):
        config.read(tmp_path / "x.toml", AttentionEnsembleRecipe)
