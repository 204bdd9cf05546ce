"""What a recipe is: the contract that every file beside this one keeps."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from irfuse.progress import Progress, silent
from irfuse.training import settings
from irfuse.training.data import TrainingData

if TYPE_CHECKING:
    import torch

Use = Literal["images", "autoencoder", "init", "pairs", "test"]
"""A kind of data, by the field of :class:`irfuse.training.data.TrainingData` that holds it."""


@dataclass(frozen=True)
class Session:
    """How one training is run, whatever the recipe.

    Attributes:
        output: the weights file, ``NAME.safetensors``. All other files stand beside it.
        device: the device to train on.
        command: the command that repeats the training, for the weights' header and the model card.
        resume: whether to continue an interrupted training.
        on_check: told after each file or pair that is read before the training starts.
        on_step: told after each step.
    """

    output: Path
    device: "torch.device"
    command: str = ""
    resume: bool = False
    on_check: Progress = silent
    on_step: Progress = silent


@dataclass(frozen=True)
class Trained:
    """What a training has written.

    Attributes:
        weights: the weights file.
        card: the model card.
    """

    weights: Path
    card: Path


class Recipe(ABC):
    """How a method's weights are trained.

    A subclass is a frozen dataclass whose fields are the settings, each with a default. Their types are int, float,
    bool, str, a ``Literal`` or a tuple of these, with a :class:`irfuse.training.settings.Range` in ``Annotated`` where
    the value has one. The first line of the docstring describes the command, and the section ``Attributes:`` describes
    each setting: options, defaults, help and checks all come from there.

    Attributes:
        name: the name of the recipe and of its command.
        method: the name of the method that the weights are for.
        uses: the data that the recipe uses; the command offers the options for these.

    Raises:
        TrainingError: a setting is impossible; the error names it.
    """

    name: ClassVar[str]
    method: ClassVar[str]
    uses: ClassVar[tuple[Use, ...]]

    def __post_init__(self) -> None:
        settings.check(self)
        self.check()

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON, TOML and checkpoints can hold them."""
        values = asdict(self)  # type: ignore[call-overload]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def check(self) -> None:  # noqa: B027 - most recipes have nothing to add
        """Check what types and ranges cannot say, such as settings that exclude each other.

        Raises:
            TrainingError: the settings cannot be used; the error names them.
        """

    @abstractmethod
    def train(self, data: TrainingData, session: Session) -> Trained:
        """Train, and write the weights file and the model card.

        Call this through :func:`irfuse.training.run.train`, which also writes the configuration.

        Raises:
            IrfuseError: the data cannot be used, a file exists already, or the training failed or was stopped.
        """
