import pytest
import torch

from irfuse import device as devices
from irfuse.device import TF32_OVERRIDE, computes_in, warn_of_tf32
from irfuse.errors import PrecisionWarning

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
def test_bfloat16_on_a_cpu_depends_on_its_flags(flags: str, knows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cpu_flags", lambda: set(flags.split()))
    assert computes_in(CPU, "bf16") == knows
    assert computes_in(CPU, "fp32")
    assert not computes_in(CPU, "fp16")


def test_a_gpu_supports_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    for knows in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, knows=knows: knows)
        assert computes_in(GPU, "bf16") == knows
        assert computes_in(GPU, "fp16")
        assert computes_in(GPU, "fp32")


def test_other_devices_support_only_float32() -> None:
    assert [computes_in(torch.device("mps"), precision) for precision in ("fp32", "fp16", "bf16")] == [
        True,
        False,
        False,
    ]


def test_a_gpu_that_rounds_float32_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
    before = [kind.fp32_precision for kind in kinds]
    monkeypatch.delenv(TF32_OVERRIDE, raising=False)
    try:
        for kind in kinds:
            kind.fp32_precision = "ieee"
        warn_of_tf32(GPU)
        kinds[0].fp32_precision = "tf32"
        warn_of_tf32(CPU)
        with pytest.warns(PrecisionWarning, match=f"set the environment variable {TF32_OVERRIDE}=0"):
            warn_of_tf32(GPU)
        monkeypatch.setenv(TF32_OVERRIDE, "0")
        warn_of_tf32(GPU)
    finally:
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision


@pytest.mark.gpu
def test_memory_and_name_of_a_gpu(gpu: torch.device) -> None:
    free = devices.free_memory(gpu)
    assert free is not None
    held = torch.ones(1 << 24, device=gpu)
    less = devices.free_memory(gpu)
    assert less is not None
    if gpu.type == "cuda":
        assert free - less == held.numel() * held.element_size()
    assert devices.machine(gpu)
    assert devices.resolve("auto").type == gpu.type
