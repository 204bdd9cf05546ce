"""`irfuse train`: one command for each recipe, whose options are made from the recipe's dataclass."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from irfuse.cli.console import errors, output, printed_warnings, progress
from irfuse.cli.options import DeviceOption
from irfuse.training import config, recipes
from irfuse.training.data import DataSources, find
from irfuse.training.recipes.base import Recipe
from irfuse.training.settings import Range, Setting, settings

OutputOption = Annotated[Path, typer.Option("--output", "-o", help="The weights file, NAME.safetensors.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Continue from the checkpoint beside the weights file.")]

_FILES = (
    "Beside the weights file NAME.safetensors, the command writes the model card NAME.md, the configuration NAME.toml, "
    "and logs and curves. Ctrl-C stops it and keeps NAME.checkpoint, from which --resume continues exactly."
)
_ALTERNATIVES = {
    "images": ("autoencoder", "init"),
    "autoencoder": ("images", "init"),
    "init": ("images", "autoencoder"),
    "ir": ("pairs",),
    "vis": ("pairs",),
    "pairs": ("ir", "vis"),
}
"""The sources that exclude each other."""


class Recipes(TyperGroup):
    """The commands, one for each recipe. A recipe is imported when its command is called, not when it is listed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [recipe.name for recipe in recipes.listed()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Make a command as the list shows it, without its options."""
        summaries = {recipe.name: recipe.summary for recipe in recipes.listed()}
        return _command(cmd_name, summaries[cmd_name], lambda: None) if cmd_name in summaries else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Make a command with its options, for the arguments that follow its name."""
        name, *rest = args
        recipe = recipes.find(name)
        return name, _command(name, _description(recipe), _function(recipe)), rest


train = typer.Typer(
    cls=Recipes,
    help="Train a method's weights on your own images.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _command(name: str, description: str, function: Callable[..., None]) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    # Of a longer text, the list of commands would show only the beginning.
    app.command(name, help=description, short_help=description)(function)
    return typer.main.get_command(app)


def _description(recipe: type[Recipe]) -> str:
    """The docstring of a recipe, up to the description of its settings, with each paragraph in one line."""
    paragraphs = inspect.cleandoc(recipe.__doc__ or "").partition("Attributes:")[0].strip().split("\n\n")
    return "\n\n".join([*(" ".join(paragraph.split()) for paragraph in paragraphs), _FILES])


def _function(recipe: type[Recipe]) -> Callable[..., None]:
    """The function of a recipe's command. Typer reads the options off its signature, which is made from the recipe."""
    known, names = settings(recipe), config.source_names(recipe)

    def read_config(ctx: typer.Context, file: Path | None) -> Path | None:
        if file:
            values, sources = config.read(file, recipe)
            given = {one.name: _to_option(one, values[one.name]) for one in known if one.name in values}
            ctx.default_map = {**sources, **given}
        return file

    def run(**given: Any) -> None:
        chosen = recipe(**{setting.name: _from_option(setting, given[setting.name]) for setting in known})
        sources = DataSources(**{name: given[name] for name in names if not _is_replaced(name, given["ctx"])})
        _train(chosen, sources, given["output"], device=given["device"], resume=given["resume"])

    config_option = typer.Option(
        is_eager=True, callback=read_config, help="TOML file of data and settings; options override it."
    )
    parameters = [
        _parameter("ctx", typer.Context),
        _parameter("output", OutputOption),
        _parameter("config", Annotated[Path | None, config_option], None),
        *(_option(source) for source in settings(DataSources) if source.name in names),
        *(_option(setting) for setting in known),
        _parameter("device", DeviceOption, "auto"),
        _parameter("resume", ResumeOption, False),
    ]
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _train(recipe: Recipe, sources: DataSources, out: Path, *, device: str, resume: bool) -> None:
    from irfuse.training.run import train

    data = find(sources)
    for path in data.unpaired:
        errors.print(f"no partner: {path}", style="yellow", markup=False)
    if data.pairs:
        errors.print(f"{len(data.pairs)} pairs to train on, {len(data.validation)} for validation")
    with printed_warnings(), progress("training", "steps") as on_step:
        trained = train(recipe, data, out, device=device, resume=resume, on_check=on_step, on_step=on_step)
    output.print(f"weights: {trained.weights}\nmodel card: {trained.card}", markup=False)


def _parameter(name: str, annotation: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _option(setting: Setting) -> Parameter:
    """The parameter that typer turns into the option of a setting."""
    kind: Any = Literal[tuple(map(str, setting.choices))] if setting.choices else setting.kind
    if setting.many:
        kind = list[kind]
    elif setting.default is None:
        kind = kind | None
    limits = setting.range or Range()
    # Typer shows a least and a largest value, and knows no other bounds.
    others = str(replace(limits, min=None, max=None))
    # A description that begins with a choice keeps it as it has to be typed.
    text = setting.help.replace("``", "")
    text = text if setting.help.startswith("``") else text[:1].upper() + text[1:]
    option = typer.Option(min=limits.min, max=limits.max, help=f"{text} Must be {others}." if others else text)
    return _parameter(setting.name, Annotated[kind, option], _to_option(setting, setting.default))


def _to_option(setting: Setting, value: Any) -> Any:
    """A value as the option has it: choices are text, and tuples are lists."""
    if setting.many:
        return [str(item) if setting.choices else item for item in value]
    return str(value) if setting.choices else value


def _from_option(setting: Setting, value: Any) -> Any:
    """A value as the recipe has it."""
    choices = {str(choice): choice for choice in setting.choices}
    if setting.many:
        return tuple(choices.get(item, item) for item in value)
    return choices.get(value, value)


def _is_replaced(source: str, ctx: typer.Context) -> bool:
    """Whether a source of the configuration file gives way to another one on the command line."""
    return not _is_typed(source, ctx) and any(_is_typed(other, ctx) for other in _ALTERNATIVES.get(source, ()))


def _is_typed(option: str, ctx: typer.Context) -> bool:
    """Whether an option is on the command line."""
    place = ctx.get_parameter_source(option)
    return place is not None and place.name == "COMMANDLINE"
