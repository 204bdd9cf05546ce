"""The methods, one file each. `METHODS` lists those that ship, and :func:`build` makes a method from a spec."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from irfuse import weights
from irfuse.choices import hint
from irfuse.errors import IrfuseError, SpecError
from irfuse.io.files import sha256
from irfuse.methods.attention_ensemble import AttentionEnsemble
from irfuse.methods.average import Average
from irfuse.methods.base import File, Method
from irfuse.methods.ember import Ember
from irfuse.methods.encoder_decoder import EncoderDecoder
from irfuse.methods.laplacian_pyramid import LaplacianPyramid
from irfuse.methods.maximum import Maximum
from irfuse.methods.nst import NST
from irfuse.methods.registry.files import from_file
from irfuse.methods.registry.parameters import Parameter as Parameter
from irfuse.methods.registry.parameters import parameters as parameters
from irfuse.methods.registry.plugins import method_plugins
from irfuse.methods.registry.spec import Spec as Spec
from irfuse.methods.res2netfuse import Res2NetFuse
from irfuse.methods.resnet152 import ResNet152
from irfuse.progress import Progress, silent
from irfuse.weights import fetch

METHODS: tuple[type[Method], ...] = (
    Ember,
    Res2NetFuse,
    EncoderDecoder,
    AttentionEnsemble,
    ResNet152,
    NST,
    Average,
    Maximum,
    LaplacianPyramid,
)
"""The methods that ship with irfuse."""


def available() -> tuple[type[Method], ...]:
    """List the methods that have a name: those that ship, then those of other packages.

    A package's method that cannot be used is left out with a warning; see :mod:`irfuse.methods.registry.plugins`.
    """
    return (*METHODS, *(plugin.method for plugin in method_plugins(_names(METHODS))))


def build(spec: str, *, on_fetch: Progress = silent) -> Method:
    """Build the method that a spec describes.

    The weights of a backbone are fetched if they are not on this machine, after the whole spec has been checked.

    Args:
        spec: see :class:`Spec`.
        on_fetch: called while the weights of a backbone are fetched, with the megabytes so far and in all.

    Raises:
        SpecError: the method or a parameter does not exist, a parameter cannot have the given value, or a method that
            does not ship with irfuse cannot be built.
        ParameterError: the method refuses a value.
        WeightsError: the weights are missing, damaged or of another method, or cannot be fetched.

    >>> build("res2netfuse:strategy=mean").strategy
    'mean'
    """
    parsed = Spec.parse(spec)
    method = find(parsed.name)
    known = parameters(method)
    arguments = {}
    for name, text in parsed.parameters:
        if name not in known:
            raise SpecError(f"{method.info.name} has no parameter {name!r}; {_listed(known)}")
        arguments[name] = known[name].convert(text, method.info.name)
    for name, parameter in known.items():
        if parameter.file is File.BACKBONE:
            _provide(arguments.get(name, parameter.default), on_fetch)
    try:
        return method(**arguments)
    except IrfuseError:
        raise
    except Exception as error:
        if ships(parsed.name):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise SpecError(f"{spec} cannot be built: {reason}") from error


def find(name: str) -> type[Method]:
    """Find a method by the name in its spec, which may also be ``FILE.py:CLASS``.

    Raises:
        SpecError: there is no such method. The message suggests the most similar name.
    """
    place = Spec(name).place
    if place is not None:
        return from_file(*place)
    methods = METHODS if ships(name) else available()
    names = _names(methods)
    if name in names:
        return methods[names.index(name)]
    raise SpecError(f"unknown method {name!r}{hint(name, names)} (methods: {', '.join(names)})")


def ships(name: str) -> bool:
    """Tell whether a name in a spec is that of a method that ships with irfuse.

    >>> ships("average"), ships("my.py:Average")
    (True, False)
    """
    return name in _names(METHODS)


def code_digest(method: type[Method]) -> str:
    """The digest of the code of a method that does not ship with irfuse; empty for one that does.

    It covers the file that defines the class, and the name and version of the package that brings the method along. It
    does not cover what that file imports.
    """
    if method in METHODS:
        return ""
    owners = [plugin.distribution for plugin in method_plugins(_names(METHODS)) if plugin.method is method]
    return " ".join([sha256(Path(inspect.getfile(method))), *owners])


def values(spec: str, file: File) -> list[str]:
    """The values of a spec's parameters that name a file of one kind, whether the spec gives them or not.

    Raises:
        SpecError: there is no such method.

    >>> values("res2netfuse:weights=many", File.WEIGHTS), values("res2netfuse", File.WEIGHTS)
    (['many'], ['single'])
    >>> values("average", File.WEIGHTS)
    []
    """
    parsed = Spec.parse(spec)
    given = dict(parsed.parameters)
    known = parameters(find(parsed.name))
    return [given.get(name, str(parameter.default)) for name, parameter in known.items() if parameter.file is file]


def shortest(spec: str) -> str:
    """Shorten a spec: leave out values that are the default, and versions of weights that are the newest.

    Raises:
        SpecError: there is no such method.

    >>> shortest("res2netfuse:strategy=l1-norm,weights=many-v1")
    'res2netfuse:weights=many'
    """
    parsed = Spec.parse(spec)
    method = find(parsed.name)
    known = parameters(method)
    kept = []
    for name, text in parsed.parameters:
        parameter = known.get(name)
        if parameter is not None and parameter.file is File.WEIGHTS:
            text = weights.unversioned(method.info.name, text)
        if parameter is None or text != str(parameter.default):
            kept.append((name, text))
    return str(Spec(parsed.name, tuple(kept)))


def _names(methods: tuple[type[Method], ...]) -> tuple[str, ...]:
    return tuple(method.info.name for method in methods)


def _provide(backbone: str, on_fetch: Progress) -> None:
    """Fetch a backbone's weights unless they are on this machine. The method itself verifies those that are."""
    if not fetch.places(backbone):
        fetch.fetch(backbone, on_step=on_fetch)


def _listed(known: Mapping[str, Any]) -> str:
    return f"its parameters: {', '.join(known)}" if known else "it takes no parameters"
