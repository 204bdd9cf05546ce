"""Which engine computes a method, and in which precision: as one says, or the fastest that is near enough."""

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
from irfuse.methods import shortest
from irfuse.methods.base import Method

EngineChoice = Literal["auto", "torch", "compile", "onnx", "openvino"]
PrecisionChoice = Literal["auto", "fp32", "fp16", "bf16"]

Way = tuple[EngineName, Precision]

# The fastest first, to be held against perf/README.md; those of a GPU are not measured yet. What follows float32
# on engine torch, which always works, is never chosen unless one asks for it: the compiler takes longer than most
# folders.
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
_SLOW_IN_ONNX = ("encoder-decoder",)
"""Methods that PyTorch computes faster than ONNX Runtime does."""
_ELSEWHERE: tuple[Way, ...] = (("torch", "fp32"), ("compile", "fp32"))


@dataclass(frozen=True)
class Choice:
    """What computes a method.

    Attributes:
        engine, precision: what was chosen.
        reason: why.

    >>> print(Choice("torch", "fp32", "as asked for"))
    torch, fp32: as asked for
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
) -> Choice:
    """Pick an engine and a precision. ``auto`` takes the fastest that is installed and keeps 50 dB against float32.

    Args:
        method: the method, or its class where that is known well enough.
        spec: what it was built from; None for a method that was not, of which nothing was measured.
        device: that it runs on.
        engine, precision: what is asked for.

    Raises:
        ParameterError: there is no such engine or precision, or the method has no graph for it.
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
                f"{method.info.name} runs on engine torch in fp32 alone: {why_no_graph(method)}; leave out engine and "
                "precision"
            )
        return Choice("torch", "fp32", why_no_graph(method))
    passed_over: list[str] = []
    # The last way is float32, or what was asked for: against it nothing speaks.
    for way in _asked_for(method.info.name, device, engine, precision):
        objection = _objection(way, method, spec, device, engine, precision)
        if objection is None:
            break
        passed_over.append(objection)
    reason = _reason(way, spec, engine, precision)
    return Choice(*way, "; ".join([reason, *dict.fromkeys(passed_over)]))


def why_missing(engine: EngineName, device: torch.device) -> str | None:
    """What an engine lacks on this machine, and how to get it; None if it is here.

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
            return None if here else 'ONNX Runtime is not installed: pip install "irfuse[onnx]"'
        case "openvino":
            here = find_spec("openvino") and find_spec("onnx")
            return None if here else 'OpenVINO is not installed: pip install "irfuse[openvino]"'


def ways(device: torch.device) -> list[Way]:
    """All that could compute a network on a device here, the fastest first.

    >>> ("torch", "fp32") in ways(torch.device("cpu"))
    True
    """
    return [way for way in _every(device) if why_missing(way[0], device) is None and computes_in(device, way[1])]


def _every(device: torch.device) -> list[Way]:
    """All that some device of that type might have, the fastest first."""
    # Elsewhere than on x86 OpenVINO has no bfloat16.
    not_here = [] if platform.machine() in ("x86_64", "AMD64") else [("openvino", "bf16")]
    return [way for way in _WAYS.get(device.type, _ELSEWHERE) if way not in not_here]


def _asked_for(method: str, device: torch.device, engine: EngineChoice, precision: PrecisionChoice) -> list[Way]:
    """The ways that are what is asked for, the fastest first; refuses what cannot be had, as `choose` says."""
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
) -> str | None:
    """What speaks against one way for ``auto``; None if nothing does."""
    name, kind = way
    if engine == "auto":
        if why_missing(name, device) is not None:
            return f"{name} is not installed"
        if name != "torch" and spec is None:
            return "of a method that is no spec nothing is known"
        if name != "torch" and method.info.tiling == "whole":
            return "other engines do not ask whether a whole image fits into memory"
    if precision == "auto" and kind != "fp32":
        if not computes_in(device, kind):
            return f"this {device.type} does not compute in {kind}"
        measured = None if spec is None else psnr(shortest(spec), name, kind)
        if measured is None:
            return f"of {kind} nothing was measured"
        if measured < LEAST:
            return f"{name} in {kind} keeps {measured:.1f} dB only"
    return None


def _reason(way: Way, spec: str | None, engine: EngineChoice, precision: PrecisionChoice) -> str:
    name, kind = way
    if precision != "auto":
        return "as asked for" if engine != "auto" else f"the fastest here in {precision}"
    measured = None if spec is None or kind == "fp32" else psnr(shortest(spec), name, kind)
    kept = "" if measured is None else f", at least {measured:.1f} dB on the sample pairs"
    fastest = "the fastest here" if engine == "auto" else f"the fastest of engine {engine}"
    return f"{fastest} that keeps {LEAST:.0f} dB{kept}"
