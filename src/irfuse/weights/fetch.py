"""The weights of backbones, which others trained and which do not ship: find them on this machine, or fetch them.

They stand in the table ``backbones`` of ``manifest.toml``. A file is looked for in the folder that the environment
variable ``IRFUSE_WEIGHTS`` names, for machines without network, and then where PyTorch keeps what it downloads, into
which it is fetched. Nothing here needs PyTorch, but :func:`read`.
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
"""The environment variable that names a folder of files for machines without network."""

_MEGABYTE = 10**6
_SECONDS_WITHOUT_DATA = 30.0


@dataclass(frozen=True)
class BackboneFile:
    """A file with a backbone's weights.

    Attributes:
        name: the network's name.
        layout: whose network the weights are for: ``torchvision`` or ``msra``.
        file: the file's name.
        sha256: of its content, in whole or its first digits.
        url: where it can be fetched; empty if nowhere.
        licence: of the weights.
        source: who made them.
    """

    name: str
    layout: str
    file: str
    sha256: str
    url: str
    licence: str
    source: str


@dataclass(frozen=True)
class Found:
    """A file of a backbone's weights on this machine."""

    file: BackboneFile
    path: Path


@cache
def backbone_files() -> tuple[BackboneFile, ...]:
    """The files that irfuse knows, in the manifest's order.

    >>> [file.name for file in backbone_files() if file.layout == "torchvision"]
    ['resnet50', 'resnet101', 'resnet152']
    """
    table = tomllib.loads((Path(__file__).parent / "manifest.toml").read_text(encoding="utf-8"))
    return tuple(BackboneFile(**entry) for entry in table["backbones"])


def cache_folder() -> Path:
    """Where PyTorch keeps what it downloads: ``hub/checkpoints`` under ``TORCH_HOME``, or under its default."""
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def supplied_folder() -> Path | None:
    """The folder that ``IRFUSE_WEIGHTS`` names; None if it is not set.

    Raises:
        WeightsError: there is no such folder.
    """
    name = os.environ.get(SUPPLIED)
    if not name:
        return None
    folder = Path(name).expanduser()
    # Unlike `is_dir`, this does not raise where a folder above is closed to us.
    if not (os.access(folder, os.X_OK) and folder.is_dir()):
        raise WeightsError(f"{SUPPLIED} names {name}, which is no folder that can be read")
    return folder


def places(name: str) -> list[Found]:
    """The files of a backbone's weights on this machine, unverified; the first is the one to use.

    Raises:
        ParameterError: irfuse knows no backbone of that name.
        WeightsError: ``IRFUSE_WEIGHTS`` names no folder.
    """
    files = _files(name)
    folder = supplied_folder()
    supplied = [] if folder is None else [Found(file, folder / file.file) for file in files]
    # What cannot be fetched is not in the cache but by chance.
    cached = [Found(file, cache_folder() / file.file) for file in files if file.url]
    return [found for found in supplied + cached if os.access(found.path, os.F_OK)]


def find(name: str) -> Found:
    """The verified file of a backbone's weights on this machine; nothing is fetched.

    Raises:
        ParameterError: irfuse knows no backbone of that name.
        WeightsError: the weights are not here, or damaged.
    """
    here = places(name)
    if not here:
        file = _official(name)
        raise WeightsError(f"{file.file} is not on this machine: {_ways_out(file)}")
    verify(here[0])
    return here[0]


def fetch(name: str, *, base: str | None = None, on_step: Progress = silent) -> Found:
    """The verified file of a backbone's weights, which is fetched unless it is on this machine.

    Args:
        name: the backbone's name.
        base: the URL of the folder to fetch from, such as a mirror; None is the manifest's.
        on_step: told the megabytes that are here and those in all.

    Raises:
        ParameterError: irfuse knows no backbone of that name.
        WeightsError: the file cannot be fetched or kept, or it is not the one that the manifest means.
    """
    if places(name):
        return find(name)
    file = _official(name)
    return Found(file, download(file, cache_folder(), base=base, on_step=on_step))


