"""How irfuse was installed, and so how to add one of its extras."""

import json
import re
from importlib.metadata import Distribution, distribution
from urllib.parse import urlsplit
from urllib.request import url2pathname


def install(extra: str) -> str:
    """Return the command that adds an extra to this installation.

    An installation from a folder or a file names that place. Any other lists the packages, which are published under
    these names wherever irfuse itself came from.

    Args:
        extra: the name of the extra, such as ``torch`` or ``bench``.

    >>> install("torch").startswith("pip install ")
    True
    """
    return command(distribution("irfuse"), extra)


def command(installed: Distribution, extra: str) -> str:
    """Return the command for an installed distribution; see :func:`install`."""
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    url = urlsplit(origin.get("url", ""))
    if url.scheme == "file":
        # Without -e, pip would replace an editable installation by a copy.
        editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
        return f'pip install {editable}"{url2pathname(url.path)}[{extra}]"'
    packages = [
        match[1].strip()
        for requirement in installed.requires or []
        if (match := re.fullmatch(rf"""([^;]+);.*extra == ['"]{re.escape(extra)}['"].*""", requirement))
    ]
    return "pip install " + " ".join(f'"{package}"' for package in packages)
