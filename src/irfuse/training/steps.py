"""Steps: what the steps of several recipes share."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import get_ema_multi_avg_fn

TrainingPrecision = Literal["fp32", "bf16"]
"""The precision in which a network computes while it is trained. Weights and losses are always float32."""

Network = TypeVar("Network", bound=nn.Module)
Parameters = tuple[Tensor, ...] | list[Tensor]


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


def descend(
    loss: Tensor, optimizer: Optimizer, schedule: LRScheduler | None = None, *, steepest: float = math.inf
) -> None:
    """Take one step down the gradient of a loss, and one step of the schedule of the learning rate, if there is one.

    Args:
        loss: the loss.
        optimizer: the optimizer.
        schedule: the schedule.
        steepest: the largest norm of the gradient. A larger gradient is scaled down to it.
    """
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if steepest < math.inf:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(parameters, steepest)
    optimizer.step()
    if schedule:
        schedule.step()


def averaging(most: float, *, warm_up: bool) -> Callable[[Parameters, Parameters, Tensor | int], None]:
    """Make the update of the moving average.

    Args:
        most: the share of the average that a step keeps.
        warm_up: whether the first steps keep less, so that the initial weights do not stay in the average.
    """

    def update(average: Parameters, current: Parameters, step: Tensor | int) -> None:
        kept = min(most, (1 + int(step)) / (10 + int(step))) if warm_up else most
        get_ema_multi_avg_fn(kept)(average, current, step)  # type: ignore[no-untyped-call]

    return update
