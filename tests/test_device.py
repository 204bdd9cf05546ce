import pytest
import torch

from irfuse import device as devices
from irfuse.device import computes_in

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("flags", "knows"),
    [
        ("avx2 avx512f avx512_bf16", True),
        ("amx_tile amx_bf16", True),
        ("asimd fphp bf16 i8mm", True),
        ("avx2 avx512f avx512_fp16", False),
        ("", False),
    ],
)
def test_a_cpu_knows_bfloat16_by_its_flags(flags: str, knows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cpu_flags", lambda: set(flags.split()))
    assert computes_in(CPU, "bf16") == knows
    assert computes_in(CPU, "fp32")
    assert not computes_in(CPU, "fp16")


def test_a_gpu_knows_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    for knows in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, knows=knows: knows)
        assert computes_in(GPU, "bf16") == knows
        assert computes_in(GPU, "fp16")
        assert computes_in(GPU, "fp32")


def test_other_devices_compute_in_float32_alone() -> None:
    assert [computes_in(torch.device("mps"), precision) for precision in ("fp32", "fp16", "bf16")] == [
        True,
        False,
        False,
    ]


@pytest.mark.gpu
def test_a_gpu_tells_its_memory_and_its_name(gpu: torch.device) -> None:
    free = devices.free_memory(gpu)
    assert free is not None
    held = torch.ones(1 << 24, device=gpu)
    less = devices.free_memory(gpu)
    assert less is not None
    if gpu.type == "cuda":
        assert free - less == held.numel() * held.element_size()
    assert devices.machine(gpu)
    assert devices.resolve("auto").type == gpu.type
