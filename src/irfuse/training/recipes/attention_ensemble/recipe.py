"""The settings of both stages, and their order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from irfuse import weights
from irfuse.errors import TrainingError
from irfuse.io.files import sha256
from irfuse.methods.attention_ensemble import AttentionEnsemble, Network
from irfuse.training import card, loop, on_pairs, provenance
from irfuse.training.data import TrainingData
from irfuse.training.recipes.attention_ensemble import autoencoder
from irfuse.training.recipes.attention_ensemble.attention import Fusion
from irfuse.training.recipes.base import Recipe, Session, Trained
from irfuse.training.settings import Range
from irfuse.training.steps import TrainingPrecision
from irfuse.training.validation import Validation


@dataclass(frozen=True)
class _Start:
    """What the second stage starts from.

    Attributes:
        network: the network; its attention, if it has one, is where the second stage starts.
        header: the header of its weights file.
        autoencoder: the SHA-256 of the weights file of the first stage.
        origin: how the first stage was made, for the card.
    """

    network: Network
    header: dict[str, Any]
    autoencoder: str
    origin: str


@dataclass(frozen=True)
class AttentionEnsembleRecipe(Recipe):
    """Train an auto-encoder on natural images against a discriminator, then the attention on pairs, without labels.

    The defaults, with precision bf16, made the weights that ship.

    Attributes:
        autoencoder_steps: steps of the first stage.
        epochs: epochs of the second stage; after each, the fusion is validated.
        epoch_steps: steps in an epoch.
        batch: crops in a step (16 in the paper).
        size: side of a crop (256 in the paper).
        learning_rate: Adam's learning rate at the start of each stage (1e-4 in the paper). It falls to zero along half
            a cosine, except the discriminator's.
        ssim_weight: weight of 1 - SSIM in the first stage (the paper's gamma).
        gan_weight: weight of the least-squares adversarial term (the paper's lambda); 0 trains without a
            discriminator.
        structure_weight: weight of 1 - SSIM, the mean over both sources, in the second stage.
        gradient_weight: weight of the gradients' distance from the larger ones of both sources.
        pixel_weight: weight of the pixels' distance from the brighter ones of both sources.
        dilated: paths of several dilations, densely connected; without them, the network is the paper's ablation D.
        skips: skip connections; without them, the network is the paper's ablation S.
        normalization: what the attention's softmax runs over.
        skip_attention: how far the attention weighs the skip connections, from 0 (the paper) to 1.
        precision: precision of the convolutions; losses are always computed in fp32.
        seed: seed of the initial weights and of the crops.
    """

    name = method = AttentionEnsemble.info.name
    uses = ("images", "autoencoder", "init", "pairs")

    autoencoder_steps: Annotated[int, Range(min=1)] = 3000
    epochs: Annotated[int, Range(min=1)] = 6
    epoch_steps: Annotated[int, Range(min=1)] = 150
    batch: Annotated[int, Range(min=1)] = 8
    size: Annotated[int, Range(min=AttentionEnsemble.info.minimum)] = 112
    learning_rate: Annotated[float, Range(above=0)] = 1e-3
    ssim_weight: Annotated[float, Range(min=0)] = 0.1
    gan_weight: Annotated[float, Range(min=0)] = 0.001
    structure_weight: Annotated[float, Range(min=0)] = 5.0
    gradient_weight: Annotated[float, Range(min=0)] = 10.0
    pixel_weight: Annotated[float, Range(min=0)] = 1.0
    dilated: bool = True
    skips: bool = True
    normalization: Literal["sources", "channels"] = "sources"
    skip_attention: Annotated[float, Range(min=0, max=1)] = 0.6
    precision: TrainingPrecision = "fp32"
    seed: Annotated[int, Range(min=0, max=2**63 - 1)] = 0

    def check(self) -> None:
        if not any((self.structure_weight, self.gradient_weight, self.pixel_weight)):
            raise TrainingError("one of structure_weight, gradient_weight and pixel_weight must be more than 0")

    def train(self, data: TrainingData, session: Session) -> Trained:
        """Train both stages.

        The first stage writes ``NAME-autoencoder.safetensors``, weights that fuse without attention, with a card,
        curves and a log of its own. If `data` names the weights of an earlier first stage, or weights to start
        from, these are used.
        """
        # A training that was stopped in the first stage starts the second one anew.
        resume = session.resume and (not data.images or provenance.checkpoint(session.output).exists())
        _check_first(data, session)
        files = on_pairs.check(data, session, resume=resume)
        validation = Validation(data.validation, 1, AttentionEnsemble.info, session.device)
        if data.images and not resume:
            autoencoder.train(self, data.images, validation, files.validation, session)
        start = _read_init(data.init) if data.init else self._read_first(data, files.validation, session)
        recipe = autoencoder.with_settings_of(start.header, self)
        return on_pairs.train(
            Fusion(recipe, start.network, data.pairs, session.device, start.network.attention),
            recipe,
            data,
            files,
            validation,
            session,
            epochs=recipe.epochs,
            epoch_steps=recipe.epoch_steps,
            architecture={
                "dilated": recipe.dilated,
                "attention": True,
                "skips": recipe.skips,
                "normalization": recipe.normalization,
                "skip_attention": recipe.skip_attention,
                "autoencoder": start.autoencoder,
            },
            resume=resume,
            notes={"auto-encoder": f"`{start.autoencoder}`, {start.origin}"},
        )

    def _read_first(self, data: TrainingData, validated_on: Sequence[dict[str, str]], session: Session) -> _Start:
        """Read the first stage that was trained, or that `data` names."""
        first = data.autoencoder or autoencoder.file(session.output)
        network, header = autoencoder.read(first)
        if data.autoencoder:
            autoencoder.warn_of_seen(validated_on, header["images"])
        else:
            autoencoder.check_same(header, self, data.images, first)
        origin = f"{header['seconds'] / 60:.1f} minutes on {len(header['images'])} images"
        return _Start(network, header, sha256(first), origin)


def _read_init(init: str | Path) -> _Start:
    """Read weights of both stages, to train the attention further."""
    name = AttentionEnsemble.info.name
    header = weights.header_for(name, weights.find(name, str(init)))
    network = AttentionEnsemble(weights=str(init)).network
    if network.attention is None:
        raise TrainingError(f"{init}: these weights have no attention: give them as --autoencoder")
    if not {"recipe", "autoencoder"} <= header.keys():
        raise TrainingError(f"{init}: the header does not say how the auto-encoder was trained")
    return _Start(network, header, header["autoencoder"], "that of the initial weights")


def _check_first(data: TrainingData, session: Session) -> None:
    """Find what is wrong with the first stage before the training starts."""
    output = session.output
    if sum(map(bool, (data.images, data.autoencoder, data.init))) != 1:
        raise TrainingError("give one of --images, --autoencoder and --init")
    if len(data.images) > 1 and output.resolve().parent in {path.resolve().parent for path in data.images}:
        raise TrainingError(f"{output} would lie among the images to train on: choose another folder")
    if data.autoencoder:
        autoencoder.read(data.autoencoder)
        return
    if data.init:
        _read_init(data.init)
        return
    first = autoencoder.file(output)
    loop.check_free(provenance.checkpoint(output), resume=session.resume)
    if first.exists() and not session.resume:
        raise TrainingError(f"{first} already exists: continue with --resume, or choose another name for the output")
    provenance.check_output(first, card.files(first), resume=session.resume)
