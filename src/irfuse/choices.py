"""Choices: check that a value is one of those allowed."""

from typing import get_args

from irfuse.errors import ParameterError


def check_choice(name: str, value: object, choices: object) -> None:
    """Refuse a value that is not one of the choices of a `Literal`.

    Raises:
        ParameterError: the error names the choices.
    """
    if value not in get_args(choices):
        raise ParameterError(f"{name} cannot be {value!r}; choose one of {', '.join(map(str, get_args(choices)))}")
