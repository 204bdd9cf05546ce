"""Every method with every choice of its parameters that is a list, one parameter at a time."""

from typing import Literal, get_args, get_origin

from irfuse.methods import METHODS, parameters
from irfuse.weights import manifest


def every_spec() -> list[str]:
    specs = []
    for method in METHODS:
        name = method.info.name
        specs.append(name)
        for parameter, kind in parameters(method).items():
            choices = get_args(kind) if get_origin(kind) is Literal else ()
            if parameter == "weights":
                choices = tuple(entry.versioned_name for entry in manifest() if entry.method == name)
            specs += [f"{name}:{parameter}={choice}" for choice in choices]
    return specs
