"""The device: which one to use, and what it can do."""

import os
import platform
from pathlib import Path

import torch

from irfuse import notices
from irfuse.errors import DeviceError, PrecisionWarning

TF32_OVERRIDE = "NVIDIA_TF32_OVERRIDE"
"""The environment variable by which NVIDIA's libraries are told not to compute float32 in TF32, if it is 0."""
_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""The flags of CPUs that compute in bfloat16: of x86, and the last one of ARM."""


def resolve(name: str) -> torch.device:
    """Find a device by its name. ``auto`` is a GPU if there is one, and the CPU otherwise.

    Raises:
        DeviceError: this machine, or this build of PyTorch, does not have the device.

    >>> resolve("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        if reason.startswith("Expected one of"):
            reason = "there is no such kind of device"
        raise DeviceError(f"device {name!r} cannot be used ({reason}); choose auto or cpu") from None
    return device


def cores() -> int:
    """Count the CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def computes_in(device: torch.device, precision: str) -> bool:
    """Tell whether a device has instructions for ``fp32``, ``fp16`` or ``bf16``, without which it is slow.

    >>> computes_in(torch.device("cpu"), "fp32"), computes_in(torch.device("cpu"), "fp16")
    (True, False)
    """
    if precision == "fp32":
        return True
    if device.type == "cuda":
        return precision == "fp16" or torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and precision == "bf16" and not _BF16_FLAGS.isdisjoint(_cpu_flags())


def warn_of_tf32(device: torch.device) -> None:
    """Warn if a GPU rounds the inputs of float32 convolutions to ten bits of mantissa, which is PyTorch's default.

    The setting belongs to the whole process, so only a program may change it. The command `irfuse` does.

    Warns:
        PrecisionWarning: the GPU does.
    """
    if device.type != "cuda" or os.environ.get(TF32_OVERRIDE) == "0":
        return
    kinds = torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
    if any(kind.fp32_precision != "ieee" for kind in kinds):
        notices.warn(
            PrecisionWarning(
                "this GPU may round float32 to TF32: for exact float32, set the environment variable "
                f"{TF32_OVERRIDE}=0 before Python starts"
            )
        )


def free_memory(device: torch.device) -> int | None:
    """Return the free memory of a device in bytes; None if the system does not tell."""
    if device.type == "cuda":
        return (
            torch.cuda.mem_get_info(device)[0]
            + torch.cuda.memory_reserved(device)
            - torch.cuda.memory_allocated(device)
        )
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def machine(device: torch.device) -> str:
    """Describe the machine that a figure was measured on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), {threads} thread{'s' * (threads != 1)}"


def _cpu_flags() -> set[str]:
    """Return the CPU's flags; none if the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split()) for line in lines if line.startswith(("flags", "Features"))), set())
