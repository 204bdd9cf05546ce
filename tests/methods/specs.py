"""Every method with every choice of its parameters that is a list, one parameter at a time."""

import os
from typing import Literal, get_args, get_origin

from irfuse.methods import METHODS, parameters
from irfuse.weights import manifest

SUPPLIED = "resnet50"
"""The backbone that IRFUSE_WEIGHTS supplies where it is set; others do not run here."""


def every_spec() -> list[str]:
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
