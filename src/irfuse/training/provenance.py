"""What a weights file says of itself: how it was made, from what, and the command that repeats it."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import irfuse
from irfuse import notices, weights
from irfuse.device import machine
from irfuse.errors import OutputError, SuspiciousPairWarning, TrainingError
from irfuse.io.files import sha256
from irfuse.training import loop
from irfuse.training.data import DataSources
from irfuse.training.recipes.base import Recipe, Session
from irfuse.training.settings import settings


def listed(files: Sequence[Path], *, folders: int = 0) -> list[dict[str, str]]:
    """List files as a header does: the name, after so many of its folders, and the SHA-256."""
    return [{"name": "/".join(path.parts[-1 - folders :]), "sha256": sha256(path)} for path in files]


def shared(files: Sequence[dict[str, str]], others: Sequence[dict[str, str]]) -> str:
    """Say how many files have the content of others, and the first; empty if none has.

    >>> shared([{"name": "a.png", "sha256": "0f"}, {"name": "b.png", "sha256": "1e"}], [{"name": "c", "sha256": "1e"}])
    '1 of 2, such as b.png'
    """
    known = {other["sha256"] for other in others}
    names = [file["name"] for file in files if file["sha256"] in known]
    return f"{len(names)} of {len(files)}, such as {names[0]}" if names else ""


def warn_of_seen(files: Sequence[dict[str, str]], role: str, others: Sequence[dict[str, str]], what: str) -> None:
    """Warn of images that a result is judged by, and that it has learned from.

    Args:
        files: the images that it is judged by, as :func:`listed` gives them.
        role: what they are for, such as ``validate on``.
        others: the images that it has learned from.
        what: what is trained on these, such as ``the auto-encoder is``.

    Warns:
        SuspiciousPairWarning: there are such images.
    """
    seen = shared(files, others)
    if seen:
        notices.warn(
            SuspiciousPairWarning(
                f"images to {role} are also images that {what} trained on: {seen}: their scores say nothing about "
                "new images"
            )
        )


def header(recipe: Recipe, files: list[dict[str, str]], session: Session, seconds: float) -> dict[str, Any]:
    """Make the header of a weights file.

    Args:
        recipe: the recipe.
        files: the files that it was trained on, as :func:`listed` gives them.
        session: the session that made it.
        seconds: the seconds that the steps took.
    """
    return {
        "method": recipe.method,
        "recipe": recipe.as_dict(),
        "images": files,
        "command": session.command,
        "seconds": round(seconds, 1),
        "machine": machine(session.device),
        "versions": {"irfuse": irfuse.__version__, "torch": torch.__version__},
    }


def initial(method: str, init: str | Path) -> dict[str, Any]:
    """Describe the weights that a training starts from.

    Returns:
        The name and the SHA-256 of the file, and the images that it was trained and validated on, as far as its header
        lists them: ``name``, ``sha256``, ``images``, ``validation``.

    Raises:
        WeightsError: the weights are missing, damaged, or for another method.
    """
    file = weights.find(method, str(init))
    header = weights.header_for(method, file)
    before = header.get("init", {})
    known = {role: [*header.get(role, []), *before.get(role, [])] for role in ("images", "validation")}
    return {"name": file.name, "sha256": sha256(file), **known}


def command(recipe: Recipe, sources: DataSources, output: Path) -> str:
    """Write the command that repeats a training: the sources, and the settings that differ from their defaults.

    The folder of the output is left out.

    >>> from irfuse.training.recipes.res2netfuse import Res2NetFuseRecipe
    >>> command(Res2NetFuseRecipe(seed=1), DataSources(images="photos"), Path("out/x.safetensors"))
    'irfuse train res2netfuse --images photos --seed 1 -o x.safetensors'
    """
    words = ["irfuse", "train", recipe.name]
    for name, source in sources.given().items():
        words += [f"--{name}", source]
    for setting in settings(type(recipe)):
        value = getattr(recipe, setting.name)
        if value == setting.default:
            continue
        if isinstance(value, bool):
            words.append(f"--{setting.option}" if value else f"--no-{setting.option}")
            continue
        for item in value if setting.many else (value,):
            words += [f"--{setting.option}", str(item)]
    return shlex.join([*words, "-o", output.name])


def checkpoint(output: Path) -> Path:
    """The file that keeps the state of an unfinished training."""
    return output.with_suffix(".checkpoint")


def check_output(output: Path, beside: Sequence[Path], *, resume: bool) -> None:
    """Refuse a name that no weights file can have, and a training that would overwrite files.

    Args:
        output: the weights file.
        beside: the files that are written with it.
        resume: whether an interrupted training continues, whose files may exist.

    Raises:
        OutputError: the name does not end in .safetensors.
        TrainingError: a file, or an unfinished training, exists already.
    """
    loop.check_free(checkpoint(output), resume=resume)
    if output.suffix != ".safetensors":
        raise OutputError(f"{output}: the name of a weights file must end in .safetensors")
    for path in (output, *beside):
        if path.exists() and not resume:
            raise TrainingError(f"{path} already exists: choose another name, or move it away")
