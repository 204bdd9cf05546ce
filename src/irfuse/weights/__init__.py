"""Weights files: find, verify, load and save.

A weights file is a ``.safetensors`` file. Its header holds a JSON object under ``irfuse``: the method that the weights
are for, and how they were made. ``manifest.toml`` lists the files that ship, and those that shipped earlier, with their
SHA-256 and license. The weights of backbones do not ship; see :mod:`irfuse.weights.fetch`.
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
class ShippedWeights:
    """A weights file that ships with irfuse.

    Attributes:
        method: the name of the method or network that the weights are for.
        name: the name in a spec, without the version.
        version: the version of that name. A released file is never replaced.
        file: the name of the file.
        sha256: the SHA-256 of its content.
        license: the license of the weights.
        source: how the weights were made.
    """

    method: str
    name: str
    version: int
    file: str
    sha256: str
    license: str
    source: str

    @property
    def versioned_name(self) -> str:
        return f"{self.name}-v{self.version}"

    @property
    def path(self) -> Path:
        return _FOLDER / self.file


@cache
def manifest() -> tuple[ShippedWeights, ...]:
    """List the weights that ship, in the order of the manifest."""
    return _rows("weights")


@cache
def superseded() -> tuple[ShippedWeights, ...]:
    """List the weights that shipped earlier. Their files are not in the package."""
    return _rows("superseded")


def _rows(table: str) -> tuple[ShippedWeights, ...]:
    tables = tomllib.loads((_FOLDER / "manifest.toml").read_text(encoding="utf-8"))
    return tuple(ShippedWeights(**row) for row in tables[table])


def find(method: str, name: str) -> Path:
    """Find and verify the file of a method's weights.

    Args:
        method: the name of the method.
        name: the path of a file, or a name of the manifest. A name without a version means the newest version.

    Raises:
        WeightsError: there is no such name or file, the weights ship no longer, or a file of the manifest is missing
            or damaged.

    >>> find("res2netfuse", "single").name
    'res2netfuse-single-v1.safetensors'
    """
    shipped = [weights for weights in manifest() if weights.method == method]
    matching = [weights for weights in shipped if name in (weights.name, weights.versioned_name)]
    if matching:
        newest = max(matching, key=lambda weights: weights.version)
        verify(newest)
        return newest.path
    for earlier in superseded():
        if (earlier.method, earlier.versioned_name) == (method, name):
            raise WeightsError(
                f"{name} ships no longer; name its file, superseded/{earlier.file} in irfuse's repository"
            )
    path = Path(name)
    if not path.is_file():
        names = ", ".join(dict.fromkeys(weights.name for weights in shipped))
        known = f"known names: {names}" if names else "none ship for it, so name a weights file"
        raise WeightsError(f"{method} has no weights {name!r}, and there is no such file; {known}")
    return path


def unversioned(method: str, name: str) -> str:
    """Remove the version from a name of the manifest if it is the newest. Other names are returned unchanged.

    >>> unversioned("res2netfuse", "single-v1"), unversioned("res2netfuse", "my.safetensors")
    ('single', 'my.safetensors')
    """
    for shipped in manifest():
        if (shipped.method, shipped.versioned_name) == (method, name) and find(method, shipped.name) == shipped.path:
            return shipped.name
    return name


def verify(shipped: ShippedWeights) -> None:
    """Check the content of a weights file that ships.

    Raises:
        WeightsError: the file is missing or has other content.
    """
    if not shipped.path.is_file():
        raise WeightsError(f"{shipped.path}: the weights file is missing; reinstall irfuse")
    found = sha256(shipped.path)
    if found != shipped.sha256:
        raise WeightsError(
            f"{shipped.path}: wrong SHA-256 {found[:16]}..., expected {shipped.sha256[:16]}...: the file is damaged or "
            "was replaced; reinstall irfuse"
        )


def header(path: Path) -> dict[str, Any]:
    """Read the header of a weights file. It has at least the entry ``method``.

    Raises:
        WeightsError: the file is not a safetensors file, or irfuse did not write it.
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
        raise WeightsError(f"{path}: not weights of irfuse: the header has no valid entry {_HEADER_KEY!r}")
    return found


def header_for(method: str, path: Path) -> dict[str, Any]:
    """Read the header of a weights file, and check that it is for a method.

    Raises:
        WeightsError: the weights are for another method, or the file cannot be read as :func:`header` reads it.
    """
    said = header(path)
    if said["method"] != method:
        raise WeightsError(f"{path}: these weights are for {said['method']}, not for {method}")
    return said


def load(network: "nn.Module", method: str, name: str) -> None:
    """Load a method's weights into its network.

    Args:
        network: the network; its state is replaced.
        method: the name of the method.
        name: the weights as :func:`find` takes them.

    Raises:
        WeightsError: the weights are missing or damaged, or they are for another method or network.
    """
    from safetensors.torch import load_file

    path = find(method, name)
    header_for(method, path)
    try:
        network.load_state_dict(load_file(path))
    except RuntimeError as error:
        raise WeightsError(f"{path}: the weights do not fit the network of {method}: {_first_lines(error)}") from error


def save(network: "nn.Module", header: dict[str, Any], path: Path) -> None:
    """Write the weights of a network and their header, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    from safetensors.torch import save as serialize

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_atomic(path, serialize(tensors, {_HEADER_KEY: json.dumps(header)}))


def _first_lines(error: RuntimeError) -> str:
    return " ".join(line.strip() for line in str(error).splitlines()[1:3])[:200]
