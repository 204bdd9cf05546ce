"""`irfuse info`."""

import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from rich.table import Table

from irfuse import __version__
from irfuse.cli.console import output
from irfuse.cli.options import DeviceOption

_PACKAGES = ("torch", "onnxruntime", "openvino", "onnx")


def info(device: DeviceOption = "auto") -> None:
    """Say what this machine has: the device, the engines, and what computes each method, and why.

    Without PyTorch it says what can be done without.
    """
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    output.print(f"irfuse {__version__}, Python {platform.python_version()}, {versions}", markup=False)
    if find_spec("torch") is None:
        needed = "" if find_spec("onnxruntime") else ', after pip install "irfuse[onnx]"'
        output.print('PyTorch is not installed, which the methods need: pip install "irfuse[torch]"', markup=False)
        output.print(f"irfuse fuse --model FILE runs a file of irfuse export without{needed}", markup=False)
        return
    from irfuse.device import computes_in, machine, resolve
    from irfuse.engines.choose import choose, why_missing
    from irfuse.methods import METHODS

    chosen = resolve(device)
    precisions = ", ".join(name for name in ("fp32", "bf16", "fp16") if computes_in(chosen, name))
    output.print(f"device: {chosen}, {machine(chosen)}; computes in {precisions}", markup=False)
    for engine in ("torch", "compile", "onnx", "openvino"):
        missing = (why_missing(engine, chosen) or "here").removeprefix(f"engine {engine} ")
        output.print(f"engine {engine}: {missing}", markup=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("method", "engine", "precision", "why"):
        table.add_column(column, overflow="fold")
    for method in METHODS:
        choice = choose(method, method.info.name, chosen)
        table.add_row(method.info.name, choice.engine, choice.precision, choice.reason)
    output.print(table, soft_wrap=False, markup=False)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"
