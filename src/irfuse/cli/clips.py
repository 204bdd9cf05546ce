"""What `irfuse evaluate --video` does: put the frames of a clip in order, and score them."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from irfuse import notices
from irfuse.cli.console import errors, print_warnings, progress
from irfuse.errors import IrfuseError
from irfuse.io import tables
from irfuse.io.pair import Pair

if TYPE_CHECKING:
    from irfuse.evaluation.batch import Triple
    from irfuse.evaluation.video import Frame, VideoEvaluator

_NUMBER = re.compile(r"(\d+)")


def in_order(pairs: Sequence[Pair], triples: Sequence["Triple"], *, listed: bool) -> list["Triple | None"]:
    """Put the frames of folders in order.

    Args:
        pairs: all pairs of the folders.
        triples: those with a fused image.
        listed: whether the pairs come from a list, whose order stays. Otherwise numbers in names count as numbers, so
            that ``frame10`` follows ``frame9``.

    Returns:
        The frames. None marks a place across which nothing is compared: a frame without a fused image, or the beginning
        of another folder, which holds another clip.
    """
    by_name = {triple.name: triple for triple in triples}
    ordered = pairs if listed else sorted(pairs, key=_place)
    frames: list[Triple | None] = []
    for i, pair in enumerate(ordered):
        if i > 0 and pair.vis.parent != ordered[i - 1].vis.parent:
            frames.append(None)
        frames.append(by_name.get(pair.name))
    return frames


def score_clip(frames: Sequence["Triple | None"], evaluator: "VideoEvaluator") -> tuple[tables.Table, int]:
    """Score the frames of a clip, and count those that failed."""
    from irfuse.evaluation.video import column

    scored: list[str] = []
    failed: list[str] = []
    warnings: list[tuple[str, str]] = []

    def prepared() -> Iterator["Frame | None"]:
        for done, triple in enumerate(frames, 1):
            frame = None
            if triple is not None:
                with notices.collected() as found:
                    try:
                        frame = evaluator.frame(triple.fused, triple.ir, triple.vis, as_picture=triple.as_picture)
                        scored.append(triple.name)
                    except IrfuseError as error:
                        failed.append(triple.name)
                        errors.print(f"failed: {triple.name}: {error}", style="red", markup=False)
                warnings.extend(notices.about(triple.name, warning) for warning in found)
                on_step(done, len(frames), triple.name)
            yield frame

    with progress("scoring", "frames") as on_step, notices.collected() as of_clip:
        scores = evaluator.score(prepared())
    print_warnings([*warnings, *(("", str(warning)) for warning in of_clip)])
    rows = dict(zip(scored, scores.frames, strict=True))
    return tables.Table("video", [column(name) for name in evaluator.metrics], rows), len(failed)


def _place(pair: Pair) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    return _by_numbers(str(pair.vis.parent)), _by_numbers(pair.name)


def _by_numbers(name: str) -> list[tuple[int, str]]:
    """Split a name at its numbers, so that it is sorted by their values."""
    # Every second part is a number.
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(_NUMBER.split(name))]
