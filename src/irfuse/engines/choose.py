"""Choose the engine and the precision of a method: those that the user names, or the fastest that is accurate."""

import os
import platform
import shlex
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import torch

from irfuse.choices import check_choice
from irfuse.deploy.export import why_no_graph
from irfuse.device import computes_in
from irfuse.engines.base import EngineName, Precision
from irfuse.engines.tolerances import LEAST, psnr
from irfuse.errors import DeviceError, MissingDependencyError, ParameterError
from irfuse.installation import install
from irfuse.methods import Spec, ships, shortest
from irfuse.methods.base import Method

EngineChoice = Literal["auto", "torch", "compile", "onnx", "openvino"]
PrecisionChoice = Literal["auto", "fp32", "fp16", "bf16"]

Way = tuple[EngineName, Precision]

# The fastest first, as perf/README.md measures them; a GPU's are not measured yet. Float32 on engine torch always
# works, so `auto` never gets to what follows it: the compiler takes longer than most folders.
_WAYS: dict[str, tuple[Way, ...]] = {
    "cpu": (
        ("openvino", "bf16"),
        ("openvino", "fp32"),
        ("onnx", "fp32"),
        ("torch", "bf16"),
        ("torch", "fp32"),
        ("compile", "bf16"),
        ("compile", "fp32"),
    ),
    "cuda": (
        ("torch", "fp16"),
        ("torch", "bf16"),
        ("torch", "fp32"),
        ("compile", "fp16"),
        ("compile", "bf16"),
        ("compile", "fp32"),
    ),
}
_FEW_PIXELS = 2 * 640 * 512
"""For so few pixels, making a graph takes longer than fusing them."""
_SLOW_IN_ONNX = ("encoder-decoder",)
"""Methods that are faster on PyTorch than on ONNX Runtime."""
_ELSEWHERE: tuple[Way, ...] = (("torch", "fp32"), ("compile", "fp32"))


@dataclass(frozen=True)
class Choice:
    """An engine and a precision for a method.

    Attributes:
        engine, precision: the choice.
        reason: the reason for it, in words.

    >>> print(Choice("torch", "fp32", "as requested"))
    torch, fp32: as requested
    """

    engine: EngineName
    precision: Precision
    reason: str

    def __str__(self) -> str:
        return f"{self.engine}, {self.precision}: {self.reason}"


def choose(
    method: Method | type[Method],
    spec: str | None,
    device: torch.device,
    engine: EngineChoice = "auto",
    precision: PrecisionChoice = "auto",
    pixels: int | None = None,
) -> Choice:
    """Choose an engine and a precision. ``auto`` takes the fastest that is installed and keeps 50 dB against float32.

    For one or two small pairs ``auto`` takes PyTorch, since it needs no graph.

    A method that does not ship with irfuse was never measured. ``auto`` leaves it on PyTorch in float32.

    Args:
        method: the method, or its class.
        spec: the spec that the method was built from; None if it was built otherwise.
        device: the device that it runs on.
        engine, precision: the user's choice.
        pixels: the number of pixels that will be fused in all; None if it is unknown.

    Raises:
        ParameterError: there is no such engine or precision, or the method has no graph.
        DeviceError: the device does not run that engine, or does not compute in that precision.
        MissingDependencyError: the engine is not installed.

    >>> from irfuse.methods.average import Average
    >>> print(choose(Average, "average", torch.device("cpu")))
    torch, fp32: it has no network
    """
    check_choice("engine", engine, EngineChoice)
    check_choice("precision", precision, PrecisionChoice)
    if not method.has_graph:
        if engine not in ("auto", "torch") or precision not in ("auto", "fp32"):
            raise ParameterError(
                f"{method.info.name} runs only on engine torch in fp32: {why_no_graph(method)}; leave out engine and "
                "precision"
            )
        return Choice("torch", "fp32", why_no_graph(method))
    measured_spec = spec if spec is not None and ships(Spec.parse(spec).name) else None
    passed_over: list[str] = []
    # The last way is float32 or the user's choice. It has no objection.
    for way in _asked_for(method.info.name, device, engine, precision):
        objection = _objection(way, method, measured_spec, device, engine, precision, pixels)
        if objection is None:
            break
        passed_over.append(objection)
    reason = _reason(way, measured_spec, engine, precision)
    return Choice(*way, "; ".join([reason, *dict.fromkeys(passed_over)]))


