"""The specs of all methods, with every choice of each parameter that is a list, one parameter at a time."""

import os
from typing import Literal, get_args, get_origin

import pytest

from irfuse.methods import METHODS, parameters, shortest
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
        needed = f"backbone={SUPPLIED}" if "backbone" in parameters(method) else ""
        if needed and "IRFUSE_WEIGHTS" not in os.environ:
            continue
        specs.append(f"{name}:{needed}".rstrip(":"))
        for parameter, kind in parameters(method).items():
            choices = get_args(kind) if get_origin(kind) is Literal else ()
            if parameter == "weights":
                choices = tuple(entry.versioned_name for entry in manifest() if entry.method == name)
            if parameter != "backbone":
                specs += [f"{name}:{','.join(filter(None, [needed, f'{parameter}={choice}']))}" for choice in choices]
    return specs


def distinct_specs() -> list[str]:
    """Every choice once: a default that is named builds what the spec without it builds."""
    return list(dict.fromkeys(shortest(spec) for spec in every_spec()))


def marks(spec: str) -> list[pytest.MarkDecorator]:
    """The marks of a test of this spec."""
    return [pytest.mark.slow] if spec in SLOW else []
