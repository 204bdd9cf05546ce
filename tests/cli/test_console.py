"""What all commands print with."""

import io

import pytest
from rich.console import Console

from irfuse.cli import console


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


def test_a_bar_without_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(console, "errors", Console(force_terminal=True, file=shown))
    with console.progress("fusing", "pairs") as on_step:
        on_step(3, None, "street")
    assert "3/?" in shown.getvalue()
    assert "street" in shown.getvalue()


@pytest.mark.parametrize(("total", "line"), [(5, "fusing 3/5 street\n"), (None, "fusing 3 street\n")])
def test_lines_of_a_log(total: int | None, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(console, "errors", Console(file=shown))
    monkeypatch.setattr(console, "_SECONDS_BETWEEN_LINES", -1.0)
    with console.progress("fusing", "pairs") as on_step:
        on_step(3, total, "street")
    assert shown.getvalue() == line
