"""Steps: what the steps of several recipes share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

TrainingPrecision = Literal["fp32", "bf16"]
"""The precision in which a network computes while it is trained. Weights and losses are always float32."""

Network = TypeVar("Network", bound=nn.Module)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw the initial weights of the networks that are constructed here from a seed, and leave PyTorch's own state."""
    with torch.random.fork_rng(devices=[]):
        # The generator of the CPU only: `torch.manual_seed` would also seed those of GPUs, and leave them so.
        torch.default_generator.manual_seed(seed)
        yield


def place(network: Network, device: torch.device) -> Network:
    """Move a network to a device, in the memory format that convolutions are fastest in."""
    placed: Network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def computing_in(precision: TrainingPrecision, device: torch.device) -> torch.autocast:
    """A context in which networks compute in `precision`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def descend(loss: Tensor, optimizer: Optimizer, schedule: LRScheduler | None = None) -> None:
    """Take one step down the gradient of a loss, and one step of the schedule of the learning rate, if there is one."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    if schedule:
        schedule.step()
