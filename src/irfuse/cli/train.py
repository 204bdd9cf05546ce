"""`irfuse train`: one command a method that can be trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from irfuse import datasets
from irfuse.cli.console import errors, output, printed_warnings, progress
from irfuse.cli.options import DeviceOption
from irfuse.errors import ParameterError
from irfuse.io.pairs import Pair, match

train = typer.Typer(help="Train a method's weights on your own images.", no_args_is_help=True)

WeightsFile = Annotated[Path, typer.Option("--output", "-o", help="The weights file, NAME.safetensors.")]
SeedOption = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of initial weights and crops.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint beside the weights file.")]
InfraredOption = Annotated[Path | None, typer.Option("--ir", help="Folder of infrared images.")]
VisibleOption = Annotated[Path | None, typer.Option("--vis", help="Folder of visible images, with the same names.")]
PairsOption = Annotated[
    str | None,
    typer.Option(help="Instead: a folder of data sets, a CSV file with columns ir and vis, or a named set."),
]
ValidationOption = Annotated[
    str | None,
    typer.Option(help="Pairs to validate on, named likewise; by default every tenth pair, at most 50."),
]
PrecisionOption = Annotated[Literal["float32", "bfloat16"], typer.Option(help="Of the network.")]

_HELD_OUT = 10
"""One pair in so many is held out for validation, ..."""
_MOST_HELD_OUT = 50
"""... but at most so many: all are scored after each epoch."""


@train.command()
def res2netfuse(
    images: Annotated[
        str,
        typer.Option(
            help="What to learn from: one natural image, a folder of them, or a named set such as natural330."
        ),
    ],
    out: WeightsFile,
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
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    resume: ResumeOption = False,
) -> None:
    """Train the auto-encoder of Res2NetFuse to reconstruct one natural image (the paper's strategy), or many.

    Beside the weights file NAME.safetensors it writes NAME.md (the model card), NAME.png (the loss curves) and NAME.csv
    (the losses of every step). Ctrl-C stops it and keeps NAME.checkpoint, from which --resume goes on exactly.
    """
    from irfuse.training.recipes.res2netfuse import Recipe, train_weights

    recipe = Recipe(iterations, batch, size, tuple(more_sizes or ()), learning_rate, decay, seed)
    with progress("training", "steps") as on_step:
        card = train_weights(recipe, images, out, test=test, device=device, resume=resume, on_step=on_step)
    output.print(f"weights: {out}\nmodel card: {card}", markup=False)


@train.command("encoder-decoder")
def encoder_decoder(
    out: WeightsFile,
    ir: InfraredOption = None,
    vis: VisibleOption = None,
    pairs: PairsOption = None,
    validation: ValidationOption = None,
    epochs: Annotated[int, typer.Option(min=1, help="After each, the network is validated.")] = 40,
    epoch_steps: Annotated[int, typer.Option(min=1, help="Steps of the optimiser in an epoch.")] = 180,
    batch: Annotated[int, typer.Option(min=1, help="Crops in a step.")] = 16,
    size: Annotated[int, typer.Option(min=32, help="Side of a crop, a multiple of 32.")] = 256,
    width: Annotated[int, typer.Option(min=2, help="Channels of the first level; the published code has 64.")] = 16,
    channels: Annotated[Literal["1", "3"], typer.Option(help="The visible image as luma, or in colour.")] = "1",
    qw_weight: Annotated[float, typer.Option(min=0, help="Weight of 1 - Q_w in the loss.")] = 1.0,
    qe_weight: Annotated[float, typer.Option(min=0, help="Weight of 1 - Q_e, the same of the edges.")] = 1.0,
    coarse_weight: Annotated[float, typer.Option(min=0, help="Weight of 1 - Q_w of coarser images.")] = 0.5,
    mse_weight: Annotated[float, typer.Option(min=0, help="Weight of the squared error against both sources.")] = 2.0,
    learning_rate: Annotated[float, typer.Option(min=0, help="Adam's learning rate.")] = 1e-3,
    halved_at: Annotated[
        list[int] | None, typer.Option(min=1, help="Epochs after which the rate is halved; by default 10, 20 and 30.")
    ] = None,
    averaging: Annotated[
        float, typer.Option(min=0, max=1, help="What a step keeps of the weights' moving average.")
    ] = 0.998,
    augmented: Annotated[float, typer.Option(min=0, max=1, help="Share of images blurred, and of noisy ones.")] = 0.1,
    blur: Annotated[float, typer.Option(min=0, help="Largest blur, in pixels.")] = 1.5,
    noise: Annotated[float, typer.Option(min=0, help="Largest noise; 1 is the full range.")] = 0.03,
    alike: Annotated[float, typer.Option(min=0, max=1, help="Share of crops with one image as both sources.")] = 0.1,
    precision: PrecisionOption = "float32",
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    resume: ResumeOption = False,
) -> None:
    """Train the encoder-decoder network on pairs, without labels, on the quality of its own fused images.

    Beside the weights file NAME.safetensors it writes NAME.md (the model card), NAME.png (the curves), NAME.csv and
    NAME-epochs.csv (losses and scores), and after every epoch a picture in NAME-previews. Ctrl-C stops it and keeps
    NAME.checkpoint, from which --resume goes on exactly.
    """
    from irfuse.training import provenance
    from irfuse.training.recipes.encoder_decoder import Recipe, train_weights

    recipe = Recipe(
        epochs=epochs,
        epoch_steps=epoch_steps,
        batch=batch,
        size=size,
        width=width,
        channels=1 if channels == "1" else 3,
        qw_weight=qw_weight,
        qe_weight=qe_weight,
        coarse_weight=coarse_weight,
        mse_weight=mse_weight,
        learning_rate=learning_rate,
        halved_at=tuple(halved_at or (10, 20, 30)),
        averaging=averaging,
        augmented=augmented,
        blur=blur,
        noise=noise,
        alike=alike,
        precision=precision,
        seed=seed,
    )
    training, held_out = _split(ir, vis, pairs, validation)
    command = provenance.command("encoder-decoder", recipe, _sources(ir, vis, pairs, validation), out)
    with printed_warnings(), progress("training", "steps") as on_step:
        card = train_weights(
            recipe,
            training,
            held_out,
            out,
            command=command,
            device=device,
            resume=resume,
            on_check=on_step,
            on_step=on_step,
        )
    output.print(f"weights: {out}\nmodel card: {card}", markup=False)


@train.command("attention-ensemble")
def attention_ensemble(
    out: WeightsFile,
    images: Annotated[
        str | None,
        typer.Option(help="Natural images for the auto-encoder: a folder, or a named set such as natural602."),
    ] = None,
    autoencoder: Annotated[
        Path | None,
        typer.Option(help="Instead: NAME-autoencoder.safetensors of an earlier training, whose settings stay."),
    ] = None,
    ir: InfraredOption = None,
    vis: VisibleOption = None,
    pairs: PairsOption = None,
    validation: ValidationOption = None,
    autoencoder_steps: Annotated[int, typer.Option(min=1, help="Steps of the first stage.")] = 3000,
    epochs: Annotated[int, typer.Option(min=1, help="Of the second; after each, the fusion is validated.")] = 6,
    epoch_steps: Annotated[int, typer.Option(min=1, help="Steps in an epoch.")] = 150,
    batch: Annotated[int, typer.Option(min=1, help="Crops in a step; the paper has 16.")] = 8,
    size: Annotated[int, typer.Option(min=13, help="Side of a crop; the paper has 256.")] = 112,
    learning_rate: Annotated[float, typer.Option(min=0, help="Adam's; the paper has 1e-4.")] = 1e-3,
    ssim_weight: Annotated[float, typer.Option(min=0, help="Weight of 1 - SSIM in the first stage.")] = 0.1,
    gan_weight: Annotated[float, typer.Option(min=0, help="Weight of the adversary; 0 trains without.")] = 0.001,
    structure_weight: Annotated[float, typer.Option(min=0, help="Weight of 1 - SSIM in the second stage.")] = 4.0,
    gradient_weight: Annotated[float, typer.Option(min=0, help="Weight of the larger gradients.")] = 10.0,
    pixel_weight: Annotated[float, typer.Option(min=0, help="Weight of the brighter pixels.")] = 1.0,
    dilated: Annotated[bool, typer.Option(help="Paths of several dilations, densely connected.")] = True,
    skips: Annotated[bool, typer.Option(help="Skip connections.")] = True,
    normalisation: Annotated[
        Literal["sources", "channels"], typer.Option(help="What the attention's softmax goes over.")
    ] = "sources",
    skip_attention: Annotated[
        float, typer.Option(min=0, max=1, help="How far the attention weighs the skip connections; 0 in the paper.")
    ] = 0.6,
    precision: PrecisionOption = "float32",
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    resume: ResumeOption = False,
) -> None:
    """Train an auto-encoder on natural images against a discriminator, then the attention on pairs, without labels.

    Beside the weights file NAME.safetensors it writes NAME.md (the model card), NAME.png (the curves), NAME.csv and
    NAME-epochs.csv (losses and scores), and after every epoch a picture in NAME-previews. The first stage leaves
    weights, card, curves and losses as NAME-autoencoder. Ctrl-C stops either, and --resume goes on exactly.
    """
    from irfuse.training import provenance
    from irfuse.training.recipes.attention_ensemble import Recipe, train_weights

    if (images is None) == (autoencoder is None):
        raise ParameterError("give one of --images and --autoencoder, not both")
    recipe = Recipe(
        autoencoder_steps=autoencoder_steps,
        epochs=epochs,
        epoch_steps=epoch_steps,
        batch=batch,
        size=size,
        learning_rate=learning_rate,
        ssim_weight=ssim_weight,
        gan_weight=gan_weight,
        structure_weight=structure_weight,
        gradient_weight=gradient_weight,
        pixel_weight=pixel_weight,
        dilated=dilated,
        skips=skips,
        normalisation=normalisation,
        skip_attention=skip_attention,
        precision=precision,
        seed=seed,
    )
    natural = datasets.images(images) if images else []
    training, held_out = _split(ir, vis, pairs, validation)
    sources = {
        "images": images,
        "autoencoder": str(autoencoder) if autoencoder else None,
        **_sources(ir, vis, pairs, validation),
    }
    command = provenance.command("attention-ensemble", recipe, sources, out)
    with printed_warnings(), progress("training", "steps") as on_step:
        card = train_weights(
            recipe,
            natural,
            training,
            held_out,
            out,
            autoencoder=autoencoder,
            command=command,
            device=device,
            resume=resume,
            on_check=on_step,
            on_step=on_step,
        )
    output.print(f"weights: {out}\nmodel card: {card}", markup=False)


def _sources(ir: Path | None, vis: Path | None, pairs: str | None, validation: str | None) -> dict[str, str | None]:
    """The options that name pairs, as a command has them."""
    return {
        "ir": str(ir) if ir else None,
        "vis": str(vis) if vis else None,
        "pairs": pairs,
        "validation": validation,
    }


def _split(
    ir: Path | None, vis: Path | None, pairs: str | None, validation: str | None
) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """The pairs to train on and those to validate on."""
    training = _pairs(ir, vis, pairs)
    training, held_out = (training, datasets.pairs(validation).pairs) if validation else _held_out(training)
    errors.print(f"{len(training)} pairs to train on, {len(held_out)} for validation")
    return training, held_out


def _pairs(ir: Path | None, vis: Path | None, source: str | None) -> tuple[Pair, ...]:
    """The pairs that the options mean; what has no partner is named."""
    if (ir is None) != (vis is None) or (ir is None) == (source is None):
        raise ParameterError("give both --ir and --vis, or --pairs")
    found = match(ir, vis) if ir and vis else datasets.pairs(source or "")
    for path in found.unpaired:
        errors.print(f"no partner: {path}", style="yellow", markup=False)
    return found.pairs


def _held_out(pairs: Sequence[Pair]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Pairs to train on, and some for validation, evenly spread."""
    if len(pairs) < _HELD_OUT:
        raise ParameterError(f"{len(pairs)} pairs are too few to hold some out; name others with --validation")
    step = max(_HELD_OUT, -(-len(pairs) // _MOST_HELD_OUT))
    validation = set(range(step // 2, len(pairs), step))
    training = (pair for number, pair in enumerate(pairs) if number not in validation)
    return tuple(training), tuple(pairs[number] for number in sorted(validation))
