"""What made an image: the description that irfuse stores in the files that it writes."""

import re

FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
"""The extensions of the files in which irfuse always stores a description."""

_MAKER = re.compile(r"irfuse [^,]*, (.*), engine: ", re.DOTALL)


def describe(version: str, maker: str, engine: str) -> str:
    """Return the description of an image.

    Args:
        version: irfuse's.
        maker: the method and the settings that decide the result.
        engine: what computed it.

    >>> describe("1.0", "method: average", "torch, fp32")
    'irfuse 1.0, method: average, engine: torch, fp32'
    """
    return f"irfuse {version}, {maker}, engine: {engine}"


def maker(description: str) -> str | None:
    """Return the method and its settings from a description; None if it is not one of irfuse's.

    Neither the version nor the engine counts: they do not decide what a result shows.

    >>> maker("irfuse 1.0, method: average, engine: torch, fp32")
    'method: average'
    """
    found = _MAKER.match(description.encode("ascii", "replace").decode())
    return found[1] if found else None
