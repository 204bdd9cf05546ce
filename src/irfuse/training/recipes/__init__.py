"""The recipes: how the methods that can be trained are trained. `RECIPES` lists those of irfuse.

Other packages add theirs by an entry point of the group ``irfuse.recipes``, which has the name of the recipe and the
place of its class::

    [project.entry-points."irfuse.recipes"]
    my-recipe = "my_package.recipe:MyRecipe"

Recipes import PyTorch, so a recipe is imported only when it is asked for.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import entry_points
from pkgutil import resolve_name

from irfuse.errors import TrainingError
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
    """List all recipes: those of irfuse, then those of other packages. A name of irfuse's cannot be taken."""
    own = {recipe.name for recipe in RECIPES}
    others = (
        Listed(
            point.name,
            f"{point.module}:{point.attr}",
            f"From the package {point.dist.name if point.dist else point.module}.",
        )
        for point in sorted(entry_points(group=_GROUP), key=lambda point: point.name)
    )
    return (*RECIPES, *(recipe for recipe in others if recipe.name not in own))


def find(name: str) -> type[Recipe]:
    """Import the recipe of that name.

    Raises:
        TrainingError: there is no such recipe, and the error gives the nearest name; or the class of another package
            cannot be imported, or is no recipe.
        ModuleNotFoundError: PyTorch or another package that irfuse's own recipes need is not installed.
    """
    every = {recipe.name: recipe for recipe in listed()}
    if name not in every:
        near = get_close_matches(name.lower(), every, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise TrainingError(f"unknown recipe {name!r}{hint} (recipes: {', '.join(every)})")
    found = every[name]
    if found in RECIPES:
        own: type[Recipe] = resolve_name(found.place)
        return own
    try:
        other = resolve_name(found.place)
    except (ImportError, AttributeError, ValueError) as error:
        raise TrainingError(f"the recipe {name!r} ({found.place}) cannot be imported: {error}") from error
    if not (isinstance(other, type) and issubclass(other, Recipe) and getattr(other, "name", None) == name):
        raise TrainingError(
            f"the recipe {name!r} ({found.place}) must be a subclass of {Recipe.__module__}.Recipe of that name"
        )
    return other
