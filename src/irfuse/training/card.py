"""What is written beside trained weights: the model card, the losses of every step, and their curves."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from irfuse import weights
from irfuse.files import sha256, write_atomic
from irfuse.training.loop import History

_LISTED = 40


def files(weights_file: Path) -> tuple[Path, Path, Path]:
    """The files that :func:`write` writes: the card, the curves and the log."""
    return weights_file.with_suffix(".md"), weights_file.with_suffix(".png"), weights_file.with_suffix(".csv")


def write(file: Path, history: History, scores: Mapping[str, Mapping[str, float]], tests: str) -> Path:
    """Write ``NAME.md``, ``NAME.png`` and ``NAME.csv`` beside the weights ``NAME.safetensors``.

    Args:
        file: the weights file, whose header the card is made of.
        history: of the training.
        scores: rows of test results, name to metric to value; the first is of these weights, others to compare with.
        tests: what the test images are, in words.

    Returns:
        The card.

    Raises:
        OutputError: the place cannot be written to.
    """
    card, curves, log = files(file)
    write_atomic(log, _log(history))
    write_atomic(curves, _curves(history))
    write_atomic(card, _card(file, weights.header(file), history, scores, tests).encode())
    return card


def _log(history: History) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", *history.losses])
    for step, values in enumerate(zip(*history.losses.values(), strict=True), start=1):
        writer.writerow([step, *(f"{value:.6g}" for value in values)])
    return text.getvalue().encode()


def _curves(history: History) -> bytes:
    figure = Figure(figsize=(4 * len(history.losses), 3), layout="constrained")
    panels = figure.subplots(1, len(history.losses), squeeze=False)[0]
    for axes, (name, values) in zip(panels, history.losses.items(), strict=True):
        axes.semilogy(range(1, len(values) + 1), values, linewidth=0.7)
        axes.set(title=f"{name} loss", xlabel="step")
        axes.grid(alpha=0.3, which="both")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=100, metadata={"Software": None})
    return data.getvalue()


def _card(
    file: Path, header: dict[str, Any], history: History, scores: Mapping[str, Mapping[str, float]], tests: str
) -> str:
    recent = {name: values[-100:] for name, values in history.losses.items()}
    means = ", ".join(f"{name} {sum(values) / len(values):.3g}" for name, values in recent.items())
    images = header["images"]
    lines = [
        f"# {file.stem}",
        "",
        f"Weights for the method `{header['method']}`. This card is generated from the file's header and its training.",
        "",
        "| | |",
        "|---|---|",
        f"| SHA-256 | `{sha256(file)}` |",
        f"| size | {file.stat().st_size / 1e6:.2f} MB |",
        f"| command | `{header['command']}` |",
        f"| recipe | {', '.join(f'{name} {value}' for name, value in header['recipe'].items())} |",
        f"| trained in | {header['seconds'] / 60:.1f} minutes on {header['machine']} |",
        f"| versions | {', '.join(f'{name} {value}' for name, value in header['versions'].items())} |",
        f"| losses, mean of the last {min(100, history.steps)} steps | {means} |",
        "",
        f"![The losses of every step]({file.stem}.png)",
        "",
    ]
    if scores:
        metrics = list(next(iter(scores.values())))
        lines += [f"## Reconstruction of {tests}", ""]
        lines += [f"| | {' | '.join(metrics)} |", "|---|" + "---|" * len(metrics)]
        for name, row in scores.items():
            lines.append(f"| {name} | {' | '.join(f'{row[metric]:.5g}' for metric in metrics)} |")
        lines.append("")
    lines += [f"## Trained on {len(images)} image{'s' * (len(images) > 1)}", "", "| file | SHA-256 |", "|---|---|"]
    lines += [f"| {image['name']} | `{image['sha256']}` |" for image in images[:_LISTED]]
    if len(images) > _LISTED:
        lines.append(f"| and {len(images) - _LISTED} more, all in the header of the weights file | |")
    return "\n".join(lines) + "\n"
