"""Every method with every choice of its parameters that is a list, one parameter at a time."""

import os

from irfuse.methods import METHODS, parameters
from irfuse.methods.base import File
from irfuse.weights import manifest

SUPPLIED = "resnet50"
"""The backbone that IRFUSE_WEIGHTS supplies where it is set; others do not run here."""


def every_spec() -> list[str]:
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
