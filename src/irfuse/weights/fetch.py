"""The weights of backbones: find them on this machine, or fetch them.

Others trained these weights, and they do not ship. The table ``backbones`` of ``manifest.toml`` lists them. A file is
searched in the folder that the environment variable ``IRFUSE_WEIGHTS`` names, then in the folder of PyTorch's
downloads. It is fetched into the latter. Only :func:`read` needs PyTorch.
"""

import hashlib
import math
import os
import pickle
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from irfuse.errors import OutputError, ParameterError, WeightsError
from irfuse.io.files import make_folder, open_atomic, sha256
from irfuse.progress import Progress, silent

if TYPE_CHECKING:
    from torch import Tensor

SUPPLIED = "IRFUSE_WEIGHTS"
"""The environment variable that names a folder with weights, for machines without a network."""

_MEGABYTE = 10**6
_SECONDS_WITHOUT_DATA = 30.0


@dataclass(frozen=True)
class BackboneFile:
    """A file with a backbone's weights.

    Attributes:
        name: the name of the network.
        layout: the network's variant: ``torchvision`` or ``msra``.
        file: the name of the file.
        sha256: the SHA-256 of its content, or the first digits of it.
        url: the URL to fetch it from; empty if it cannot be fetched.
        license: the license of the weights.
        source: who made the weights.
    """

    name: str
    layout: str
    file: str
    sha256: str
    url: str
    license: str
    source: str


@dataclass(frozen=True)
class Found:
    """A file of a backbone's weights on this machine."""

    file: BackboneFile
    path: Path


@cache
def backbone_files() -> tuple[BackboneFile, ...]:
    """List the files that irfuse knows, in the order of the manifest.

    >>> [file.name for file in backbone_files() if file.layout == "torchvision"]
    ['resnet50', 'resnet101', 'resnet152']
    """
    table = tomllib.loads((Path(__file__).parent / "manifest.toml").read_text(encoding="utf-8"))
    return tuple(BackboneFile(**entry) for entry in table["backbones"])


def cache_folder() -> Path:
    """The folder of PyTorch's downloads: ``hub/checkpoints`` under ``TORCH_HOME`` or its default."""
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def supplied_folder() -> Path | None:
    """The folder that ``IRFUSE_WEIGHTS`` names; None if the variable is not set.

    Raises:
        WeightsError: the folder does not exist or cannot be read.
    """
    name = os.environ.get(SUPPLIED)
    if not name:
        return None
    folder = Path(name).expanduser()
    # Unlike `is_dir`, `access` does not raise if a parent folder cannot be read.
    if not (os.access(folder, os.X_OK) and folder.is_dir()):
        raise WeightsError(f"{SUPPLIED} names {name}, which is not a readable folder")
    return folder


def places(name: str) -> list[Found]:
    """List the files of a backbone's weights on this machine, unverified. The first one is used.

    Raises:
        ParameterError: irfuse knows no backbone of that name.
        WeightsError: ``IRFUSE_WEIGHTS`` does not name a readable folder.
    """
    files = _files(name)
    folder = supplied_folder()
    supplied = [] if folder is None else [Found(file, folder / file.file) for file in files]
    # A file that cannot be fetched is not searched among the downloads.
    cached = [Found(file, cache_folder() / file.file) for file in files if file.url]
    return [found for found in supplied + cached if os.access(found.path, os.F_OK)]


def find(name: str) -> Found:
    """Find and verify the file of a backbone's weights on this machine. Nothing is fetched.

    Raises:
        ParameterError: irfuse knows no backbone of that name.
        WeightsError: the file is missing or damaged.
    """
    here = places(name)
    if not here:
        file = _official(name)
        raise WeightsError(f"{file.file} is not on this machine: {_ways_out(file)}")
    verify(here[0])
    return here[0]


def fetch(name: str, *, base: str | None = None, on_step: Progress = silent) -> Found:
    """Find and verify the file of a backbone's weights, and fetch it if it is not on this machine.

    Args:
        name: the name of the backbone.
        base: the URL of the folder to fetch from, such as a mirror; None uses the URL of the manifest.
        on_step: called with the megabytes so far and in all; the latter is None if the server does not say.

    Raises:
        ParameterError: irfuse knows no backbone of that name.
        WeightsError: the file cannot be fetched or stored, or it has the wrong content.
    """
    if places(name):
        return find(name)
    file = _official(name)
    return Found(file, download(file, cache_folder(), base=base, on_step=on_step))