def why_missing(engine: EngineName, device: torch.device) -> str | None:
    """Say what an engine lacks on this machine and how to get it; None if it lacks nothing.

    >>> why_missing("torch", torch.device("cpu")) is None
    True
    """
    match engine:
        case "torch":
            return None
        case "compile" if device.type == "cuda":
            return None if find_spec("triton") else "engine compile needs Triton: pip install triton"
        case "compile":
            compiler = shutil.which(shlex.split(os.environ.get("CXX") or "g++")[0]) or shutil.which("clang++")
            return None if compiler else "engine compile needs a C++ compiler: install g++"
        case "onnx":
            # PyTorch makes the graphs with the package onnx.
            here = find_spec("onnxruntime") and find_spec("onnx")
            return None if here else f"ONNX Runtime is not installed: {install('onnx')}"
        case "openvino":
            here = find_spec("openvino") and find_spec("onnx")
            return None if here else f"OpenVINO is not installed: {install('openvino')}"


def ways(device: torch.device) -> list[Way]:
    """List all ways to compute a network on a device of this machine, the fastest first.

    >>> ("torch", "fp32") in ways(torch.device("cpu"))
    True
    """
    return [way for way in _every(device) if why_missing(way[0], device) is None and computes_in(device, way[1])]


def _every(device: torch.device) -> list[Way]:
    """List all ways that a device of that type may have, the fastest first."""
    # OpenVINO has bfloat16 only on x86.
    not_here = [] if platform.machine() in ("x86_64", "AMD64") else [("openvino", "bf16")]
    return [way for way in _WAYS.get(device.type, _ELSEWHERE) if way not in not_here]


def _asked_for(method: str, device: torch.device, engine: EngineChoice, precision: PrecisionChoice) -> list[Way]:
    """List the ways that the user's choice allows, the fastest first; raises what `choose` raises if there is none."""
    here = sorted(_every(device), key=lambda way: way[0] == "onnx" and method in _SLOW_IN_ONNX)
    asked = [way for way in here if engine in ("auto", way[0]) and precision in ("auto", way[1])]
    if engine != "auto":
        if engine not in [name for name, _ in here]:
            raise DeviceError(f"engine {engine} does not run on {device.type}; choose engine torch, or device cpu")
        missing = why_missing(engine, device)
        if missing is not None:
            raise MissingDependencyError(missing)
    if precision != "auto" and not (asked and computes_in(device, precision)):
        anywhere = {way for ways_there in _WAYS.values() for way in ways_there}
        engine_lacks_it = engine != "auto" and (engine, precision) not in anywhere
        what = f"engine {engine}" if engine_lacks_it else f"this {device.type}"
        those = {kind for name, kind in here if engine in ("auto", name) and computes_in(device, kind)}
        raise DeviceError(
            f"{what} does not compute in {precision}; choose precision {' or '.join(['auto', *sorted(those)])}"
        )
    return asked


def _objection(
    way: Way,
    method: Method | type[Method],
    spec: str | None,
    device: torch.device,
    engine: EngineChoice,
    precision: PrecisionChoice,
    pixels: int | None,
) -> str | None:
    """Say why ``auto`` must not take a way; None if it may."""
    name, kind = way
    if engine == "auto":
        if why_missing(name, device) is not None:
            return f"{name} is not installed"
        if name != "torch" and spec is None:
            return "auto takes other engines only for specs of methods that ship with irfuse"
        if name != "torch" and method.info.tiling == "whole":
            return "other engines do not check whether a whole image fits into memory"
        if name != "torch" and pixels is not None and pixels <= _FEW_PIXELS:
            return "other engines would take longer to start than to fuse so little"
    if precision == "auto" and kind != "fp32":
        if not computes_in(device, kind):
            return f"this {device.type} does not compute in {kind}"
        measured = None if spec is None else psnr(shortest(spec), name, kind)
        if measured is None:
            return f"{kind} was not measured"
        if measured < LEAST:
            return f"{name} in {kind} keeps only {measured:.1f} dB"
    return None


def _reason(way: Way, spec: str | None, engine: EngineChoice, precision: PrecisionChoice) -> str:
    name, kind = way
    if precision != "auto":
        return "as requested" if engine != "auto" else f"the fastest here in {precision}"
    measured = None if spec is None or kind == "fp32" else psnr(shortest(spec), name, kind)
    kept = "" if measured is None else f", at least {measured:.1f} dB on the sample pairs"
    fastest = "the fastest here" if engine == "auto" else f"the fastest of engine {engine}"
    return f"{fastest} that keeps {LEAST:.0f} dB{kept}"
