"""The configuration file of a training, ``NAME.toml``: the data and all settings, which repeat it."""

import json
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import irfuse
from irfuse import datasets, weights
from irfuse.choices import hint
from irfuse.errors import TrainingError
from irfuse.io.files import write_atomic
from irfuse.training.data import DataSources
from irfuse.training.recipes.base import Recipe, Use
from irfuse.training.settings import settings

_SOURCES: Mapping[Use, tuple[str, ...]] = {
    "images": ("images",),
    "autoencoder": ("autoencoder",),
    "init": ("init",),
    "pairs": ("ir", "vis", "pairs", "validation"),
    "test": ("test",),
}
"""The fields of :class:`irfuse.training.data.DataSources` by what they are sources of."""


def file(weights_file: Path) -> Path:
    """The configuration file that belongs to a weights file."""
    return weights_file.with_suffix(".toml")


def source_names(recipe: type[Recipe]) -> tuple[str, ...]:
    """The fields of :class:`irfuse.training.data.DataSources` that a recipe uses."""
    return tuple(name for use in recipe.uses for name in _SOURCES[use])


def write(recipe: Recipe, sources: DataSources, weights_file: Path) -> Path:
    """Write the configuration file beside a weights file.

    Files and folders are written with their whole paths, so that the file works from every folder.

    Returns:
        The configuration file.

    Raises:
        OutputError: the place cannot be written to.
    """
    path = file(weights_file)
    lines = [
        f"# Written by irfuse {irfuse.__version__}. To repeat the training:",
        f"# irfuse train {recipe.name} --config {path.name} -o OTHER.safetensors",
        f"recipe = {_toml(recipe.name)}",
        "",
        "[data]",
        *(f"{name} = {_toml(_whole(source, _names(name, recipe.method)))}" for name, source in sources.given().items()),
        "",
        "[settings]",
        *(f"{name} = {_toml(value)}" for name, value in recipe.as_dict().items()),
    ]
    write_atomic(path, ("\n".join(lines) + "\n").encode())
    return path


def read(path: Path, recipe: type[Recipe]) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the settings and the sources of a configuration file; it may leave out any of them.

    Args:
        path: the file.
        recipe: the recipe that it is for.

    Returns:
        The settings, which are arguments of `recipe`, and the sources, which are arguments of
        :class:`irfuse.training.data.DataSources`.

    Raises:
        TrainingError: the file cannot be read, is another recipe's, or has an unknown name or an impossible value.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{path}: the file cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise TrainingError(f"{path}: not a TOML file: {error}") from error
    _check_names(table, ("recipe", "data", "settings"), f"{path}: unknown entry")
    if table.get("recipe", recipe.name) != recipe.name:
        raise TrainingError(f"{path} is for the recipe {table['recipe']}, not for {recipe.name}")
    given, sources = _subtable(table, "settings", path), _subtable(table, "data", path)
    known = {setting.name: setting for setting in settings(recipe)}
    _check_names(given, known, f"{path}: unknown setting")
    _check_names(sources, source_names(recipe), f"{path}: unknown source of data")
    for name, source in sources.items():
        if not isinstance(source, str):
            raise TrainingError(f"{path}: {name} must be text, not {source!r}")
    try:
        return {name: known[name].checked(value) for name, value in given.items()}, sources
    except TrainingError as error:
        raise TrainingError(f"{path}: {error}") from None


def _subtable(table: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    found = table.get(name, {})
    if not isinstance(found, dict):
        raise TrainingError(f"{path}: {name} must be a table, [{name}]")
    return found


def _check_names(given: Collection[str], known: Collection[str], complaint: str) -> None:
    for name in given:
        if name not in known:
            raise TrainingError(f"{complaint} {name!r}{hint(name, known)} (known: {', '.join(known)})")


def _names(source: str, method: str) -> set[str]:
    """List the names that a source of data can be instead of a path. They go before paths."""
    if source == "init":
        shipped = [one for one in weights.manifest() if one.method == method]
        return {name for one in shipped for name in (one.name, one.versioned_name)}
    return {one.name for one in (*datasets.IMAGE_SETS, *datasets.PAIR_SETS, *datasets.BENCHMARK_SETS)}


def _whole(source: str, names: Collection[str]) -> str:
    """Return a path from the root, or a name as it is."""
    return source if source in names else str(Path(source).resolve())


def _toml(value: Any) -> str:
    """A value in TOML, whose numbers, texts, booleans and lists are written as in JSON."""
    return json.dumps(value, ensure_ascii=False)
