"""The settings of a recipe, read off its dataclass: name, type, default, help and range.

The dataclass is their only source. Its annotations give types and ranges, and the section ``Attributes:`` of its
docstring gives the help texts, from which the command's options, the configuration file and the checks are made.
"""

import inspect
import re
from dataclasses import MISSING, dataclass, fields
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from irfuse.errors import TrainingError

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
_ENTRY = re.compile(r"^    (\w+): (.*)$")


@dataclass(frozen=True)
class Range:
    """The range of a number, for use in ``Annotated``; of a tuple, it holds for each item.

    Attributes:
        min: the least value.
        max: the largest value.
        above: the value that all others lie above.
        below: the value that all others lie below.
        multiple: the number that divides all values.

    >>> str(Range(min=0, below=1)), 1.0 in Range(min=0, below=1)
    ('at least 0 and less than 1', False)
    """

    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None
    multiple: int | None = None

    def __contains__(self, value: float) -> bool:
        return (
            (self.min is None or value >= self.min)
            and (self.max is None or value <= self.max)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.multiple is None or value % self.multiple == 0)
        )

    def __str__(self) -> str:
        words = {
            "a multiple of": self.multiple,
            "at least": self.min,
            "more than": self.above,
            "at most": self.max,
            "less than": self.below,
        }
        return " and ".join(f"{word} {value}" for word, value in words.items() if value is not None)


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: the field's name.
        kind: the type of the value, or of each item if there are `many`: int, float, bool, str or a ``Literal``.
        many: whether the value is a tuple.
        default: the default; a setting whose default is None may be None.
        help: the description, one paragraph.
        range: the range, where there is one.
    """

    name: str
    kind: Any
    many: bool
    default: Any
    help: str
    range: Range | None = None

    @property
    def option(self) -> str:
        """The name as the command spells it."""
        return self.name.replace("_", "-")

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a ``Literal``; nothing for other types."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    def checked(self, value: Any) -> Any:
        """Check a value, and convert whole numbers to float and lists to tuples where the setting has those.

        Raises:
            TrainingError: the setting cannot have that value.
        """
        if value is None and self.default is None:
            return None
        if not self.many:
            return self._checked(value)
        if not isinstance(value, list | tuple):
            raise TrainingError(f"{self.name} must be a list, not {value!r}")
        return tuple(self._checked(item) for item in value)

    def _checked(self, value: Any) -> Any:
        if self.choices:
            # 1 equals True and 1.0, which are no choices.
            if not any(value == choice and type(value) is type(choice) for choice in self.choices):
                raise self._error(f"one of {', '.join(map(str, self.choices))}", value)
            return value
        if self.kind is float and type(value) is int:
            value = float(value)
        if type(value) is not self.kind:
            raise self._error(_WORDS[self.kind], value)
        if self.range and value not in self.range:
            raise self._error(str(self.range), value)
        return value

    def _error(self, needed: str, value: Any) -> TrainingError:
        return TrainingError(f"{self.name} must be {needed}, not {value!r}")


def settings(recipe: type[Any]) -> tuple[Setting, ...]:
    """Read the settings off a dataclass, in the order of its fields.

    Raises:
        TypeError: a field has a type that no option can have, or no default.

    >>> @dataclass(frozen=True)
    ... class Recipe:
    ...     '''An example.
    ...
    ...     Attributes:
    ...         steps: the number of steps.
    ...     '''
    ...
    ...     steps: Annotated[int, Range(min=1)] = 100
    >>> [setting] = settings(Recipe)
    >>> setting.option, setting.default, setting.help, str(setting.range)
    ('steps', 100, 'the number of steps.', 'at least 1')
    """
    hints, texts = get_type_hints(recipe, include_extras=True), _attributes(inspect.cleandoc(recipe.__doc__ or ""))
    return tuple(
        _setting(recipe, field.name, hints[field.name], field.default, texts.get(field.name, ""))
        for field in fields(recipe)
    )


def check(recipe: Any) -> None:
    """Check all settings of a recipe against their types and ranges.

    Raises:
        TrainingError: a setting has an impossible value; the error names the setting.
    """
    for setting in settings(type(recipe)):
        setting.checked(getattr(recipe, setting.name))


def _setting(recipe: type[Any], name: str, hint: Any, default: Any, text: str) -> Setting:
    kind, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    arguments, many = get_args(kind), get_origin(kind) is tuple
    if many:
        kind = arguments[0]
    elif NoneType in arguments:
        (kind,) = (argument for argument in arguments if argument is not NoneType)
    if kind not in _WORDS and get_origin(kind) is not Literal:
        raise TypeError(f"{recipe.__name__}.{name}: a setting cannot be of type {hint}")
    if default is MISSING:
        raise TypeError(f"{recipe.__name__}.{name}: a setting needs a default")
    return Setting(name, kind, many, default, text, next((extra for extra in extras if isinstance(extra, Range)), None))


def _attributes(docstring: str) -> dict[str, str]:
    """The entries of the section ``Attributes:`` of a docstring in Google's style, each as one line."""
    _, _, section = docstring.partition("Attributes:\n")
    texts: dict[str, str] = {}
    for line in section.splitlines():
        if line and not line.startswith(" "):
            break
        if entry := _ENTRY.match(line):
            name, texts[name] = entry[1], entry[2]
        elif line.strip():
            texts[name] += " " + line.strip()
    return texts
