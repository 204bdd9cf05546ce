"""`irfuse train`: one command a method that can be trained."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from irfuse.cli.console import output, progress
from irfuse.cli.options import DeviceOption

train = typer.Typer(help="Train a method's weights on your own images.", no_args_is_help=True)


@train.callback()
def _commands() -> None:
    # With a callback, Typer keeps the name of a single command.
    pass


@train.command()
def res2netfuse(
    images: Annotated[
        str,
        typer.Option(
            help="What to learn from: one natural image, a folder of them, or a named set such as natural330."
        ),
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="The weights file, NAME.safetensors.")],
    test: Annotated[
        str | None, typer.Option(help="Images to test the reconstruction on: a file, a folder or a named set.")
    ] = None,
    iterations: Annotated[int, typer.Option(min=1, help="Steps of the optimiser.")] = 2000,
    batch: Annotated[int, typer.Option(min=1, help="Crops in a step, with many images.")] = 1,
    size: Annotated[int, typer.Option(min=16, help="Side of the single image, or of a crop.")] = 256,
    more_sizes: Annotated[list[int] | None, typer.Option(min=16, help="Further sides of the single image.")] = None,
    learning_rate: Annotated[float, typer.Option(min=0, help="Adam's learning rate.")] = 5e-4,
    decay: Annotated[
        Literal["cosine", "none"], typer.Option(help="The learning rate falls to zero along half a cosine, or stays.")
    ] = "cosine",
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of initial weights and crops.")] = 0,
    device: DeviceOption = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint beside the weights file.")
    ] = False,
) -> None:
    """Train the auto-encoder of Res2NetFuse to reconstruct one natural image (the paper's strategy), or many.

    Beside the weights file NAME.safetensors it writes NAME.md (the model card), NAME.png (the loss curves) and NAME.csv
    (the losses of every step). Ctrl-C stops it and keeps NAME.checkpoint, from which --resume goes on exactly.
    """
    from irfuse.training.res2netfuse import Recipe, train_weights

    recipe = Recipe(iterations, batch, size, tuple(more_sizes or ()), learning_rate, decay, seed)
    with progress("training", "steps") as on_step:
        card = train_weights(recipe, images, out, test=test, device=device, resume=resume, on_step=on_step)
    output.print(f"weights: {out}\nmodel card: {card}", markup=False)
