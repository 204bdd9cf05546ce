import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from irfuse.errors import StoppedError, TrainingError
from irfuse.progress import silent
from irfuse.training import loop


class Counter:
    """A task whose loss is the number of the step."""

    def __init__(self, bad: int = -1) -> None:
        self.count, self.bad = 0, bad
        self.parts = {"counter": self}

    def step(self) -> dict[str, float]:
        self.count += 1
        return {"loss": float("nan") if self.count == self.bad else float(self.count)}

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]


def run(task: loop.Task, steps: int, checkpoint: Path, *, resume: bool = False, **settings: Any) -> loop.History:
    on_step = settings.pop("on_step", silent)
    return loop.run(task, steps, checkpoint, settings, resume=resume, on_step=on_step)


class Weight(Counter):
    """A task whose weight is NaN from a step on, while its losses are not."""

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "deep": [{"weight": torch.tensor(float("nan") if self.count >= 3 else 0.0)}]}


def test_no_checkpoint_holds_nan(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the weights became NaN or infinite by step 3: use a lower learning rate"):
        run(Weight(), 3, tmp_path / "x.checkpoint")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stops_between_steps_and_goes_on(number: signal.Signals, tmp_path: Path) -> None:
    checkpoint = tmp_path / "x.checkpoint"
    before = signal.getsignal(number)

    def stop(done: int, total: int, note: str) -> None:
        if done == 3:
            os.kill(os.getpid(), number)

    with pytest.raises(StoppedError, match=r"after step 3 of 5; .*x\.checkpoint .* --resume"):
        run(Counter(), 5, checkpoint, on_step=stop)
    assert signal.getsignal(number) == before
    task = Counter()
    history = run(task, 5, checkpoint, resume=True)
    assert history.losses == {"loss": [1, 2, 3, 4, 5]}
    assert task.count == 5


def test_the_last_checkpoint_is_complete(tmp_path: Path) -> None:
    run(Counter(), 3, tmp_path / "x.checkpoint")
    assert run(Counter(), 3, tmp_path / "x.checkpoint", resume=True).losses["loss"] == [1, 2, 3]


def test_checkpoints_are_saved_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    checkpoint = tmp_path / "x.checkpoint"
    with pytest.raises(TrainingError, match="loss loss became nan in step 4"):
        run(Counter(bad=4), 9, checkpoint)
    assert run(Counter(), 4, checkpoint, resume=True).losses["loss"] == [1, 2, 3, 4]


def test_an_unfinished_training_is_not_overwritten(tmp_path: Path) -> None:
    checkpoint = tmp_path / "x.checkpoint"
    checkpoint.write_bytes(b"precious")
    with pytest.raises(TrainingError, match="unfinished training: continue with --resume"):
        run(Counter(), 1, checkpoint)
    assert checkpoint.read_bytes() == b"precious"


def test_resuming_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    checkpoint = tmp_path / "x.checkpoint"
    with pytest.raises(TrainingError, match="no checkpoint to resume from"):
        run(Counter(), 1, checkpoint, resume=True)
    run(Counter(), 1, checkpoint, rate=1)
    with pytest.raises(TrainingError, match="rate is 1 there and 2 here"):
        run(Counter(), 2, checkpoint, resume=True, rate=2)
    with pytest.raises(TrainingError, match="width is 16 there and None here"):
        loop.check_same({"recipe": {"a": 1, "width": 16}}, {"recipe": {"a": 1}}, "x")
    whole = checkpoint.read_bytes()
    for content in ([1, 2], torch.zeros(1), {"identity": 3}, whole[:-40], b"no checkpoint"):
        if isinstance(content, bytes):
            checkpoint.write_bytes(content)
        else:
            torch.save(content, checkpoint)
        with pytest.raises(TrainingError, match="not a readable checkpoint"):
            run(Counter(), 2, checkpoint, resume=True, rate=1)


def test_earlier_names_are_the_same_training() -> None:
    loop.check_same(
        {"recipe": {"precision": "float32", "normalisation": "sources"}},
        {"recipe": {"precision": "fp32", "normalization": "sources"}},
        "x",
    )
    with pytest.raises(TrainingError, match="precision is fp32 there and bf16 here"):
        loop.check_same({"precision": "float32"}, {"precision": "bf16"}, "x")
