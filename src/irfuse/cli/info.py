"""`irfuse info`."""

import platform
from importlib.util import find_spec

from irfuse.cli.console import output, table
from irfuse.cli.options import DeviceOption
from irfuse.installation import install

_PACKAGES = ("torch", "onnxruntime", "openvino", "onnx")


def info(device: DeviceOption = "auto") -> None:
    """Show the device, the engines, and which engine computes each method and why."""
    from irfuse import __version__

    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    output.print(f"irfuse {__version__}, Python {platform.python_version()}, {versions}", markup=False)
    if find_spec("torch") is None:
        needed = "" if find_spec("onnxruntime") else f", after {install('onnx')}"
        output.print(f"PyTorch is not installed. The methods need it: {install('torch')}", markup=False)
        output.print(f"irfuse fuse --model FILE runs an exported model without PyTorch{needed}", markup=False)
        return
    from irfuse.device import computes_in, machine, resolve
    from irfuse.engines.choose import choose, why_missing
    from irfuse.methods import available

    chosen = resolve(device)
    precisions = ", ".join(name for name in ("fp32", "bf16", "fp16") if computes_in(chosen, name))
    output.print(f"device: {chosen}, {machine(chosen)}; computes in {precisions}", markup=False)
    for engine in ("torch", "compile", "onnx", "openvino"):
        missing = (why_missing(engine, chosen) or "installed").removeprefix(f"engine {engine} ")
        output.print(f"engine {engine}: {missing}", markup=False)
    choices = table("method", "engine", "precision", "reason")
    for method in available():
        choice = choose(method, method.info.name, chosen)
        choices.add_row(method.info.name, choice.engine, choice.precision, choice.reason)
    output.print(choices, soft_wrap=False, markup=False)


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
