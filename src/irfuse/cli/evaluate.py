"""`irfuse evaluate`."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irfuse import notices
from irfuse.cli.console import errors, output, print_table, print_unpaired, print_warnings, progress, table
from irfuse.cli.options import AsPictureOption, DeviceOption, RangeOption, names, thermal
from irfuse.errors import ImageError, OutputError, PairError, ParameterError, SuspiciousPairWarning
from irfuse.io import tables

if TYPE_CHECKING:
    from irfuse.evaluation.batch import Triple
    from irfuse.evaluation.evaluator import Evaluator
    from irfuse.io.pair import Pair

_STDOUT = Path("-")


def evaluate(
    fused: Annotated[Path, typer.Argument(help="A fused image, or a folder of them.")],
    ir: Annotated[Path, typer.Argument(help="The infrared image or folder, a data set or a CSV manifest.")],
    vis: Annotated[Path | None, typer.Argument(help="The visible image or folder.", show_default=False)] = None,
    *,
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metrics", "-k", help="Names separated by commas.", show_default="all metrics of the protocol"),
    ] = None,
    protocol: Annotated[
        str, typer.Option("--protocol", "-p", help="How to compute the metrics; `irfuse protocols` lists the ways.")
    ] = "canonical",
    csv: Annotated[Path | None, typer.Option(help="Write every score to this CSV file; - is standard output.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write every score and the means to this JSON file.")] = None,
    latex: Annotated[Path | None, typer.Option(help="Write the means as a LaTeX table (booktabs).")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the means as a Markdown table.")] = None,
    thermal_range: RangeOption = None,
    thermal_percentiles: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LOW HIGH", help="The percentiles of raw infrared values that become black and white."),
    ] = None,
    as_picture: AsPictureOption = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="The number of processes.", show_default="one per core; one on a GPU"),
    ] = None,
    device: DeviceOption = "cpu",
    video: Annotated[
        bool, typer.Option("--video", help="Score how steady a clip is. FUSED, IR and VIS hold its frames.")
    ] = False,
) -> None:
    """Score fused images against their sources by the metrics of one protocol.

    FUSED, IR and VIS are three images, or three folders whose files are matched by name. The exit status is 0 if all
    fused images were scored, 1 if some were not, 2 if nothing could be done, and 130 on Ctrl-C.
    """
    renderers = (csv, tables.to_csv), (json, tables.to_json), (latex, tables.to_latex), (markdown, tables.to_markdown)
    targets = [(path, render) for path, render in renderers if path is not None]
    _check_targets([path for path, _ in targets], [path for path in (fused, ir, vis) if path is not None])
    if video:
        _check_clip(fused, protocol, device, jobs)

    from irfuse.device import cores
    from irfuse.evaluation.evaluator import Evaluator

    found = _find(fused, ir, vis, as_picture)
    levels = thermal(thermal_range, thermal_percentiles) if thermal_range or thermal_percentiles else None
    if video:
        from irfuse.cli.clips import in_order, score_clip
        from irfuse.evaluation.video import VideoEvaluator

        of_clips = VideoEvaluator(names(metrics), thermal=levels)
        scores, failed = score_clip(in_order(found.pairs, found.triples, listed=ir.is_file()), of_clips)
    else:
        evaluator = Evaluator(names(metrics), protocol, device=device, thermal=levels)
        scores, failed = _score(found.triples, evaluator, jobs or (cores() if device == "cpu" else 1))
    _doubt([triple for triple in found.triples if triple.name in scores.rows])
    if all(path != _STDOUT for path, _ in targets):
        _print(scores, "frames" if video else "images")
    for path, render in targets:
        _write(path, render(scores))
    if failed or found.without_sources:
        raise typer.Exit(1)


def _score(triples: list["Triple"], evaluator: "Evaluator", jobs: int) -> tuple[tables.Table, int]:
    """Score images, and count those that failed."""
    from irfuse.evaluation import batch
    from irfuse.evaluation.evaluator import column

    rows: dict[str, dict[str, float]] = {}
    warnings: list[tuple[str, str]] = []
    failed = 0
    with progress("scoring", "images") as on_step:
        for done, outcome in enumerate(batch.run(triples, evaluator, jobs=jobs), 1):
            if outcome.error is not None and len(triples) == 1:
                raise outcome.error
            if outcome.error is not None:
                failed += 1
                errors.print(f"failed: {outcome.name}: {outcome.error}", style="red", markup=False)
            else:
                rows[outcome.name] = outcome.scores
            warnings += [notices.about(outcome.name, warning) for warning in outcome.warnings]
            on_step(done, len(triples), outcome.name)
    print_warnings(warnings)
    if not rows:
        raise ImageError("no image could be scored")
    return tables.Table(evaluator.protocol.name, [column(name) for name in evaluator.metrics], rows), failed


def _doubt(triples: list["Triple"]) -> None:
    """Warn if most of the first pairs look unregistered."""
    from irfuse.evaluation import batch

    doubt = batch.unregistered(triples)
    if doubt:
        notices.warn(SuspiciousPairWarning(doubt))


def _check_clip(fused: Path, protocol: str, device: str, jobs: int | None) -> None:
    """Refuse what does not apply to clips."""
    if fused.is_file():
        raise PairError(f"{fused} is a file; with --video, give folders of frames")
    if protocol != "canonical":
        raise ParameterError(f"--protocol {protocol}: the metrics of clips belong to no protocol; leave it out")
    if device != "cpu":
        raise ParameterError(f"--device {device}: the metrics of clips are computed on the CPU; leave it out")
    if jobs is not None:
        raise ParameterError("--jobs: a clip is scored frame by frame in one process; leave it out")


def _check_targets(targets: list[Path], inputs: list[Path]) -> None:
    """Check the files to write before the work starts."""
    for path in targets:
        if path == _STDOUT:
            continue
        if not path.name or path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder; give the name of a file")
        if not os.access(path.parent, os.W_OK):
            missing = "there is no folder" if not path.parent.is_dir() else "permission denied for the folder"
            raise OutputError(f"cannot write {path}: {missing} {path.parent}")
        if path.exists() and any(path.samefile(source) for source in inputs if source.exists()):
            raise OutputError(f"{path} would replace an input; choose another name")
    if len(set(targets)) < len(targets):
        raise OutputError("two tables cannot be written to one file; give each its own file")


@dataclass(frozen=True)
class _Found:
    """What the arguments name.

    Attributes:
        triples: what to score.
        pairs: the pairs of the folders, also those without a fused image; empty for three images.
        without_sources: the number of fused images that have no sources.
    """

    triples: list["Triple"]
    pairs: tuple["Pair", ...] = ()
    without_sources: int = 0


def _find(fused: Path, ir: Path, vis: Path | None, as_picture: bool) -> _Found:
    from irfuse.evaluation.batch import Triple
    from irfuse.io import pairs

    for path in (fused, ir, *filter(None, [vis])):
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder")
    if not fused.is_dir():
        if vis is None or ir.is_dir() or vis.is_dir():
            raise PairError(f"{fused} is a file; give one infrared and one visible image with it")
        return _Found([Triple(fused.name, fused, ir, vis, as_picture)])
    if vis is not None and not (ir.is_dir() and vis.is_dir()):
        raise PairError(f"{fused} is a folder; give an infrared and a visible folder with it")
    pairing = pairs.find(ir) if vis is None else pairs.match(ir, vis)
    matched = pairs.match_fused(fused, pairing.pairs)
    print_unpaired((*pairing.unpaired, *matched.unpaired))
    if matched.missing:
        errors.print(f"no fused image for: {', '.join(matched.missing)}", style="yellow", markup=False)
    by_name = {pair.name: pair for pair in pairing.pairs}
    triples = [
        Triple(name, path, by_name[name].ir, by_name[name].vis, as_picture) for name, path in matched.fused.items()
    ]
    return _Found(triples, pairing.pairs, len(matched.unpaired))


def _print(scores: tables.Table, unit: str) -> None:
    from rich.text import Text

    several = len(scores.rows) > 1
    shown = table(f"protocol {scores.protocol}")
    for head in ("mean", "deviation", "lowest", "", "highest", "") if several else ("score",):
        shown.add_column(head, justify="right" if head else "left", style="" if head else "dim")
    for column in scores.columns:
        cells: list[str | Text] = [tables.digits(scores.mean(column.name))]
        if several:
            values = scores.defined(column.name)
            cells.append(tables.digits(scores.deviation(column.name)))
            for extreme in (min, max):
                image = extreme(values, key=values.__getitem__, default="")
                cells += [tables.digits(values[image]) if image else "-", Text(image)]
        shown.add_row(f"{column.name} {column.arrow}{scores.remark(column.name)}", *cells)
    print_table(shown)
    if several:
        output.print(f"{len(scores.rows)} {unit}")


def _write(path: Path, text: str) -> None:
    from irfuse.io.files import write_atomic

    if path == _STDOUT:
        sys.stdout.write(text)
    else:
        write_atomic(path, text.encode(errors="surrogateescape"))
        output.print(str(path), markup=False)
