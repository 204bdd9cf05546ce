"""Named sets: committed lists of files with their SHA-256, in the folder that ``IRFUSE_DATA`` names.

Each list is a text file in this package, in the format of ``sha256sum``. In the lists of pairs, the infrared image of
each pair is followed by its visible image.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from irfuse.choices import hint
from irfuse.errors import DatasetError
from irfuse.io.files import sha256
from irfuse.io.formats import is_image
from irfuse.io.pairs import Pair, Pairing, find

_FOLDER = Path(__file__).parent
_BSDS = (
    'P. Arbelaez, M. Maire, C. Fowlkes, J. Malik: "Contour detection and hierarchical image segmentation", IEEE TPAMI '
    "33(5), 2011 (BSDS500)"
)
_COCO = 'T.-Y. Lin and others: "Microsoft COCO: common objects in context", ECCV 2014 (50 images of train2017)'
_ROADSCENE = (
    'H. Xu, J. Ma, J. Jiang, X. Guo, H. Ling: "U2Fusion: A unified unsupervised image fusion network", IEEE TPAMI '
    "44(1), 2022 (RoadScene)"
)
_MSRS = (
    'L. Tang, J. Yuan, H. Zhang, X. Jiang, J. Ma: "PIAFusion: A progressive infrared and visible image fusion network '
    'based on illumination aware", Information Fusion 83-84, 2022 (MSRS)'
)
_M3SVD = "L. Tang and others: VideoFusion (M3SVD)"
_TNO = (
    'A. Toet: "TNO Image Fusion Dataset", figshare, 2014, doi:10.6084/m9.figshare.1008029; "The TNO Multiband Image '
    'Data Collection", Data in Brief 15, 2017'
)
_VIFB = "The benchmark VIFB, github.com/xingchenzhang/VIFB"


_SOURCES = {
    "tno21": "https://github.com/hli1221/imagefusion_deeplearning",
    "vifb": "https://github.com/xingchenzhang/VIFB",
    "roadscene": "https://github.com/hanna-xu/RoadScene",
    "msrs": "https://github.com/Linfeng-Tang/PIAFusion, https://github.com/Linfeng-Tang/SuperFusion, "
    "https://github.com/ycc568/my-seafusion, https://github.com/Leiii-Cao/Text-DiFuse",
    "m3svd": "https://github.com/Linfeng-Tang/VideoFusion",
    "natural/bsds500": "https://github.com/BIDS/BSDS500",
    "natural/coco50": "https://github.com/lizhogn/tiny_coco_dataset",
}
"""Where the files come from, by their folders in the folder ``IRFUSE_DATA``."""


@dataclass(frozen=True)
class ImageSet:
    """A named set of natural images, or of pairs.

    Attributes:
        name: the name of the set and of its list.
        title: the contents.
        citation: the works to cite.
        license: the license that the sources state.
    """

    name: str
    title: str
    citation: str
    license: str

    def files(self) -> list[Path]:
        """Find the files of the set, and check each against the list.

        Raises:
            DatasetError: ``IRFUSE_DATA`` is not set, or a file is missing or has another SHA-256.
        """
        root = folder(self.name)
        listed = self.listed()
        for name, digest in listed.items():
            if not (root / name).is_file():
                raise DatasetError(f"{self.name}: {root / name} is missing; `irfuse datasets` says where to get it")
            if sha256(root / name) != digest:
                raise DatasetError(f"{self.name}: {root / name} is not the file in the list (wrong SHA-256)")
        return [root / name for name in listed]

    def listed(self) -> dict[str, str]:
        """Return the SHA-256 of each file by its path in the folder ``IRFUSE_DATA``, in the order of the list.

        >>> len(PAIR_SETS[0].listed()) % 2
        0
        """
        lines = (_FOLDER / f"{self.name}.txt").read_text(encoding="utf-8").splitlines()
        return {name: digest for digest, name in (line.split("  ", maxsplit=1) for line in lines)}

    def sources(self) -> dict[str, str]:
        """Return the addresses from which its files can be got, by their folders in the folder ``IRFUSE_DATA``."""
        folders = {name.rpartition("/")[0] for name in self.listed()}
        return {
            part: source
            for part, source in _SOURCES.items()
            if any(f"{inner}/".startswith(f"{part}/") for inner in folders)
        }

    def found(self) -> int:
        """Count the files that are in the folder ``IRFUSE_DATA``, whatever they hold.

        Raises:
            DatasetError: ``IRFUSE_DATA`` is not set.
        """
        root = folder(self.name)
        return sum((root / name).is_file() for name in self.listed())

    def pairs(self) -> list[Pair]:
        """Find the pairs of the set.

        Raises:
            DatasetError: as for :meth:`files`.
        """
        files = self.files()
        return [Pair(vis.stem, ir, vis) for ir, vis in zip(files[::2], files[1::2], strict=True)]


IMAGE_SETS = (
    ImageSet(
        "natural330",
        "BSDS500 train and val, and the first 30 of 50 COCO images: for training on many natural images",
        f"{_BSDS}; {_COCO}",
        "BSDS500: research, with citation; COCO: Flickr terms",
    ),
    ImageSet(
        "images-train",
        "natural330, and the visible images of pairs-train: for training on many kinds of natural images",
        f"{_BSDS}; {_COCO}; {_ROADSCENE}; {_MSRS}; {_M3SVD}",
        "BSDS500: research, with citation; COCO: Flickr terms; MSRS: MIT; RoadScene and M3SVD: none stated",
    ),
    ImageSet("coco20", "The last 20 of 50 COCO images: for testing reconstruction", _COCO, "Flickr terms"),
)

PAIR_SETS = (
    ImageSet(
        "pairs-train",
        "143 pairs of RoadScene, 91 of MSRS and ten frames of two clips of M3SVD, all registered: for training",
        f"{_ROADSCENE}; {_MSRS}; {_M3SVD}",
        "MSRS: MIT; RoadScene and M3SVD: none stated",
    ),
    ImageSet(
        "pairs-val",
        "26 other pairs of RoadScene and 18 of MSRS, all registered: for validation",
        f"{_ROADSCENE}; {_MSRS}",
        "MSRS: MIT; RoadScene: none stated",
    ),
)
"""The sets of pairs for training. No pair of a test set is in them, nor a scene nearly like one of ``roadscene50``."""

BENCHMARK_SETS = (
    ImageSet("tno21", "21 gray pairs of TNO, as used by Li and Wu", _TNO, "free for research with citation"),
    ImageSet(
        "tno20",
        "Pairs 01 to 20 of tno21, as used by the papers of ResNet-152 and Res2NetFuse",
        _TNO,
        "free for research with citation",
    ),
    ImageSet("vifb", "The 21 pairs of VIFB, most in color", _VIFB, "none stated"),
    ImageSet("vifb7", "The seven pairs of vifb with results of 25 published methods", _VIFB, "none stated"),
    ImageSet(
        "roadscene",
        "The 221 pairs of RoadScene, in color, most of them used by pairs-train and pairs-val",
        _ROADSCENE,
        "none stated",
    ),
    ImageSet(
        "roadscene50",
        "The 50 pairs of RoadScene that CDDFuse and others test on, in color",
        f'{_ROADSCENE}; Z. Zhao and others: "CDDFuse: Correlation-driven dual-branch feature decomposition for '
        'multi-modality image fusion", CVPR 2023',
        "none stated",
    ),
    ImageSet("msrs", "109 pairs of MSRS by day and night, in color, used by pairs-train and pairs-val", _MSRS, "MIT"),
)
"""The sets of pairs for benchmarks."""


def select(names: Sequence[str]) -> tuple[ImageSet, ...]:
    """Return the named sets of these names, or all if there are none.

    Raises:
        DatasetError: there is no set of a name.

    >>> [image_set.name for image_set in select(["tno21"])]
    ['tno21']
    """
    known = {image_set.name: image_set for image_set in (*IMAGE_SETS, *PAIR_SETS, *BENCHMARK_SETS)}
    for name in names:
        if name not in known:
            raise DatasetError(f"{name}: no named set{hint(name, known)} (sets: {', '.join(known)})")
    return tuple(known[name] for name in names or known)


def folder(name: str) -> Path:
    """Find the folder with the data of named sets.

    Args:
        name: the name of the set or file, for the error message.

    Raises:
        DatasetError: ``IRFUSE_DATA`` is not set.
    """
    if "IRFUSE_DATA" not in os.environ:
        raise DatasetError(f"{name}: set IRFUSE_DATA to the folder that holds the data, or name image files")
    return Path(os.environ["IRFUSE_DATA"])


def images(source: str) -> list[Path]:
    """Find images.

    Args:
        source: a named set, one file, or a folder.

    Returns:
        The image files. Those of a folder are sorted.

    Raises:
        DatasetError: there is no such set, file or folder, the folder has no images, or the set is incomplete.
    """
    for image_set in IMAGE_SETS:
        if image_set.name == source:
            return image_set.files()
    path = Path(source)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DatasetError(_unknown(source, "images", IMAGE_SETS))
    try:
        # A broken link is listed, so that reading it fails by name.
        found = sorted(file for file in path.iterdir() if is_image(file) and (file.is_file() or file.is_symlink()))
    except OSError as error:
        raise DatasetError(f"{source}: the folder cannot be read: {error.strerror or error}") from error
    if not found:
        raise DatasetError(f"{source}: the folder has no images")
    return found


def pairs(source: str) -> Pairing:
    """Find pairs.

    Args:
        source: a named set, a folder of pairs, or a CSV manifest.

    Raises:
        DatasetError: there is no such set, folder or manifest, or the set is incomplete.
        PairError: the folder or manifest has no pairs.
    """
    for pair_set in (*PAIR_SETS, *BENCHMARK_SETS):
        if pair_set.name == source:
            return Pairing(tuple(pair_set.pairs()))
    path = Path(source)
    if not path.exists():
        raise DatasetError(_unknown(source, "pairs", (*PAIR_SETS, *BENCHMARK_SETS)))
    return find(path)


def _unknown(source: str, kind: str, sets: Sequence[ImageSet]) -> str:
    """Say that there is no file, folder or set of this name, and which set may be meant."""
    names = [image_set.name for image_set in sets]
    return f"{source}: no such file or folder, and no named set of {kind}{hint(source, names)} ({', '.join(names)})"
