"""The specs of all methods, with every choice of each parameter that has choices, one parameter at a time."""

import os

import pytest

from irfuse.methods import METHODS, parameters, shortest
from irfuse.methods.base import File
from irfuse.weights import manifest

SUPPLIED = "resnet50"
"""The backbone that IRFUSE_WEIGHTS supplies if it is set. Other backbones are not tested."""
SLOW = ("nst:reading=literal",)
"""Specs that take longer than all others together. `nst` with this reading runs all its iterations."""


def every_spec() -> list[str]:
    """List a spec for every choice, defaults included."""
    specs = []
    for method in METHODS:
        name = method.info.name
        known = parameters(method).values()
        needed = ",".join(f"{parameter.name}={SUPPLIED}" for parameter in known if parameter.file is File.BACKBONE)
        if needed and "IRFUSE_WEIGHTS" not in os.environ:
            continue
        specs.append(f"{name}:{needed}".rstrip(":"))
        for parameter in known:
            choices = parameter.choices
            if parameter.file is File.WEIGHTS:
                choices = tuple(shipped.versioned_name for shipped in manifest() if shipped.method == name)
            if parameter.file is not File.BACKBONE:
                given = (f"{parameter.name}={choice}" for choice in choices)
                specs += [f"{name}:{','.join(filter(None, [needed, one]))}" for one in given]
    return specs


def distinct_specs() -> list[str]:
    """List a spec for every distinct choice. Naming a default builds the same method as leaving it out."""
    return list(dict.fromkeys(shortest(spec) for spec in every_spec()))


def marks(spec: str) -> list[pytest.MarkDecorator]:
    """Return the marks for a test of this spec."""
    return [pytest.mark.slow] if spec in SLOW else []
