"""The feed: crops, in batches, in their order, to the device."""

import itertools
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from irfuse.device import cores

_MOST_WORKERS = 8


class Feed:
    """Batches of crops in their order. Other processes read ahead if a GPU would wait for the crops.

    Args:
        crops: the crops, by number.
        steps: the number of batches.
        count: the number of crops in a batch.
        device: the device that the batches go to.

    Attributes:
        waited: the seconds that steps have waited for their batches.
    """

    def __init__(self, crops: Dataset[tuple[Tensor, ...]], steps: int, count: int, device: torch.device) -> None:
        self._crops, self._steps, self._count, self._device = crops, steps, count, device
        self.waited = 0.0
        self._step = 0
        self._batches: Iterator[Sequence[Tensor]] | None = None

    def batch(self) -> tuple[Tensor, ...]:
        """Take the next batch, tensors of (B, C, size, size) on the device."""
        start = time.perf_counter()
        if self._batches is None:
            self._batches = self._read_ahead()
        batch = next(self._batches)
        self._step += 1
        self.waited += time.perf_counter() - start
        return tuple(part.to(self._device, memory_format=torch.channels_last, non_blocking=True) for part in batch)

    def state_dict(self) -> dict[str, Any]:
        return {"step": self._step, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._step, self.waited = state["step"], state["waited"]
        self._batches = None

    def _read_ahead(self) -> Iterator[Sequence[Tensor]]:
        on_gpu = self._device.type == "cuda"
        loader = DataLoader(
            self._crops,
            sampler=range(self._step * self._count, self._steps * self._count),
            batch_size=self._count,
            num_workers=min(cores(), _MOST_WORKERS) if on_gpu else 0,
            pin_memory=on_gpu,
            worker_init_fn=_leave_signals,
        )
        return iter(loader)


class Stages:
    """The feeds of several stages, one after the other.

    Args:
        feeds: the feed of each stage, and its number of batches.
    """

    def __init__(self, feeds: Sequence[tuple[Feed, int]]) -> None:
        self._feeds = feeds
        self._step = 0

    @property
    def waited(self) -> float:
        """The seconds that steps have waited for their batches."""
        return sum(feed.waited for feed, _ in self._feeds)

    def batch(self) -> tuple[Tensor, ...]:
        """Take the next batch of the present stage."""
        ends = itertools.accumulate(steps for _, steps in self._feeds)
        feed = next(feed for (feed, _), end in zip(self._feeds, ends, strict=True) if self._step < end)
        self._step += 1
        return feed.batch()

    def state_dict(self) -> dict[str, Any]:
        return {"step": self._step, "feeds": [feed.state_dict() for feed, _ in self._feeds]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._step = state["step"]
        for (feed, _), part in zip(self._feeds, state["feeds"], strict=True):
            feed.load_state_dict(part)


def _leave_signals(worker: int) -> None:
    """Ignore Ctrl-C and SIGTERM, which reach every process of a group; the loop stops between two steps."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
