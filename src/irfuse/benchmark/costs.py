"""Measure the cost of fusing: seconds, memory, operations."""

import ctypes
import gc
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from irfuse.benchmark.cache import Cost
from irfuse.io.images import Array

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_KILOBYTE = 1024


class Meter:
    """Measures the calls of one method. Create it before the method, so that the weights count as the method's memory.

    On a GPU, the memory is that of PyTorch's tensors. On a CPU, it is that of the process, and only Linux reports it.

    Args:
        device: the device that the method runs on.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._calls = 0
        _load_libraries()
        _give_back()
        self._before = torch.cuda.memory_allocated(device) if device.type == "cuda" else _resident("VmRSS")

    def measure(self, fuse: Callable[[Array, Array], Array], ir: Array, vis: Array) -> tuple[Array, Cost]:
        """Fuse a pair and measure it. Only the first call, which warms up anyway, counts operations."""
        first = self._calls == 0
        self._reset_peak()
        counter = FlopCounterMode(display=False) if first else None
        start = time.perf_counter()
        with counter or nullcontext():
            fused = fuse(ir, vis)
        seconds = time.perf_counter() - start
        self._calls += 1
        operations = counter.get_total_flops() if counter else None
        # The memory of a first call includes that of the counting.
        return fused, Cost(seconds, not first, None if first else self._memory(), operations)

    def _reset_peak(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return
        try:
            _RESET.write_text("5")
        except OSError:
            # The peak cannot be reset, so it is not that of the method.
            self._before = None

    def _memory(self) -> int | None:
        on_gpu = self._device.type == "cuda"
        peak = torch.cuda.max_memory_allocated(self._device) if on_gpu else _resident("VmHWM")
        return None if peak is None or self._before is None else max(0, peak - self._before)


def _load_libraries() -> None:
    """Load what the first method would load, so that it does not count as that method's memory."""
    with FlopCounterMode(display=False):
        F.conv2d(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 3, 3))


def _give_back() -> None:
    """Return freed memory to the system. Otherwise the next method would reuse it and seem to need less."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _resident(field: str) -> int | None:
    """Read a value of this process's memory in bytes; None if the system does not report it."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * _KILOBYTE for line in lines if line.startswith(f"{field}:")), None)
