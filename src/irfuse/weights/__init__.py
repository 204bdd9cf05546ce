"""Weights files: find, verify, load and save.

A weights file is a ``.safetensors`` file whose header holds, under ``irfuse``, a JSON object: the method that it is for
and how it was made. Those that ship stand in ``manifest.toml`` with their SHA-256 and licence. Those of backbones do
not ship: :mod:`irfuse.weights.fetch` has them.
"""

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from irfuse.errors import WeightsError
from irfuse.io.files import sha256, write_atomic

if TYPE_CHECKING:
    from torch import nn

_FOLDER = Path(__file__).parent
_HEADER_KEY = "irfuse"


@dataclass(frozen=True)
class Entry:
    """A weights file of the manifest that ships.

    Attributes:
        method: the name of the method, or of the network, that it is for.
        name: the name in a spec, without its version.
        version: of that name; a released file is never replaced.
        file: the file's name.
        sha256: of its content.
        licence: of the weights.
        source: how they were made.
    """

    method: str
    name: str
    version: int
    file: str
    sha256: str
    licence: str
    source: str

    @property
    def versioned_name(self) -> str:
        return f"{self.name}-v{self.version}"

    @property
    def path(self) -> Path:
        return _FOLDER / self.file


@cache
def manifest() -> tuple[Entry, ...]:
    """The weights that irfuse knows by name, in the manifest's order."""
    table = tomllib.loads((_FOLDER / "manifest.toml").read_text(encoding="utf-8"))
    return tuple(Entry(**entry) for entry in table["weights"])


def find(method: str, name: str) -> Path:
    """The verified file of a method's weights.

    Args:
        method: the method's name.
        name: a name of the manifest, with its version or without (which means the newest), or the path of a file.

    Raises:
        WeightsError: there is no such name or file, or the file is not the one that the manifest means.

    >>> find("res2netfuse", "single").name
    'res2netfuse-single-v1.safetensors'
    """
    entries = [entry for entry in manifest() if entry.method == method]
    matching = [entry for entry in entries if name in (entry.name, entry.versioned_name)]
    if matching:
        entry = max(matching, key=lambda entry: entry.version)
        verify(entry)
        return entry.path
    path = Path(name)
    if not path.is_file():
        names = ", ".join(dict.fromkeys(entry.name for entry in entries)) or "none"
        raise WeightsError(f"{method} has no weights {name!r}, and there is no such file; known names: {names}")
    return path


def unversioned(method: str, name: str) -> str:
    """A name of the manifest without its version, where that is the newest; any other name as it is.

    >>> unversioned("res2netfuse", "single-v1"), unversioned("res2netfuse", "my.safetensors")
    ('single', 'my.safetensors')
    """
    for entry in manifest():
        if (entry.method, entry.versioned_name) == (method, name) and find(method, entry.name) == entry.path:
            return entry.name
    return name


def verify(entry: Entry) -> None:
    """Check that a weights file is the one that the manifest means.

    Raises:
        WeightsError: it is missing or has another content.
    """
    if not entry.path.is_file():
        raise WeightsError(f"{entry.path}: the weights file is missing; reinstall irfuse")
    found = sha256(entry.path)
    if found != entry.sha256:
        raise WeightsError(
            f"{entry.path}: wrong SHA-256 {found[:16]}..., {entry.sha256[:16]}... is expected: the file is damaged or "
            "was replaced; reinstall irfuse"
        )


def header(path: Path) -> dict[str, Any]:
    """What a weights file says of itself: at least ``method``.

    Raises:
        WeightsError: the file is not a safetensors file, or not one of irfuse.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_HEADER_KEY)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable weights file: {error}") from error
    try:
        found = json.loads(text or "")
    except json.JSONDecodeError:
        found = None
    if not (isinstance(found, dict) and "method" in found):
        raise WeightsError(f"{path}: not weights of irfuse (their header lacks a proper entry {_HEADER_KEY!r})")
    return found


def header_for(method: str, path: Path) -> dict[str, Any]:
    """What a weights file says of itself, if it is that method's.

    Raises:
        WeightsError: it is another method's, or what :func:`header` raises.
    """
    said = header(path)
    if said["method"] != method:
        raise WeightsError(f"{path}: these are weights of {said['method']}, not of {method}")
    return said


def load(network: "nn.Module", method: str, name: str) -> None:
    """Load a method's weights into its network.

    Args:
        name: as :func:`find` takes it.

    Raises:
        WeightsError: there are no such weights, they are damaged, or they are another method's or network's.
    """
    from safetensors.torch import load_file

    path = find(method, name)
    header_for(method, path)
    try:
        network.load_state_dict(load_file(path))
    except RuntimeError as error:
        raise WeightsError(f"{path}: the weights do not fit the network of {method}: {_first_lines(error)}") from error


def save(network: "nn.Module", header: dict[str, Any], path: Path) -> None:
    """Write a network's weights and their header, whole or not at all.

    Raises:
        OutputError: the place cannot be written to.
    """
    from safetensors.torch import save as serialise

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_atomic(path, serialise(tensors, {_HEADER_KEY: json.dumps(header)}))


def _first_lines(error: RuntimeError) -> str:
    return " ".join(line.strip() for line in str(error).splitlines()[1:3])[:200]
