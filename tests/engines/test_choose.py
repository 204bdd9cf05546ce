"""The choice of an engine: the requested one, or the fastest available one that is accurate enough; with the reason."""

import re
from collections.abc import Callable
from importlib.machinery import ModuleSpec

import pytest
import torch

from irfuse.deploy.export import facts
from irfuse.engines import choose as choosing
from irfuse.engines.choose import Choice, choose
from irfuse.engines.tolerances import LEAST, tolerances
from irfuse.errors import DeviceError, MissingDependencyError, ParameterError
from irfuse.fuser import Fuser
from irfuse.installation import install
from irfuse.methods import build, find
from irfuse.methods.res2netfuse import Res2NetFuse

CPU, GPU = torch.device("cpu"), torch.device("cuda")
NETWORKS = ("res2netfuse", "encoder-decoder", "attention-ensemble")
ALL = frozenset({"onnx", "onnxruntime", "openvino", "triton"})

Machine = Callable[..., None]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Make this machine appear to have some packages and compute in some precisions."""

    def machine(packages: frozenset[str] = ALL, precisions: tuple[str, ...] = ("fp32", "bf16", "fp16")) -> None:
        def find_spec(name: str) -> ModuleSpec | None:
            return ModuleSpec(name, None) if name in packages else None

        monkeypatch.setattr(choosing, "find_spec", find_spec)
        monkeypatch.setattr(choosing, "computes_in", lambda device, precision: precision in precisions)

    return machine


def way(choice: Choice) -> tuple[str, str]:
    return choice.engine, choice.precision


@pytest.mark.parametrize("spec", NETWORKS)
def test_auto_takes_the_fastest_and_reports_what_it_falls_back_from(spec: str, machine: Machine) -> None:
    method = find(spec)
    machine()
    choice = choose(method, spec, CPU)
    assert way(choice) == ("openvino", "bf16")
    assert re.fullmatch(r"the fastest here that keeps 50 dB, at least 5\d\.\d dB on the sample pairs", choice.reason)
    machine(precisions=("fp32",))
    choice = choose(method, spec, CPU)
    assert way(choice) == ("openvino", "fp32")
    assert "this cpu does not compute in bf16" in choice.reason
    machine(packages=frozenset({"onnx", "onnxruntime"}))
    choice = choose(method, spec, CPU)
    in_onnx = spec != "encoder-decoder"
    assert way(choice) == (("onnx", "fp32") if in_onnx else ("torch", "bf16"))
    assert choice.reason.count("openvino is not installed") == 1
    machine(packages=frozenset({"onnx", "onnxruntime"}), precisions=("fp32",))
    assert way(choose(method, spec, CPU)) == ("onnx" if in_onnx else "torch", "fp32")
    machine(packages=frozenset(), precisions=("fp32",))
    choice = choose(method, spec, CPU)
    assert way(choice) == ("torch", "fp32")
    without_onnx = "; onnx is not installed" if in_onnx else ""
    assert choice.reason.endswith(f"openvino is not installed{without_onnx}; this cpu does not compute in bf16")
    machine(packages=frozenset())
    assert way(choose(method, spec, CPU)) == ("torch", "bf16")
    machine()
    assert way(choose(method, spec, GPU)) == ("torch", "fp16")


def test_one_or_two_small_pairs_take_what_is_ready(machine: Machine) -> None:
    machine()
    choice = choose(Res2NetFuse, "res2netfuse", CPU, pixels=2 * 640 * 480)
    assert way(choice) == ("torch", "bf16")
    assert choice.reason.endswith("other engines would take longer to start than to fuse so little")
    assert way(choose(Res2NetFuse, "res2netfuse", CPU, pixels=1024 * 1024)) == ("openvino", "bf16")
    assert way(choose(Res2NetFuse, "res2netfuse", CPU, engine="openvino", pixels=64 * 64)) == ("openvino", "bf16")
    machine(precisions=("fp32",))
    assert way(choose(Res2NetFuse, "res2netfuse", CPU, pixels=640 * 480)) == ("torch", "fp32")


def test_the_reason_names_the_requested_engine(machine: Machine) -> None:
    machine()
    choice = choose(Res2NetFuse, "res2netfuse", CPU, engine="onnx")
    assert str(choice) == "onnx, fp32: the fastest of engine onnx that keeps 50 dB"
    assert way(choose(Res2NetFuse, "res2netfuse", GPU, engine="compile")) == ("compile", "fp16")


def test_openvino_has_bfloat16_only_on_x86(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine()
    monkeypatch.setattr(choosing.platform, "machine", lambda: "aarch64")
    assert way(choose(Res2NetFuse, "res2netfuse", CPU)) == ("openvino", "fp32")


def test_auto_keeps_50_decibels(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine()
    monkeypatch.setattr(choosing, "psnr", lambda *way: LEAST - 0.1)
    choice = choose(Res2NetFuse, "res2netfuse", CPU)
    assert way(choice) == ("openvino", "fp32")
    assert "openvino in bf16 keeps only 49.9 dB" in choice.reason
    assert way(choose(Res2NetFuse, "res2netfuse", CPU, engine="torch")) == ("torch", "fp32")
    # A requested precision is used, however much it differs from float32.
    assert way(choose(Res2NetFuse, "res2netfuse", CPU, precision="bf16")) == ("openvino", "bf16")


def test_other_weights_and_objects_are_not_measured(machine: Machine) -> None:
    machine()
    choice = choose(Res2NetFuse, "res2netfuse:weights=mine.safetensors", CPU)
    assert way(choice) == ("openvino", "fp32")
    assert "bf16 was not measured" in choice.reason
    choice = choose(Res2NetFuse(), None, CPU)
    assert way(choice) == ("torch", "fp32")
    assert way(choose(Res2NetFuse(), None, CPU, engine="openvino")) == ("openvino", "fp32")
    # Naming a default changes nothing.
    for same in ("strategy=l1-norm", "weights=single-v1"):
        assert way(choose(Res2NetFuse, f"res2netfuse:{same}", CPU)) == ("openvino", "bf16")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("average", "it has no network"),
        ("laplacian-pyramid", "it has no network"),
        ("nst", "it optimizes each pair"),
        ("res2netfuse:strategy=mean", "with these parameters it needs statistics of the whole image"),
    ],
)
def test_methods_without_a_graph_stay_with_torch(spec: str, reason: str, machine: Machine) -> None:
    machine()
    method = build(spec)
    assert choose(method, spec, CPU) == Choice("torch", "fp32", reason)
    assert choose(method, spec, CPU, engine="torch", precision="fp32") == Choice("torch", "fp32", reason)
    for asked in ({"engine": "onnx"}, {"precision": "bf16"}):
        with pytest.raises(ParameterError, match=f"runs only on engine torch in fp32: {reason}"):
            choose(method, spec, CPU, **asked)


def test_methods_for_whole_images_stay_with_torch(machine: Machine) -> None:
    machine()
    method = find("resnet152")
    assert way(choose(method, "resnet152", CPU)) == ("torch", "fp32")
    assert way(choose(method, "resnet152", CPU, engine="openvino")) == ("openvino", "fp32")


@pytest.mark.parametrize(
    ("asked", "device", "error", "reason"),
    [
        ({"engine": "onnx"}, CPU, MissingDependencyError, re.escape(install("onnx"))),
        ({"engine": "openvino"}, CPU, MissingDependencyError, re.escape(install("openvino"))),
        ({"engine": "compile"}, GPU, MissingDependencyError, "pip install triton"),
        ({"precision": "bf16"}, CPU, DeviceError, "this cpu does not compute in bf16; choose precision auto or fp32"),
        ({"engine": "torch", "precision": "bf16"}, CPU, DeviceError, "this cpu does not compute in bf16"),
        ({"precision": "fp16"}, CPU, DeviceError, "this cpu does not compute in fp16"),
        ({"engine": "openvino"}, GPU, DeviceError, "engine openvino does not run on cuda; choose engine torch"),
        ({"engine": "tensorrt"}, CPU, ParameterError, "engine cannot be 'tensorrt'; choose one of auto, torch"),
        ({"precision": "int8"}, CPU, ParameterError, "precision cannot be 'int8'; choose one of auto, fp32"),
    ],
)
def test_impossible_choices(
    asked: dict[str, str], device: torch.device, error: type[Exception], reason: str, machine: Machine
) -> None:
    machine(packages=frozenset(), precisions=("fp32",))
    with pytest.raises(error, match=reason):
        choose(Res2NetFuse, "res2netfuse", device, **asked)


def test_an_engine_without_the_precision(machine: Machine) -> None:
    machine()
    for engine, precision, lacking, others in (
        ("onnx", "bf16", "engine onnx", "fp32"),
        ("onnx", "fp16", "engine onnx", "fp32"),
        # The same engine has the precision on a GPU.
        ("torch", "fp16", "this cpu", "bf16 or fp32"),
    ):
        said = f"{lacking} does not compute in {precision}; choose precision auto or {others}"
        with pytest.raises(DeviceError, match=said):
            choose(Res2NetFuse, "res2netfuse", CPU, engine=engine, precision=precision)  # type: ignore[arg-type]


def test_no_compiler(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine()
    monkeypatch.setattr(choosing.shutil, "which", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"needs a C\+\+ compiler: install g\+\+"):
        choose(Res2NetFuse, "res2netfuse", CPU, engine="compile")


def test_fuser_reports_its_choice() -> None:
    assert way(Fuser(Res2NetFuse(), device="cpu").choice) == ("torch", "fp32")
    fuser = Fuser("res2netfuse", device="cpu", engine="torch", precision="fp32")
    assert str(fuser.choice) == "torch, fp32: as requested"


@pytest.mark.parametrize("spec", sorted({tolerance.spec for tolerance in tolerances()}))
def test_tolerances_are_for_the_weights_that_ship(spec: str) -> None:
    """If this fails, measure new weights with scripts/measure_tolerances.py."""
    ships = facts(build(spec), spec)["weights_sha256"]
    assert {tolerance.weights_sha256 for tolerance in tolerances() if tolerance.spec == spec} == {ships}


def test_every_network_is_measured() -> None:
    assert {tolerance.spec for tolerance in tolerances()} >= set(NETWORKS)
    assert all(tolerance.psnr > 100 for tolerance in tolerances() if tolerance.precision == "fp32")
