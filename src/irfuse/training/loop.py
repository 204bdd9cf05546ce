"""The loop that every training shares: repeat a step, log it, save checkpoints, stop cleanly, go on exactly.

What one step is, with its data, losses and optimisers, is the recipe's business.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import torch

import irfuse
from irfuse.errors import StoppedError, TrainingError
from irfuse.io.files import write_atomic
from irfuse.progress import Progress

_SECONDS_BETWEEN_CHECKPOINTS = 30.0


class Stateful(Protocol):
    """What has a state that can be saved between any two steps, as PyTorch's networks and optimisers have."""

    def state_dict(self) -> Any:
        """The state, as tensors, numbers, strings, lists and dicts."""
        ...

    def load_state_dict(self, state: Any, /) -> Any:
        """Go back to a saved state."""
        ...


class Task(Protocol):
    """What is trained, one step at a time."""

    @property
    def parts(self) -> Mapping[str, Stateful]:
        """All that the next step depends on, by names for the checkpoint."""
        ...

    def step(self) -> dict[str, float]:
        """Do one step and return its losses."""
        ...


@dataclass
class History:
    """The losses of every step, the scores of every epoch, and the time that the steps took.

    Attributes:
        losses: name of the loss to its value at each step.
        scores: name of the score to its value after each epoch.
        seconds: the time spent in steps, over all sessions.
    """

    losses: dict[str, list[float]] = field(default_factory=dict)
    scores: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0

    def append(self, losses: dict[str, float], seconds: float) -> None:
        for name, value in losses.items():
            self.losses.setdefault(name, []).append(value)
        self.seconds += seconds

    @property
    def steps(self) -> int:
        return max((len(values) for values in self.losses.values()), default=0)

    @property
    def epochs(self) -> int:
        return max((len(values) for values in self.scores.values()), default=0)


@dataclass(frozen=True)
class Epochs:
    """What happens after every so many steps.

    Attributes:
        steps: of an epoch.
        validate: gives the scores of the state that the task is in.
        on_epoch: told the history after each epoch.
    """

    steps: int
    validate: Callable[[], dict[str, float]]
    on_epoch: Callable[[History], None]


def run(
    task: Task,
    steps: int,
    checkpoint: Path,
    identity: dict[str, Any],
    *,
    resume: bool,
    on_step: Progress,
    epochs: Epochs | None = None,
) -> History:
    """Run `task` up to `steps` steps, saving a checkpoint twice a minute, when interrupted, and at the end.

    The last checkpoint is the caller's to delete, once what was trained is safe.

    Args:
        task: what to train; it is in its final state afterwards.
        steps: in all, those before a resumption included.
        checkpoint: the file to save to and to resume from.
        identity: the settings and data of this training; a checkpoint of another identity is refused.
        resume: go on from `checkpoint`; without it, an existing checkpoint is an error and stays untouched.
        on_step: told after each step.
        epochs: the validation, where there is one.

    Raises:
        StoppedError: SIGINT or SIGTERM arrived; the checkpoint holds the state after the last whole step.
        TrainingError: the checkpoint is missing, damaged, in the way or another training's, or the loss is not finite.
        OutputError: the checkpoint cannot be written.
    """
    check_free(checkpoint, resume=resume)
    history = _resume(task, checkpoint, identity) if resume else History()
    with _stop_requests() as stop_requested:
        saved = time.monotonic()
        while history.steps < steps:
            start = time.perf_counter()
            try:
                losses = task.step()
            except torch.OutOfMemoryError as error:
                step = history.steps + 1
                raise TrainingError(f"out of memory in step {step}; use fewer or smaller crops") from error
            for name, value in losses.items():
                if not math.isfinite(value):
                    raise TrainingError(
                        f"the {name} loss became {value} at step {history.steps + 1}; use a lower learning rate"
                    )
            history.append(losses, time.perf_counter() - start)
            if epochs and history.steps % epochs.steps == 0:
                for name, value in epochs.validate().items():
                    history.scores.setdefault(name, []).append(value)
                _save(task, history, checkpoint, identity)
                epochs.on_epoch(history)
            on_step(history.steps, steps, "  ".join(f"{name} {value:.5f}" for name, value in losses.items()))
            if stop_requested():
                _save(task, history, checkpoint, identity)
                raise StoppedError(
                    f"stopped after step {history.steps} of {steps}; {checkpoint} holds the state: go on with --resume"
                )
            if time.monotonic() - saved > _SECONDS_BETWEEN_CHECKPOINTS:
                _save(task, history, checkpoint, identity)
                saved = time.monotonic()
        _save(task, history, checkpoint, identity)
    return history


def check_free(checkpoint: Path, *, resume: bool) -> None:
    """Refuse to lose an unfinished training.

    Raises:
        TrainingError: the checkpoint is there, and is not resumed.
    """
    if not resume and checkpoint.exists():
        raise TrainingError(f"{checkpoint} holds an unfinished training: go on with --resume, or delete it")


def _save(task: Task, history: History, checkpoint: Path, identity: dict[str, Any]) -> None:
    buffer = BytesIO()
    torch.save(
        {
            "identity": identity,
            "versions": {"irfuse": irfuse.__version__, "torch": str(torch.__version__)},
            "task": {name: part.state_dict() for name, part in task.parts.items()},
            "losses": history.losses,
            "scores": history.scores,
            "seconds": history.seconds,
        },
        buffer,
    )
    write_atomic(checkpoint, buffer.getvalue())


def _resume(task: Task, checkpoint: Path, identity: dict[str, Any]) -> History:
    if not checkpoint.is_file():
        raise TrainingError(f"{checkpoint}: no checkpoint to resume from; train without --resume")
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        check_same(state["identity"], identity, str(checkpoint))
        for name, part in task.parts.items():
            part.load_state_dict(state["task"][name])
        return History(state["losses"], state["scores"], state["seconds"])
    except TrainingError:
        raise
    except Exception as error:
        # A damaged file can be anything, and fail anywhere.
        raise TrainingError(f"{checkpoint}: not a checkpoint that can be read ({type(error).__name__})") from error


def check_same(saved: dict[str, Any], identity: dict[str, Any], file: str) -> None:
    """Refuse the file of another training, and name the setting that differs.

    Raises:
        TrainingError: what is in `saved` and in `identity` differs.
    """
    for name in sorted(saved.keys() | identity.keys()):
        there, here = saved.get(name), identity.get(name)
        if isinstance(there, dict) and isinstance(here, dict):
            check_same(there, here, file)
        elif there != here:
            raise TrainingError(
                f"{file} belongs to a training with another {name}: {_short(there)} there, {_short(here)} here"
            )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn SIGINT and SIGTERM into a question that can be asked between two steps; a second signal ends at once."""
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested.is_set
        return

    def request(number: int, _: object) -> None:
        if requested.is_set():
            raise KeyboardInterrupt
        requested.set()

    previous = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requested.is_set
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
