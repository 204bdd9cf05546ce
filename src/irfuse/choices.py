"""Choices: check that a value is one of those allowed, and suggest the one that is meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import get_args

from irfuse.errors import ParameterError

_SIMILAR = 0.57
"""The least similarity of a name that is suggested. Shortened names, such as `tno` for `tno21`, are well above it."""


def check_choice(name: str, value: object, choices: object) -> None:
    """Refuse a value that is not one of the choices of a `Literal`.

    Raises:
        ParameterError: the error names the choices.
    """
    if value not in get_args(choices):
        raise ParameterError(f"{name} cannot be {value!r}; choose one of {', '.join(map(str, get_args(choices)))}")


def hint(name: str, known: Iterable[str]) -> str:
    """Suggest the known name that is most like an unknown one.

    Args:
        name: the unknown name. Upper and lower case are alike.
        known: the known names.

    Returns:
        The end of a message, `; did you mean 'NAME'?`; empty if no known name is similar.

    >>> hint("Tno", ["vifb", "tno21"]), hint("x", ["vifb"])
    ("; did you mean 'tno21'?", '')
    """
    by_lower = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=_SIMILAR)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""
