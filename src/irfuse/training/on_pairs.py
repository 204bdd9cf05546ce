"""What every training on pairs shares: the validation, the pictures, and the files that are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from irfuse import notices, weights
from irfuse.errors import SuspiciousPairWarning, TrainingError
from irfuse.io import images
from irfuse.io.files import make_folder
from irfuse.io.pairs import Pair
from irfuse.training import card, config, loop, provenance
from irfuse.training.checks import check_pairs
from irfuse.training.data import TrainingData
from irfuse.training.feed import Feed, Stages
from irfuse.training.loop import Epochs, History
from irfuse.training.recipes.base import Recipe, Session, Trained
from irfuse.training.validation import Validation

_LEAST_CONTRIBUTION = 0.1
"""A source that contributes less is practically ignored."""


@dataclass(frozen=True)
class Listed:
    """The image files of a training on pairs, as :func:`irfuse.training.provenance.listed` gives them.

    Attributes:
        pairs: those of the pairs to train on.
        validation: those of the pairs to validate on.
    """

    pairs: list[dict[str, str]]
    validation: list[dict[str, str]]


class FusionTask(loop.Task, Protocol):
    """A task whose network fuses pairs."""

    @property
    def feed(self) -> Feed | Stages:
        """Where the batches come from."""
        ...

    @property
    def network(self) -> nn.Module:
        """The network to save."""
        ...

    def fuse(self, ir: Tensor, vis: Tensor) -> Tensor:
        """Fuse images in [0, 1] by the present state of the network."""
        ...


def check(data: TrainingData, session: Session, *, resume: bool) -> Listed:
    """Find what is wrong with the output and the pairs before the training starts, the quick checks first.

    Args:
        data: the pairs to train on, and those for validation.
        session: the session.
        resume: whether an interrupted training on pairs continues.

    Returns:
        The files of the pairs, for :func:`train`.

    Raises:
        TrainingError: there are no pairs, one is in both sets, an image to validate on is a copy of one to train on, or
            a file or an unfinished training exists already.
        OutputError: the output is no weights file, or its folder cannot be written to.
        ImageError, PairError: a pair cannot be used.

    Warns:
        SuspiciousPairWarning: see :func:`irfuse.training.checks.check_pairs`; or an image of a pair that was held out,
            since none to validate on are named, is such a copy.
    """
    if not data.pairs:
        raise TrainingError("there are no pairs to train on: give both --ir and --vis, or --pairs")
    if not data.validation:
        raise TrainingError("there are no pairs to validate on: give --validation")
    output = session.output
    beside = (*card.files(output), card.epochs_file(output), config.file(output), _previews(output))
    provenance.check_output(output, beside, resume=resume)
    both = {pair.vis.resolve() for pair in data.pairs} & {pair.vis.resolve() for pair in data.validation}
    if both:
        raise TrainingError(f"pairs to train on are also pairs to validate on: {len(both)}, such as {min(both)}")
    make_folder(output.parent)
    check_pairs([*data.pairs, *data.validation], session.on_check)
    files = Listed(*(provenance.listed(_files(pairs), folders=1) for pairs in (data.pairs, data.validation)))
    _check_apart(files, held_out=data.held_out)
    return files


def train(
    task: FusionTask,
    recipe: Recipe,
    data: TrainingData,
    files: Listed,
    validation: Validation,
    session: Session,
    *,
    epochs: int,
    epoch_steps: int,
    architecture: dict[str, Any],
    resume: bool,
    notes: Mapping[str, str] | None = None,
) -> Trained:
    """Train, and write the weights file ``NAME.safetensors`` and the files that belong to it.

    These are ``NAME.md`` (the model card), ``NAME.png`` (the curves of losses and scores), ``NAME.csv`` (the losses of
    every step), ``NAME-epochs.csv`` (the scores of every epoch) and ``NAME-previews`` (pictures of validation pairs
    after every epoch).

    Args:
        task: the task to train.
        recipe: its recipe.
        data: the data that the task is trained on.
        files: what :func:`check` returned for it.
        validation: scores the network after each epoch.
        session: the session.
        epochs: the number of epochs.
        epoch_steps: the steps of an epoch.
        architecture: what the weights' header says of the network.
        resume: whether an interrupted training on pairs continues.
        notes: further rows of the card's first table.

    Raises:
        TrainingError, StoppedError: see :func:`irfuse.training.loop.run`.
        WeightsError: the weights to start from cannot be used.
        OutputError: the place cannot be written to.

    Warns:
        SuspiciousPairWarning: the trained network ignores one of the sources, or the initial weights were trained on
            images of `validation`.
    """
    output, checkpoint = session.output, provenance.checkpoint(session.output)
    initial = provenance.initial(recipe.method, data.init) if data.init else {}
    seen = initial.get("images", [])
    provenance.warn_of_seen(files.validation, "validate on", seen, "the initial weights were")
    identity = {
        "method": recipe.method,
        "recipe": recipe.as_dict(),
        "architecture": architecture,
        "pairs": [file["sha256"] for file in files.pairs],
        "validation": [file["sha256"] for file in files.validation],
        **({"init": initial["sha256"]} if initial else {}),
    }

    def on_epoch(history: History) -> None:
        make_folder(_previews(output))
        card.write_log(output, history)
        images.write(_preview(output, history.epochs), validation.preview(task.fuse))

    history = loop.run(
        task,
        epochs * epoch_steps,
        checkpoint,
        identity,
        resume=resume,
        on_step=session.on_step,
        epochs=Epochs(epoch_steps, lambda: validation.scores(task.fuse), on_epoch),
    )
    header = {
        **provenance.header(recipe, files.pairs, session, history.seconds),
        "pairs": len(data.pairs),
        "validation": files.validation,
        **({"init": initial} if initial else {}),
        **architecture,
    }
    weights.save(task.network, header, output)
    contributions = validation.contributions(task.fuse)
    shares = ", ".join(f"{name} {share:.2f}" for name, share in contributions.items())
    written = card.write(
        output,
        history,
        {"these weights": {name: values[-1] for name, values in history.scores.items()}},
        f"Validation on {len(data.validation)} pair{'s' * (len(data.validation) > 1)}",
        {
            "each source's contribution (the average: 0.5)": shares,
            "waiting for data": f"{task.feed.waited / history.seconds:.1%} of the time",
            **({"initial weights": f"{initial['name']}, SHA-256 `{initial['sha256']}`"} if initial else {}),
            **(notes or {}),
        },
        _preview(output, history.epochs),
    )
    checkpoint.unlink()
    for name, share in contributions.items():
        if not share >= _LEAST_CONTRIBUTION:  # NaN, too
            notices.warn(
                SuspiciousPairWarning(
                    f"{output}: the {name} image hardly contributes to the result ({share:.2f}; the average of both "
                    "sources has 0.5 each): look at the previews, and train longer, with other weights of the loss, or "
                    "with less averaging if the steps are few"
                )
            )
    return Trained(output, written)


def _check_apart(files: Listed, *, held_out: bool) -> None:
    """Refuse copies of images to train on among those to validate on; warn of them if the pairs were held out."""
    shared = provenance.shared(files.validation, files.pairs)
    if not shared:
        return
    copies = f"images to validate on are copies of images to train on: {shared}"
    # A video may repeat frames, so that one of a copy's pairs is held out without the user's doing.
    if not held_out:
        raise TrainingError(f"{copies}: remove them from one of both")
    notices.warn(SuspiciousPairWarning(f"{copies}: the scores look too good; name other pairs with --validation"))


def _files(pairs: Sequence[Pair]) -> list[Path]:
    return [file for pair in pairs for file in (pair.ir, pair.vis)]


def _previews(output: Path) -> Path:
    return output.with_name(f"{output.stem}-previews")


def _preview(output: Path, epoch: int) -> Path:
    return _previews(output) / f"epoch-{epoch:03d}.jpg"
