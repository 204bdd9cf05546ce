"""The cache of a benchmark: fused images and scores, each under a key made of everything that it depends on.

Each is written whole or not at all, so that a run that was killed can continue. Nothing is ever out of date, since any
change gives another key. The folder may be deleted at any time.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from irfuse.io import images
from irfuse.io.files import make_folder, remove_unfinished, sha256, write_atomic
from irfuse.io.images import Array

_FORMAT = 2
"""The version of the records' format. Records of another version are not used."""


def key(*parts: str | bool) -> str:
    """Make a key for what depends on all `parts` and on nothing else.

    >>> key("average", "ab") == key("averagea", "b")
    False
    """
    return hashlib.sha256(json.dumps([_FORMAT, *parts]).encode()).hexdigest()


@dataclass(frozen=True)
class Cost:
    """The cost of fusing one pair.

    Attributes:
        seconds: the time from arrays to an array.
        counts: whether the time shows the speed of the method. It does not for a method's first call, which warms up.
        memory: the peak above what the process used before the method was built, in bytes; None for a first call, and
            if the system does not report it.
        operations: the multiplications and additions of products and convolutions; None except for a first call.
    """

    seconds: float
    counts: bool
    memory: int | None
    operations: int | None


@dataclass(frozen=True)
class Fused:
    """A fused image in the cache.

    Attributes:
        path: the path of its file.
        sha256: the SHA-256 of the file's content.
        cost: the cost of fusing it.
        remarks: what looked wrong with the pair.
    """

    path: Path
    sha256: str
    cost: Cost
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scored:
    """The scores of a fused image under one protocol.

    Attributes:
        scores: the scores by the names of the metrics; NaN if undefined.
        undefined: the reasons of the undefined scores, by the names of their metrics.
        remarks: what looks wrong with the images.
    """

    scores: dict[str, float]
    undefined: dict[str, str]
    remarks: tuple[str, ...] = ()

    def joined(self, other: "Scored") -> "Scored":
        """Join these scores with further ones."""
        remarks = dict.fromkeys((*self.remarks, *other.remarks))
        return Scored(self.scores | other.scores, self.undefined | other.undefined, tuple(remarks))


class Cache:
    """A folder of fused images and of scores.

    Args:
        folder: the folder; it is created if it does not exist.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_folder(folder)

    def fused(self, key: str) -> Fused | None:
        """Look up the fused image of a key; None if it is missing or damaged."""
        record = _read(self._place("fused", key))
        if record is None:
            return None
        path = self.folder / "images" / record["image"]
        if not path.is_file() or sha256(path) != record["sha256"]:
            return None
        return Fused(path, record["sha256"], Cost(**record["cost"]), tuple(record["remarks"]))

    def keep_fused(self, key: str, fused: Array, cost: Cost, remarks: tuple[str, ...]) -> Fused:
        """Store a fused image as PNG, or as TIFF if it is floating-point.

        Raises:
            ImageError: it is not an image, or no format can store it.
            OutputError: the folder cannot be written.
        """
        floating = np.issubdtype(fused.dtype, np.floating)
        extension = ".tiff" if floating else ".png"
        data = images.encode(fused.astype(np.float32) if floating else fused, extension)
        # The name is the hash of the content. So a file that another run refers to never changes.
        digest = hashlib.sha256(data).hexdigest()
        path = self.folder / "images" / digest[:2] / f"{digest}{extension}"
        make_folder(path.parent)
        write_atomic(path, data)
        # The record is written last. If it exists, the image is whole.
        image = path.relative_to(self.folder / "images").as_posix()
        _write(
            self._place("fused", key),
            {"image": image, "sha256": digest, "cost": asdict(cost), "remarks": list(remarks)},
        )
        return Fused(path, digest, cost, remarks)

    def scores(self, key: str) -> Scored:
        """Look up the scores of a key so far; empty if there are none."""
        record = _read(self._place("scores", key))
        if record is None:
            return Scored({}, {})
        return Scored(record["scores"], record["undefined"], tuple(record["remarks"]))

    def keep_scores(self, key: str, scored: Scored) -> Scored:
        """Add scores to those of a key, and return all of them.

        Raises:
            OutputError: the folder cannot be written.
        """
        scored = self.scores(key).joined(scored)
        _write(self._place("scores", key), asdict(scored))
        return scored

    def _place(self, kind: str, key: str) -> Path:
        return self.folder / kind / key[:2] / f"{key}.json"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record


def _write(path: Path, record: dict[str, Any]) -> None:
    make_folder(path.parent)
    remove_unfinished(path.parent, {path.name})
    write_atomic(path, json.dumps(record, indent=1).encode())
