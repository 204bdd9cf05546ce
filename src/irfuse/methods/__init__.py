"""The methods, one file each. `METHODS` is the list, and :func:`build` makes a method from a spec."""

import difflib
import inspect
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from irfuse import weights
from irfuse.errors import SpecError
from irfuse.methods.attention_ensemble import AttentionEnsemble
from irfuse.methods.average import Average
from irfuse.methods.base import Method
from irfuse.methods.encoder_decoder import EncoderDecoder
from irfuse.methods.laplacian_pyramid import LaplacianPyramid
from irfuse.methods.maximum import Maximum
from irfuse.methods.nst import NST
from irfuse.methods.res2netfuse import Res2NetFuse
from irfuse.methods.resnet152 import ResNet152
from irfuse.progress import Progress, silent
from irfuse.weights import fetch

METHODS: tuple[type[Method], ...] = (
    Res2NetFuse,
    EncoderDecoder,
    AttentionEnsemble,
    ResNet152,
    NST,
    Average,
    Maximum,
    LaplacianPyramid,
)


@dataclass(frozen=True)
class Spec:
    """A method with its parameters as text: ``name`` or ``name:parameter=value,parameter=value``.

    >>> str(Spec.parse("res2netfuse:strategy=mean,weights=many"))
    'res2netfuse:strategy=mean,weights=many'
    """

    name: str
    parameters: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Spec":
        """Read a spec, without asking whether there is such a method.

        Raises:
            SpecError: a parameter lacks its value, or stands twice.
        """
        name, _, rest = text.strip().partition(":")
        parameters: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in rest.split(","))):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not (key and equals and value):
                raise SpecError(f"{text!r}: {part!r} is not of the form parameter=value")
            if key in parameters:
                raise SpecError(f"{text!r}: {key} is given twice")
            parameters[key] = value
        return cls(name.strip(), tuple(parameters.items()))

    def __str__(self) -> str:
        return self.name + ":" * bool(self.parameters) + ",".join(f"{key}={value}" for key, value in self.parameters)


def build(spec: str, *, on_fetch: Progress = silent) -> Method:
    """Make the method that a spec describes. Weights of a backbone are fetched once the whole spec is found right.

    Args:
        spec: see :class:`Spec`.
        on_fetch: told how far the fetching of a backbone's weights is, in megabytes.

    Raises:
        SpecError: there is no such method or parameter, or the parameter cannot have that value.
        ParameterError: the method refuses a value.
        WeightsError: the weights that it asks for cannot be had.

    >>> build("res2netfuse:strategy=mean").strategy
    'mean'
    """
    parsed = Spec.parse(spec)
    method = find(parsed.name)
    types = parameters(method)
    arguments = {}
    for name, text in parsed.parameters:
        if name not in types:
            raise SpecError(f"{method.info.name} has no parameter {name!r}; {_choices(method)}")
        arguments[name] = _convert(text, types[name], f"{method.info.name}: {name}")
    if "backbone" in types:
        default = inspect.signature(method.__init__).parameters["backbone"].default
        _provide(arguments.get("backbone", default), on_fetch)
    return method(**arguments)


def find(name: str) -> type[Method]:
    """The method of that name.

    Raises:
        SpecError: there is none; the error gives the nearest name.
    """
    names = [method.info.name for method in METHODS]
    if name in names:
        return METHODS[names.index(name)]
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise SpecError(f"unknown method {name!r}{hint} (methods: {', '.join(names)})")


def parameters(method: type[Method]) -> dict[str, Any]:
    """The names and types of a method's parameters."""
    types = get_type_hints(method.__init__)
    keywords = inspect.signature(method.__init__).parameters.values()
    return {p.name: types[p.name] for p in keywords if p.kind is inspect.Parameter.KEYWORD_ONLY}


def value(spec: str, parameter: str) -> str | None:
    """The value that a spec gives a parameter, as text, or the one that it has without; None if there is no such one.

    Raises:
        SpecError: there is no such method.

    >>> value("res2netfuse:weights=many", "weights"), value("res2netfuse", "weights"), value("average", "weights")
    ('many', 'single', None)
    """
    parsed = Spec.parse(spec)
    signature = inspect.signature(find(parsed.name).__init__).parameters
    given = dict(parsed.parameters)
    return given.get(parameter, str(signature[parameter].default)) if parameter in signature else None


def shortest(spec: str) -> str:
    """A spec without the parameters that it gives the value that they have anyway; of weights the newest version has.

    Raises:
        SpecError: there is no such method.

    >>> shortest("res2netfuse:strategy=l1-norm,weights=many-v1")
    'res2netfuse:weights=many'
    """
    parsed = Spec.parse(spec)
    name = find(parsed.name).info.name
    given = ((key, weights.unversioned(name, text) if key == "weights" else text) for key, text in parsed.parameters)
    return str(Spec(name, tuple((key, text) for key, text in given if text != value(name, key))))


def _provide(backbone: str, on_fetch: Progress) -> None:
    """Fetch a backbone's weights unless they are here; the method itself verifies those that are."""
    if not fetch.places(backbone):
        fetch.fetch(backbone, on_step=on_fetch)


def _choices(method: type[Method]) -> str:
    names = ", ".join(parameters(method))
    return f"its parameters: {names}" if names else "it takes none"


def _convert(text: str, kind: Any, what: str) -> Any:
    """The value of type `kind` that `text` stands for."""
    if get_origin(kind) is Literal:
        choices = {str(choice): choice for choice in get_args(kind)}
        if text not in choices:
            raise SpecError(f"{what} cannot be {text!r}; choose one of {', '.join(choices)}")
        return choices[text]
    if kind is bool:
        if text not in ("true", "false"):
            raise SpecError(f"{what} cannot be {text!r}; choose true or false")
        return text == "true"
    try:
        return kind(text)
    except ValueError:
        raise SpecError(f"{what} cannot be {text!r}; {kind.__name__} is needed") from None
