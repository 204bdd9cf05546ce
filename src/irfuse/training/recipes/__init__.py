"""The recipes: how the methods that can be trained are trained. `RECIPES` lists those of irfuse.

Other packages add theirs as entry points of the group ``irfuse.recipes``, see :mod:`irfuse.plugins`.

Recipes import PyTorch, so a recipe is imported only when it is asked for.
"""

from dataclasses import dataclass
from pkgutil import resolve_name

from irfuse.choices import hint
from irfuse.errors import ParameterError, TrainingError
from irfuse.plugins import Plugin, find_plugins
from irfuse.training.recipes.base import Recipe

_GROUP = "irfuse.recipes"


@dataclass(frozen=True)
class Listed:
    """A recipe that has not been imported.

    Attributes:
        name: its name.
        place: its class, as ``module:class``.
        summary: one line on it.
    """

    name: str
    place: str
    summary: str


RECIPES = (
    Listed(
        "ember",
        "irfuse.training.recipes.ember:EmberRecipe",
        "Train ember on pairs, by many metrics and by how natural a picture looks.",
    ),
    Listed(
        "res2netfuse",
        "irfuse.training.recipes.res2netfuse:Res2NetFuseRecipe",
        "Train the auto-encoder of Res2NetFuse to reconstruct one natural image, or many.",
    ),
    Listed(
        "encoder-decoder",
        "irfuse.training.recipes.encoder_decoder:EncoderDecoderRecipe",
        "Train the encoder-decoder network on pairs, by the quality of its own fused images.",
    ),
    Listed(
        "attention-ensemble",
        "irfuse.training.recipes.attention_ensemble:AttentionEnsembleRecipe",
        "Train an adversarial auto-encoder on natural images, then the attention on pairs.",
    ),
)


def listed() -> tuple[Listed, ...]:
    """List all recipes: those of irfuse, then those of other packages.

    Warns:
        PluginWarning: the name of another package's recipe is taken, so it is left out.
    """
    others = (
        Listed(plugin.name, plugin.point.value, f"From the package {plugin.distribution}.") for plugin in _plugins()
    )
    return (*RECIPES, *others)


def find(name: str) -> type[Recipe]:
    """Import the recipe of that name.

    Raises:
        TrainingError: there is no such recipe, and the error suggests the most similar name; or another package's class
            cannot be imported, or is not a recipe.
        ModuleNotFoundError: PyTorch or another package that irfuse's own recipes need is not installed.
    """
    for recipe in RECIPES:
        if recipe.name == name:
            own: type[Recipe] = resolve_name(recipe.place)
            return own
    for plugin in _plugins():
        if plugin.name == name:
            return _load(plugin)
    names = [recipe.name for recipe in listed()]
    raise TrainingError(f"unknown recipe {name!r}{hint(name, names)} (recipes: {', '.join(names)})")


def _plugins() -> tuple[Plugin, ...]:
    return find_plugins(_GROUP, [recipe.name for recipe in RECIPES])


def _load(plugin: Plugin) -> type[Recipe]:
    try:
        # mypy does not accept an abstract class here, which nothing instantiates.
        recipe = plugin.load(Recipe)  # type: ignore[type-abstract]
    except ParameterError as error:
        raise TrainingError(f"{plugin.distribution}: the recipe {plugin.name!r} cannot be used: {error}") from error
    if getattr(recipe, "name", None) != plugin.name:
        raise TrainingError(f"{plugin.distribution}: the recipe {plugin.name!r} must have this name as its `name`")
    return recipe
