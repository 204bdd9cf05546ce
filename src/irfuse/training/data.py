"""The data of a training: where it lies, in words, and the files that the words mean."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from irfuse import datasets
from irfuse.errors import TrainingError
from irfuse.io.pairs import Pair, match

_HELD_OUT = 10
"""One of so many pairs is held out for validation, ..."""
_MOST_HELD_OUT = 50
"""... but at most so many: all are scored after each epoch."""


@dataclass(frozen=True)
class DataSources:
    """Where the data lies: files, folders and named sets, as the command's options take them.

    Attributes:
        images: natural images to learn from: a file, a folder, or a named set such as natural330.
        autoencoder: weights file NAME-autoencoder.safetensors of an earlier training, used instead of --images. The
            settings of that training's first stage are kept.
        init: weights to start from instead of random ones: a file, or a name of weights that ship, such as luma for
            encoder-decoder, and full for attention-ensemble, which then takes no --images.
        ir: folder of infrared images.
        vis: folder of visible images that have the names of the infrared ones.
        pairs: pairs to learn from, instead of --ir and --vis: a data-set folder, a CSV file with the columns ir and
            vis, or a named set such as pairs-train.
        validation: pairs to validate on, given like --pairs. By default, every tenth pair is held out, at most 50.
        test: images to test the reconstruction on, given like --images.
    """

    images: str | None = None
    autoencoder: str | None = None
    init: str | None = None
    ir: str | None = None
    vis: str | None = None
    pairs: str | None = None
    validation: str | None = None
    test: str | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            if isinstance(value := getattr(self, one.name), Path):
                object.__setattr__(self, one.name, str(value))

    def given(self) -> dict[str, str]:
        """The sources that are given, by name."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name))}


@dataclass(frozen=True)
class TrainingData:
    """What a training learns from and what it is judged by. Each recipe says which of these it uses.

    Attributes:
        images: natural images to learn from.
        autoencoder: the weights file of an earlier first stage, used instead of `images`.
        init: the weights to start from: a file, or a name of weights that ship.
        pairs: registered pairs to learn from.
        validation: pairs that the network is scored on after each epoch; the scores decide nothing.
        test: natural images that the result is tested on.
        held_out: whether `validation` was taken out of the pairs of the sources, and not named.
        unpaired: images of the pairs' folders that have no partner and are left out.
        sources: where all of this comes from, for the model card and the configuration file.
    """

    images: tuple[Path, ...] = ()
    autoencoder: Path | None = None
    init: str | Path | None = None
    pairs: tuple[Pair, ...] = ()
    validation: tuple[Pair, ...] = ()
    test: tuple[Path, ...] = ()
    held_out: bool = False
    unpaired: tuple[Path, ...] = ()
    sources: DataSources = field(default_factory=DataSources)


def find(sources: DataSources) -> TrainingData:
    """Find the files that `sources` mean.

    Raises:
        TrainingError: the sources of the pairs contradict each other, or there are too few pairs to hold some out.
        DatasetError, PairError: a source does not exist, or holds nothing that can be used.

    >>> from irfuse import samples
    >>> data = find(DataSources(images=str(samples.FOLDER / "vis")))
    >>> len(data.images), len(data.pairs)
    (5, 0)
    """
    pairs, unpaired = _pairs(sources)
    if sources.validation:
        validation = datasets.pairs(sources.validation).pairs
    else:
        pairs, validation = _held_out(pairs) if pairs else ((), ())
    return TrainingData(
        tuple(datasets.images(sources.images)) if sources.images else (),
        Path(sources.autoencoder) if sources.autoencoder else None,
        sources.init,
        pairs,
        validation,
        tuple(datasets.images(sources.test)) if sources.test else (),
        bool(pairs) and not sources.validation,
        unpaired,
        sources,
    )


def _pairs(sources: DataSources) -> tuple[tuple[Pair, ...], tuple[Path, ...]]:
    """The pairs, and the images that have no partner."""
    ir, vis, pairs = sources.ir, sources.vis, sources.pairs
    if not (ir or vis or pairs):
        return (), ()
    if bool(ir) != bool(vis) or bool(ir) == bool(pairs):
        raise TrainingError("give both --ir and --vis, or --pairs")
    found = match(Path(ir), Path(vis)) if ir and vis else datasets.pairs(pairs or "")
    return found.pairs, found.unpaired


def _held_out(pairs: Sequence[Pair]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """The pairs to train on, and those for validation, evenly spread."""
    if len(pairs) < _HELD_OUT:
        raise TrainingError(
            f"{len(pairs)} pairs are too few to hold some out for validation: give at least {_HELD_OUT}, or name "
            "others with --validation"
        )
    step = max(_HELD_OUT, -(-len(pairs) // _MOST_HELD_OUT))
    validation = set(range(step // 2, len(pairs), step))
    training = (pair for number, pair in enumerate(pairs) if number not in validation)
    return tuple(training), tuple(pairs[number] for number in sorted(validation))
