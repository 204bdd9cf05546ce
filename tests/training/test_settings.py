"""What a recipe's dataclass says is what the checks refuse."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import pytest

from irfuse.errors import TrainingError
from irfuse.training import recipes
from irfuse.training.settings import Range, check, settings


@dataclass(frozen=True)
class Example:
    """An example.

    Attributes:
        steps: steps of the optimizer;
            more is better.
        rate: the learning rate.
        decay: the decay.
        level: one of two.
        sides: the sides.
        bright: whether it is bright.
        place: where.

    Raises:
        Nothing: at all.
    """

    steps: Annotated[int, Range(min=2, multiple=2)] = 4
    rate: Annotated[float, Range(above=0, max=1)] = 0.5
    decay: Literal["cosine", "none"] = "none"
    level: Literal[1, 3] = 1
    sides: Annotated[tuple[int, ...], Range(min=16)] = (32,)
    bright: bool = True
    place: str | None = None


def test_help_is_the_docstring() -> None:
    texts = {setting.name: setting.help for setting in settings(Example)}
    assert texts["steps"] == "steps of the optimizer; more is better."
    assert texts["place"] == "where."
    assert len(texts) == 7


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"steps": 5}, "steps must be a multiple of 2 and at least 2, not 5"),
        ({"steps": 0}, "steps must be a multiple of 2 and at least 2, not 0"),
        ({"steps": 2.0}, "steps must be a whole number, not 2.0"),
        ({"steps": True}, "steps must be a whole number, not True"),
        ({"rate": 0.0}, "rate must be more than 0 and at most 1, not 0.0"),
        ({"rate": float("nan")}, "rate must be more than 0 and at most 1, not nan"),
        ({"rate": "fast"}, "rate must be a number, not 'fast'"),
        ({"decay": "linear"}, "decay must be one of cosine, none, not 'linear'"),
        ({"level": True}, "level must be one of 1, 3, not True"),
        ({"sides": 32}, "sides must be a list, not 32"),
        ({"sides": (32, 8)}, "sides must be at least 16, not 8"),
        ({"bright": 1}, "bright must be true or false, not 1"),
    ],
)
def test_impossible_values(change: dict[str, Any], error: str) -> None:
    with pytest.raises(TrainingError) as raised:
        check(replace(Example(), **change))
    assert str(raised.value) == error


def test_possible_values() -> None:
    check(Example(8, 1, "cosine", 3, (), False))
    rate, sides = (setting for setting in settings(Example) if setting.name in ("rate", "sides"))
    assert (rate.checked(1), type(rate.checked(1))) == (1.0, float)
    assert sides.checked([16]) == (16,)


def test_settings_that_no_option_can_have() -> None:
    @dataclass(frozen=True)
    class Wrong:
        table: dict[str, int]

    with pytest.raises(TypeError, match=r"Wrong\.table: a setting cannot be of type dict"):
        settings(Wrong)

    @dataclass(frozen=True)
    class Bare:
        steps: int

    with pytest.raises(TypeError, match=r"Bare\.steps: a setting needs a default"):
        settings(Bare)


@pytest.mark.parametrize("listed", recipes.RECIPES, ids=lambda listed: listed.name)
def test_the_recipes_describe_themselves(listed: recipes.Listed) -> None:
    recipe = recipes.find(listed.name)
    assert recipe.name == listed.name
    recipe()
    for setting in settings(recipe):
        assert len(setting.help) > 10
        assert setting.help.endswith((".", ")."))
