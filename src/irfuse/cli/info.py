"""`irfuse info`."""

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING

from irfuse.cli.console import output, print_json, print_table, table
from irfuse.cli.options import DeviceOption, JsonOption
from irfuse.installation import install

if TYPE_CHECKING:
    from irfuse.engines.base import EngineName, Precision

_PACKAGES = ("torch", "onnxruntime", "openvino", "onnx")
_PRECISIONS: "tuple[Precision, ...]" = ("fp32", "bf16", "fp16")
_ENGINES: "tuple[EngineName, ...]" = ("torch", "compile", "onnx", "openvino")


def info(device: DeviceOption = "auto", as_json: JsonOption = False) -> None:
    """Show the device, the engines, and which engine computes each method and why."""
    from irfuse import __version__

    packages = {name: _version(name) for name in _PACKAGES}
    facts: dict[str, object] = {"irfuse": __version__, "python": platform.python_version(), "packages": packages}
    if find_spec("torch") is None:
        if as_json:
            print_json(facts)
        else:
            _print_versions(__version__, packages)
            _print_without_torch()
        return
    from irfuse.device import computes_in, machine, resolve
    from irfuse.engines.choose import choose, why_missing
    from irfuse.methods import available

    chosen = resolve(device)
    precisions = [name for name in _PRECISIONS if computes_in(chosen, name)]
    missing = {engine: why_missing(engine, chosen) for engine in _ENGINES}
    choices = {method.info.name: choose(method, method.info.name, chosen) for method in available()}
    if as_json:
        place = {"name": str(chosen), "machine": machine(chosen), "precisions": precisions}
        engines = {engine: {"installed": why is None, "missing": why} for engine, why in missing.items()}
        methods = {name: asdict(choice) for name, choice in choices.items()}
        print_json({**facts, "device": place, "engines": engines, "methods": methods})
        return
    _print_versions(__version__, packages)
    output.print(f"device: {chosen}, {machine(chosen)}; computes in {', '.join(precisions)}", markup=False)
    for engine, why in missing.items():
        output.print(f"engine {engine}: {(why or 'installed').removeprefix(f'engine {engine} ')}", markup=False)
    listed = table("method", "engine", "precision", "reason")
    for name, choice in choices.items():
        listed.add_row(name, choice.engine, choice.precision, choice.reason)
    print_table(listed)


def _print_versions(irfuse: str, packages: Mapping[str, str | None]) -> None:
    versions = ", ".join(f"{name} {version or 'not installed'}" for name, version in packages.items())
    output.print(f"irfuse {irfuse}, Python {platform.python_version()}, {versions}", markup=False)


def _print_without_torch() -> None:
    needed = "" if find_spec("onnxruntime") else f", after {install('onnx')}"
    output.print(f"PyTorch is not installed. The methods need it: {install('torch')}", markup=False)
    output.print(f"irfuse fuse --model FILE runs an exported model without PyTorch{needed}", markup=False)


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None
