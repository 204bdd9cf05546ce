"""What every training on pairs shares: the validation, the pictures, and the files that are written."""

from collections.abc import Mapping, Sequence
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


def check(data: TrainingData, session: Session, *, resume: bool) -> None:
    """Find what is wrong with the output and the pairs before the training starts, the quick checks first.

    Args:
        data: the pairs to train on, and those for validation.
        session: the session.
        resume: whether an interrupted training on pairs continues.

    Raises:
        TrainingError: there are no pairs, one is in both sets, or a file or an unfinished training exists already.
        OutputError: the output is no weights file, or its folder cannot be written to.
        ImageError, PairError: a pair cannot be used.

    Warns:
        SuspiciousPairWarning: see :func:`irfuse.training.checks.check_pairs`.
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


def train(
    task: FusionTask,
    recipe: Recipe,
    data: TrainingData,
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
        SuspiciousPairWarning: the trained network ignores one of the sources.
    """
    output, checkpoint = session.output, provenance.checkpoint(session.output)
    files = provenance.listed(_files(data.pairs), folders=1)
    validated_on = provenance.listed(_files(data.validation), folders=1)
    initial = provenance.initial(recipe.method, data.init) if data.init else {}
    identity = {
        "method": recipe.method,
        "recipe": recipe.as_dict(),
        "architecture": architecture,
        "pairs": [file["sha256"] for file in files],
        "validation": [file["sha256"] for file in validated_on],
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
        **provenance.header(recipe, files, session, history.seconds),
        "pairs": len(data.pairs),
        "validation": validated_on,
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


def _files(pairs: Sequence[Pair]) -> list[Path]:
    return [file for pair in pairs for file in (pair.ir, pair.vis)]


def _previews(output: Path) -> Path:
    return output.with_name(f"{output.stem}-previews")


def _preview(output: Path, epoch: int) -> Path:
    return _previews(output) / f"epoch-{epoch:03d}.jpg"