def download(file: BackboneFile, folder: Path, *, base: str | None = None, on_step: Progress = silent) -> Path:
    """Fetch a file into a folder, whole or not at all. Two processes that do so at once do not hinder each other.

    Args:
        file: what to fetch.
        folder: where to; it is made if need be.
        base, on_step: as :func:`fetch` takes them.

    Returns:
        The path of the file.

    Raises:
        WeightsError: the file cannot be fetched or kept, or it is not the one that the manifest means.
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
                    f"{url}: wrong SHA-256 {digest.hexdigest()[:16]}..., {file.sha256[:16]}... is expected: "
                    f"{_ways_out(file)}"
                )
    except OutputError as error:
        raise WeightsError(
            f"{file.file} cannot be kept: {error}: let TORCH_HOME name another folder, or {_ways_out(file)}"
        ) from error
    return path


def verify(found: Found) -> None:
    """Check that a file is the one that the manifest means.

    Raises:
        WeightsError: it has another content, or cannot be read.
    """
    try:
        digest = sha256(found.path)
    except OSError as error:
        raise WeightsError(f"{found.path}: cannot be read: {error.strerror or error}") from error
    if not digest.startswith(found.file.sha256):
        raise WeightsError(
            f"{found.path}: wrong SHA-256 {digest[:16]}..., {found.file.sha256[:16]}... is expected: delete it, then "
            f"{_ways_out(found.file)}"
        )


def read(path: Path) -> "dict[str, Tensor]":
    """The tensors of a weights file, on the CPU, by name; all that have fractions in float32.

    Raises:
        WeightsError: the file is damaged, or holds something else than tensors by name.
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
        raise WeightsError(f"{path}: not a readable weights file: it holds something else than tensors by name")
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def _files(name: str) -> list[BackboneFile]:
    files = [file for file in backbone_files() if file.name == name]
    if not files:
        known = ", ".join(dict.fromkeys(file.name for file in backbone_files()))
        raise ParameterError(f"there are no weights for a backbone {name!r}; known names: {known}")
    return files


def _official(name: str) -> BackboneFile:
    """The file that can be fetched."""
    return next(file for file in _files(name) if file.url)


def _open(file: BackboneFile, url: str) -> HTTPResponse:
    try:
        # Some servers refuse Python's own name for itself.
        request = urllib.request.Request(url, headers={"User-Agent": "irfuse"})
        response: HTTPResponse = urllib.request.urlopen(request, timeout=_SECONDS_WITHOUT_DATA)
    except urllib.error.HTTPError as error:
        error.close()
        raise _not_fetched(file, url, f"the server answers {error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise _not_fetched(file, url, _reason(error)) from error
    return response


def _chunks(file: BackboneFile, url: str, response: HTTPResponse, on_step: Progress) -> Iterator[bytes]:
    """The body, a megabyte at a time, checked against the length that the server said."""
    length = response.headers.get("Content-Length")
    total = int(length) if length and length.isdecimal() else None
    done = 0
    while chunk := _next_chunk(file, url, response):
        done += len(chunk)
        yield chunk
        megabytes = math.ceil(done / _MEGABYTE)
        on_step(megabytes, megabytes if total is None else math.ceil(total / _MEGABYTE), file.file)
    # `read` does not mind when the connection ends early.
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
    """What went wrong, without the wrapping that `urllib` puts around it."""
    cause = getattr(error, "reason", error)
    return " ".join((getattr(cause, "strerror", None) or str(cause) or type(cause).__name__).split())


def _ways_out(file: BackboneFile) -> str:
    way = f"copy {file.file} into the folder that {SUPPLIED} names"
    if file.url:
        way = (
            f"on a machine with network fetch {file.url} or run `irfuse weights fetch {file.name}`, and copy the file "
            f"here, into the folder that {SUPPLIED} names"
        )
    smallest = backbone_files()[0].name
    if file.name != smallest:
        way += f"; or use a smaller backbone, as in `-m resnet152:backbone={smallest}`"
    return way
