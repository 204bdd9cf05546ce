"""`--help` of every command, in a terminal of 80 columns and in a pipe."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from irfuse.cli.app import app
from tests.conftest import Run

RECIPES = ("res2netfuse", "encoder-decoder", "attention-ensemble")


def commands() -> Iterator[tuple[str, Any]]:
    """List every command with its path, such as `weights list`. The options of a recipe are made when it is named."""
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        if name == "train":
            yield from ((f"train {recipe}", command.resolve_command(None, [recipe])[1]) for recipe in RECIPES)
        else:
            inner = getattr(command, "commands", {})
            yield name, command
            yield from ((f"{name} {one}", deeper) for one, deeper in inner.items())


@pytest.mark.parametrize(("path", "command"), [pytest.param(*found, id=found[0]) for found in commands()])
def test_no_option_and_no_text_is_cut(path: str, command: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, printed, _ = run(*path.split(), "--help")
    assert status == 0
    assert max(map(len, printed.splitlines())) <= 80
    text = "".join(printed.split())
    for parameter in command.params:
        for part in (*parameter.opts, *parameter.secondary_opts, parameter.help or ""):
            assert "".join(part.split()) in text, part


@pytest.mark.parametrize("path", ["", "thermal", "train", "weights"])
def test_no_summary_of_a_command_is_cut(path: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    listed = run(*path.split(), "--help")[1].partition("Commands:")[2]
    assert listed
    assert "..." not in listed