def download(file: BackboneFile, folder: Path, *, base: str | None = None, on_step: Progress = silent) -> Path:
    """Fetch a file into a folder, whole or not at all. Two processes may fetch the same file at once.

    Args:
        file: the file.
        folder: the folder; it is created if it does not exist.
        base, on_step: as :func:`fetch` takes them.

    Returns:
        The path of the file.

    Raises:
        WeightsError: the file cannot be fetched or stored, or it has the wrong content.
    """
    url = file.url if base is None else f"{base.rstrip('/')}/{file.file}"
    path = folder / file.file
    try:
        make_folder(folder)
        with open_atomic(path) as target, _open(file, url) as response:
            digest = hashlib.sha256()
            for chunk in _chunks(file, url, response, on_step):
                target.write(chunk)
                digest.update(chunk)
            if not digest.hexdigest().startswith(file.sha256):
                raise WeightsError(
                    f"{url}: wrong SHA-256 {digest.hexdigest()[:16]}..., expected {file.sha256[:16]}...: "
                    f"{_ways_out(file)}"
                )
    except OutputError as error:
        raise WeightsError(
            f"{file.file} cannot be stored: {error}: set TORCH_HOME to another folder, or {_ways_out(file)}"
        ) from error
    return path


def verify(found: Found) -> None:
    """Check the content of a file.

    Raises:
        WeightsError: the file has the wrong content, or it cannot be read.
    """
    try:
        digest = sha256(found.path)
    except OSError as error:
        raise WeightsError(f"{found.path}: cannot be read: {error.strerror or error}") from error
    if not digest.startswith(found.file.sha256):
        raise WeightsError(
            f"{found.path}: wrong SHA-256 {digest[:16]}..., expected {found.file.sha256[:16]}...: delete it, then "
            f"{_ways_out(found.file)}"
        )


def read(path: Path) -> "dict[str, Tensor]":
    """Read the tensors of a weights file onto the CPU, by their names. Floating-point tensors become float32.

    Raises:
        WeightsError: the file is damaged, or it does not map names to tensors.
    """
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{path}: not a readable weights file: {reason}") from error
    if not (isinstance(tensors, dict) and all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())):
        raise WeightsError(f"{path}: not a readable weights file: it does not map names to tensors")
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def _files(name: str) -> list[BackboneFile]:
    files = [file for file in backbone_files() if file.name == name]
    if not files:
        known = ", ".join(dict.fromkeys(file.name for file in backbone_files()))
        raise ParameterError(f"unknown backbone {name!r}; known names: {known}")
    return files


def _official(name: str) -> BackboneFile:
    """The file that can be fetched."""
    return next(file for file in _files(name) if file.url)


def _open(file: BackboneFile, url: str) -> HTTPResponse:
    try:
        # Some servers refuse the user agent of urllib.
        request = urllib.request.Request(url, headers={"User-Agent": "irfuse"})
        response: HTTPResponse = urllib.request.urlopen(request, timeout=_SECONDS_WITHOUT_DATA)
    except urllib.error.HTTPError as error:
        error.close()
        raise _not_fetched(file, url, f"the server answers {error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise _not_fetched(file, url, _reason(error)) from error
    return response


def _chunks(file: BackboneFile, url: str, response: HTTPResponse, on_step: Progress) -> Iterator[bytes]:
    """Read the body, a megabyte at a time, and check its length against the server's."""
    length = response.headers.get("Content-Length")
    total = int(length) if length and length.isdecimal() else None
    done = 0
    while chunk := _next_chunk(file, url, response):
        done += len(chunk)
        yield chunk
        on_step(math.ceil(done / _MEGABYTE), None if total is None else math.ceil(total / _MEGABYTE), file.file)
    # `read` does not raise if the connection ends early.
    if total is not None and done != total:
        raise _not_fetched(file, url, f"the transfer ended after {done} of {total} bytes")


def _next_chunk(file: BackboneFile, url: str, response: HTTPResponse) -> bytes:
    try:
        return response.read(_MEGABYTE)
    except (OSError, HTTPException) as error:
        raise _not_fetched(file, url, f"the transfer failed: {_reason(error)}") from error


def _not_fetched(file: BackboneFile, url: str, reason: str) -> WeightsError:
    return WeightsError(f"{url} cannot be fetched: {reason}: {_ways_out(file)}")


def _reason(error: Exception) -> str:
    """The reason of an error, without the text that urllib puts around it."""
    cause = getattr(error, "reason", error)
    return " ".join((getattr(cause, "strerror", None) or str(cause) or type(cause).__name__).split())


def _ways_out(file: BackboneFile) -> str:
    way = f"copy {file.file} into the folder that {SUPPLIED} names"
    if file.url:
        way = (
            f"on a machine with a network, fetch {file.url} or run `irfuse weights fetch {file.name}`, and copy the "
            f"file here into the folder that {SUPPLIED} names"
        )
    smallest = backbone_files()[0].name
    if file.name != smallest:
        way += f"; or use a smaller backbone, as in `-m resnet152:backbone={smallest}`"
    return way
