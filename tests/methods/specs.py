"""The specs of all methods, with every choice of each parameter that is a list, one parameter at a time."""

import os

import pytest

from irfuse.methods import METHODS, parameters, shortest
from irfuse.methods.base import File
from irfuse.weights import manifest

SUPPLIED = "resnet50"
"""The backbone that IRFUSE_WEIGHTS supplies where it is set; others do not run here."""
SLOW = ("nst:reading=literal",)
"""Specs that take several times as long as all others together: `nst` with this reading does all its iterations."""


def every_spec() -> list[str]:
    """Every choice by its name, defaults included."""
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
    """Every choice once: a default that is named builds what the spec without it builds."""
    return list(dict.fromkeys(shortest(spec) for spec in every_spec()))


def marks(spec: str) -> list[pytest.MarkDecorator]:
    """The marks of a test of this spec."""
    return [pytest.mark.slow] if spec in SLOW else []
