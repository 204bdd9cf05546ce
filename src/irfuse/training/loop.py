"""The loop that every training shares: repeat a step, log it, save checkpoints, stop cleanly, resume exactly.

The recipe defines the step, with its data, losses and optimizers.
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
_RENAMED = {"float32": "fp32", "bfloat16": "bf16", "normalisation": "normalization"}
"""Settings and values as files of earlier versions name them, and their present names."""


class Stateful(Protocol):
    """An object whose state can be saved between any two steps, like PyTorch's networks and optimizers."""

    def state_dict(self) -> Any:
        """The state, as tensors, numbers, strings, lists and dicts."""
        ...

    def load_state_dict(self, state: Any, /) -> Any:
        """Go back to a saved state."""
        ...


class Task(Protocol):
    """A training, one step at a time."""

    @property
    def parts(self) -> Mapping[str, Stateful]:
        """Everything that the next step depends on, by its name in the checkpoint."""
        ...

    def step(self) -> dict[str, float]:
        """Do one step and return its losses."""
        ...


@dataclass
class History:
    """The losses of every step, the scores of every epoch, and the time that the steps took.

    Attributes:
        losses: the values at each step, by the name of the loss.
        scores: the values after each epoch, by the name of the score.
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
    """What happens after each epoch.

    Attributes:
        steps: the steps of an epoch.
        validate: scores the task in its present state.
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
    """Run `task` up to step `steps`. Save a checkpoint twice a minute, when interrupted, and at the end.

    The caller deletes the last checkpoint once the result is safe.

    Args:
        task: the task; it is in its final state afterwards.
        steps: the number of steps, including those before a resumption.
        checkpoint: the file to save to and to resume from.
        identity: the settings and data of this training; a checkpoint of another identity is refused.
        resume: continue from `checkpoint`. Without it, an existing checkpoint is an error and stays untouched.
        on_step: told after each step.
        epochs: the validation, if there is one.

    Raises:
        StoppedError: SIGINT or SIGTERM arrived; the checkpoint holds the state after the last whole step.
        TrainingError: the checkpoint is missing, damaged, in the way or another training's; a loss or a weight is not
            finite; or there is not enough memory.
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
                raise TrainingError(f"out of memory in step {step}: use fewer or smaller crops") from error
            for name, value in losses.items():
                if not math.isfinite(value):
                    raise TrainingError(
                        f"the {name} loss became {value} in step {history.steps + 1}: use a lower learning rate"
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
                    f"stopped after step {history.steps} of {steps}; {checkpoint} keeps the state: "
                    "continue with --resume"
                )
            if time.monotonic() - saved > _SECONDS_BETWEEN_CHECKPOINTS:
                _save(task, history, checkpoint, identity)
                saved = time.monotonic()
        _save(task, history, checkpoint, identity)
    return history


def check_free(checkpoint: Path, *, resume: bool) -> None:
    """Refuse to lose an unfinished training.

    Raises:
        TrainingError: the checkpoint exists and is not resumed.
    """
    if not resume and checkpoint.exists():
        raise TrainingError(f"{checkpoint} holds an unfinished training: continue with --resume, or delete it")


def _save(task: Task, history: History, checkpoint: Path, identity: dict[str, Any]) -> None:
    state = {name: part.state_dict() for name, part in task.parts.items()}
    if not _is_finite(state):
        raise TrainingError(f"the weights became NaN or infinite by step {history.steps}: use a lower learning rate")
    buffer = BytesIO()
    torch.save(
        {
            "identity": identity,
            "versions": {"irfuse": irfuse.__version__, "torch": str(torch.__version__)},
            "task": state,
            "losses": history.losses,
            "scores": history.scores,
            "seconds": history.seconds,
        },
        buffer,
    )
    write_atomic(checkpoint, buffer.getvalue())


def _is_finite(state: object) -> bool:
    """Tell whether all tensors in nested dicts and sequences are finite."""
    if isinstance(state, torch.Tensor):
        return bool(state.isfinite().all())
    if isinstance(state, Mapping):
        return all(map(_is_finite, state.values()))
    return not isinstance(state, list | tuple) or all(map(_is_finite, state))


def _resume(task: Task, checkpoint: Path, identity: dict[str, Any]) -> History:
    if not checkpoint.is_file():
        raise TrainingError(f"{checkpoint}: there is no checkpoint to resume from; train without --resume")
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
        raise TrainingError(f"{checkpoint}: not a readable checkpoint ({type(error).__name__})") from error


def check_same(saved: dict[str, Any], identity: dict[str, Any], file: str) -> None:
    """Refuse the file of another training, and name the setting that differs.

    Args:
        saved: the identity that the file holds; it may have the names of an earlier version.
        identity: the identity of this training.
        file: the file's name, for the error.

    Raises:
        TrainingError: `saved` and `identity` differ.
    """
    saved, identity = _current(saved), _current(identity)
    for name in sorted(saved.keys() | identity.keys()):
        there, here = saved.get(name), identity.get(name)
        if isinstance(there, dict) and isinstance(here, dict):
            check_same(there, here, file)
        elif there != here:
            raise TrainingError(
                f"{file} belongs to a training with other settings: {name} is {_short(there)} there and "
                f"{_short(here)} here"
            )


def _current(identity: dict[str, Any]) -> dict[str, Any]:
    """An identity with the present names of settings and of their values."""
    return {
        _RENAMED.get(name, name): _RENAMED.get(value, value) if isinstance(value, str) else value
        for name, value in identity.items()
    }


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
