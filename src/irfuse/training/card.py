"""The files beside trained weights: the model card, the losses and scores, and their curves."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from irfuse import weights
from irfuse.io.files import sha256, write_atomic
from irfuse.training.loop import History

_COLUMNS = 5
_SMOOTHED = 200
"""The steps that the thick line of a loss averages."""
_LISTED = 40


def files(weights_file: Path) -> tuple[Path, Path, Path]:
    """The files that :func:`write` always writes: the card, the curves and the log."""
    return weights_file.with_suffix(".md"), weights_file.with_suffix(".png"), weights_file.with_suffix(".csv")


def epochs_file(weights_file: Path) -> Path:
    """The log of the scores, which :func:`write` writes if there are any."""
    return weights_file.with_name(f"{weights_file.stem}-epochs.csv")


def write(
    file: Path,
    history: History,
    scores: Mapping[str, Mapping[str, float]],
    scored: str,
    notes: Mapping[str, str] | None = None,
    preview: Path | None = None,
) -> Path:
    """Write the card ``NAME.md``, and the files of :func:`write_log`, beside the weights ``NAME.safetensors``.

    Args:
        file: the weights file; its header tells the card how the weights were made.
        history: the history of the training.
        scores: the rows of the table of results, each by metric. The first row is for these weights, the others are
            for comparison.
        scored: the title of that table.
        notes: further rows of the card's first table.
        preview: a picture of results, in the file's folder or below.

    Returns:
        The card.

    Raises:
        OutputError: the place cannot be written to.
    """
    write_log(file, history)
    card = files(file)[0]
    text = _card(file, weights.header(file), history, scores, scored, notes or {}, preview)
    write_atomic(card, text.encode())
    return card


def write_log(file: Path, history: History) -> None:
    """Write ``NAME.csv``, the losses of every step, ``NAME-epochs.csv``, the scores of every epoch, and their curves.

    Raises:
        OutputError: the place cannot be written to.
    """
    _, curves, log = files(file)
    write_atomic(log, _log("step", history.losses))
    if history.scores:
        write_atomic(epochs_file(file), _log("epoch", history.scores))
    write_atomic(curves, _curves(history))


def _log(unit: str, values: Mapping[str, Sequence[float]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([unit, *values])
    for number, row in enumerate(zip(*values.values(), strict=True), start=1):
        writer.writerow([number, *(f"{value:.6g}" for value in row)])
    return text.getvalue().encode()


def _curves(history: History) -> bytes:
    """A panel for each loss, then one for each score."""
    count = len(history.losses) + len(history.scores)
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes in panels[count:]:
        axes.set_visible(False)
    for axes, (name, values) in zip(panels, history.losses.items(), strict=False):
        steps = range(1, len(values) + 1)
        axes.plot(steps, values, linewidth=0.5, alpha=0.3)
        axes.plot(steps, _smooth(values), color="C0")
        axes.set(title=f"{name} loss", xlabel="step", yscale="log" if min(values) > 0 else "linear")
        axes.grid(alpha=0.3, which="both")
    for axes, (name, values) in zip(panels[len(history.losses) :], history.scores.items(), strict=False):
        axes.plot(range(1, len(values) + 1), values, marker=".", color="C1")
        axes.set(title=name, xlabel="epoch")
        axes.grid(alpha=0.3)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=100, metadata={"Software": None})
    return data.getvalue()


def _smooth(values: Sequence[float]) -> list[float]:
    """Compute the moving average, over fewer values at the start."""
    smooth, average = [], values[0]
    for number, value in enumerate(values, start=1):
        average += (value - average) / min(number, _SMOOTHED)
        smooth.append(average)
    return smooth


def _card(
    file: Path,
    header: dict[str, Any],
    history: History,
    scores: Mapping[str, Mapping[str, float]],
    scored: str,
    notes: Mapping[str, str],
    preview: Path | None,
) -> str:
    recent = {name: values[-100:] for name, values in history.losses.items()}
    means = ", ".join(f"{name} {sum(values) / len(values):.3g}" for name, values in recent.items())
    images = header["images"]
    count, noun = (header["pairs"], "pair") if "pairs" in header else (len(images), "image")
    trained_on = f"{count} {noun}{'s' * (count > 1)}"
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
        *(f"| {name} | {text} |" for name, text in notes.items()),
        "",
        f"![The losses of every step]({file.stem}.png)",
        "",
    ]
    if scores:
        metrics = list(next(iter(scores.values())))
        lines += [f"## {scored}", ""]
        lines += [f"| | {' | '.join(metrics)} |", "|---|" + "---|" * len(metrics)]
        for name, row in scores.items():
            lines.append(f"| {name} | {' | '.join(f'{row[metric]:.5g}' for metric in metrics)} |")
        lines.append("")
    if preview:
        lines += [f"![Results]({preview.relative_to(file.parent)})", ""]
    lines += [f"## Trained on {trained_on}", "", "| file | SHA-256 |", "|---|---|"]
    lines += [f"| {image['name']} | `{image['sha256']}` |" for image in images[:_LISTED]]
    if len(images) > _LISTED:
        lines.append(f"| and {len(images) - _LISTED} more, all in the header of the weights file | |")
    return "\n".join(lines) + "\n"
