"""The parameters of methods: what their constructors take, and how text becomes their values."""

import inspect
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from irfuse.errors import ParameterError, SpecError
from irfuse.methods.base import File, Method, check_info


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method.

    Attributes:
        name: the name in a spec.
        type: the type of its values: a ``Literal``, ``bool``, ``int``, ``float``, ``str`` or another type that is made
            from text.
        default: the value that it has unless a spec gives another one.
        file: the kind of file that its value names; None if it names no file.
    """

    name: str
    type: Any
    default: Any
    file: File | None = None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values that it can have; empty if they are not a list."""
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    def convert(self, text: str, method: str) -> Any:
        """Convert text to a value.

        Args:
            text: the value as a spec gives it.
            method: the name of the method, for errors.

        Raises:
            SpecError: the text is no value of the parameter's type.
        """
        what = f"{method}: {self.name}"
        if self.choices:
            choices = {str(choice): choice for choice in self.choices}
            if text not in choices:
                raise SpecError(f"{what} cannot be {text!r}; choose one of {', '.join(choices)}")
            return choices[text]
        if self.type is bool:
            if text not in ("true", "false"):
                raise SpecError(f"{what} cannot be {text!r}; choose true or false")
            return text == "true"
        try:
            return self.type(text)
        except ValueError:
            raise SpecError(f"{what} cannot be {text!r}; it must be of type {self.type.__name__}") from None


def parameters(method: type[Method]) -> dict[str, Parameter]:
    """List the parameters of a method by their names: the keyword-only arguments of its constructor.

    >>> from irfuse.methods.res2netfuse import Res2NetFuse
    >>> parameters(Res2NetFuse)["strategy"].choices
    ('l1-norm', 'mean', 'average')
    """
    types = get_type_hints(method.__init__, include_extras=True)
    arguments = inspect.signature(method.__init__).parameters.values()
    return {a.name: _parameter(a, types[a.name]) for a in arguments if a.kind is inspect.Parameter.KEYWORD_ONLY}


def check_class(method: type[Method]) -> None:
    """Check that a method can be built from a spec.

    Raises:
        ParameterError: the class has no `info`, or a spec cannot call its constructor.
    """
    check_info(method)
    name = method.__name__
    _, *arguments = inspect.signature(method.__init__).parameters.values()
    for argument in arguments:
        if argument.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            continue
        if argument.kind is not inspect.Parameter.KEYWORD_ONLY or argument.default is inspect.Parameter.empty:
            raise ParameterError(
                f"{name}: the argument {argument.name} of the constructor must be keyword-only and have a default: "
                f"def __init__(self, *, {argument.name}: ... = ...)"
            )
        if argument.annotation is inspect.Parameter.empty:
            raise ParameterError(f"{name}: the argument {argument.name} of the constructor must have a type")
    try:
        known = parameters(method)
    except (NameError, TypeError) as error:
        raise ParameterError(f"{name}: the types of the constructor's arguments cannot be read: {error}") from error
    for parameter in known.values():
        if not (parameter.choices or isinstance(parameter.type, type)):
            raise ParameterError(
                f"{name}: {parameter.name} cannot be of type {parameter.type}; use Literal, bool, int, float or str"
            )


def _parameter(argument: inspect.Parameter, annotation: Any) -> Parameter:
    if get_origin(annotation) is not Annotated:
        return Parameter(argument.name, annotation, argument.default)
    kind, *marks = get_args(annotation)
    file = next((mark for mark in marks if isinstance(mark, File)), None)
    return Parameter(argument.name, kind, argument.default, file)
