"""What a weights file says of itself: how it was made, from what, and the command that repeats it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch

import irfuse
from irfuse.errors import OutputError, TrainingError
from irfuse.io.files import sha256
from irfuse.training import loop


class Recipe(Protocol):
    """A frozen dataclass of settings."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]: ...


def listed(files: Sequence[Path], *, folders: int = 0) -> list[dict[str, str]]:
    """Files as a header lists them: name, with so many folders before it, and SHA-256."""
    return [{"name": "/".join(path.parts[-1 - folders :]), "sha256": sha256(path)} for path in files]


def header(
    method: str, recipe: Recipe, files: list[dict[str, str]], command: str, seconds: float, machine: str
) -> dict[str, Any]:
    """The header of a weights file.

    Args:
        method: the method's name.
        recipe: its settings.
        files: what it was trained on, as :func:`listed` gives it.
        command: as :func:`command` gives it.
        seconds: that the steps took.
        machine: what they ran on, in words.
    """
    return {
        "method": method,
        "recipe": recipe.as_dict(),
        "images": files,
        "command": command,
        "seconds": round(seconds, 1),
        "machine": machine,
        "versions": {"irfuse": irfuse.__version__, "torch": torch.__version__},
    }


def command(method: str, recipe: Recipe, options: Mapping[str, str | None], output: Path) -> str:
    """What repeats a training: the settings that differ from the recipe's defaults, and options that have a value.

    Where the result goes is left out.
    """
    words = ["irfuse", "train", method]
    for name, value in options.items():
        words += [f"--{name}", value] if value else []
    for field in fields(recipe):
        value, option = getattr(recipe, field.name), field.name.replace("_", "-")
        if value == field.default:
            continue
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
            continue
        for one in value if isinstance(value, tuple) else (value,):
            words += [f"--{option}", str(one)]
    return shlex.join([*words, "-o", output.name])


def checkpoint(output: Path) -> Path:
    """Where a training that has not ended keeps its state."""
    return output.with_suffix(".checkpoint")


def check_output(output: Path, beside: Sequence[Path], *, resume: bool) -> None:
    """Refuse a name that is no weights file's, and to overwrite anything but the files of a training that goes on.

    Args:
        output: the weights file.
        beside: what is written with it.
        resume: whether a training goes on.

    Raises:
        OutputError: the name does not end in .safetensors.
        TrainingError: a file, or an unfinished training, is there already.
    """
    loop.check_free(checkpoint(output), resume=resume)
    if output.suffix != ".safetensors":
        raise OutputError(f"{output}: the name of a weights file must end in .safetensors")
    for path in (output, *beside):
        if path.exists() and not resume:
            raise TrainingError(f"{path} is there already: choose another name, or move it away")
