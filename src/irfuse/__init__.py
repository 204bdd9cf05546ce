"""irfuse fuses an infrared and a visible image of one scene into one image.

    import irfuse
    fused = irfuse.fuse("ir.png", "vis.png", method="ember")
    scores = irfuse.evaluate("fused.png", "ir.png", "vis.png", ["qabf", "scd"])

Each name below is imported when it is first used, so ``import irfuse`` is fast and needs no PyTorch. ``Model``,
``Levels``, ``Percentiles``, ``Calibration``, ``register``, ``read_calibration``, ``images``, ``overlay``, ``thermal``
and ``IrfuseError`` work without PyTorch; the others need it.
"""

from importlib import import_module

# Not from `typing`, which takes longer to import than everything here. The command answers Ctrl-C only after this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from irfuse import benchmark as benchmark
    from irfuse import runtime as runtime
    from irfuse.api import evaluate as evaluate
    from irfuse.api import evaluate_batch as evaluate_batch
    from irfuse.api import fuse as fuse
    from irfuse.api import list_methods as list_methods
    from irfuse.api import list_metrics as list_metrics
    from irfuse.api import list_protocols as list_protocols
    from irfuse.deploy.runtime import Model as Model
    from irfuse.errors import IrfuseError as IrfuseError
    from irfuse.evaluation.evaluator import Evaluator as Evaluator
    from irfuse.evaluation.video import VideoEvaluator as VideoEvaluator
    from irfuse.fuser import Fuser as Fuser
    from irfuse.imaging import overlay as overlay
    from irfuse.imaging.levels import Levels as Levels
    from irfuse.imaging.levels import Percentiles as Percentiles
    from irfuse.io import images as images
    from irfuse.io.thermal import reading as thermal
    from irfuse.registration.calibration import Calibration as Calibration
    from irfuse.registration.calibration import read_calibration as read_calibration
    from irfuse.registration.registering import register as register

_HOMES = {
    "Calibration": "irfuse.registration.calibration",
    "Evaluator": "irfuse.evaluation.evaluator",
    "Fuser": "irfuse.fuser",
    "IrfuseError": "irfuse.errors",
    "Levels": "irfuse.imaging.levels",
    "Model": "irfuse.deploy.runtime",
    "Percentiles": "irfuse.imaging.levels",
    "VideoEvaluator": "irfuse.evaluation.video",
    "evaluate": "irfuse.api",
    "evaluate_batch": "irfuse.api",
    "fuse": "irfuse.api",
    "list_methods": "irfuse.api",
    "list_metrics": "irfuse.api",
    "list_protocols": "irfuse.api",
    "read_calibration": "irfuse.registration.calibration",
    "register": "irfuse.registration.registering",
}

_MODULES = {
    "benchmark": "irfuse.benchmark",
    "images": "irfuse.io.images",
    "overlay": "irfuse.imaging.overlay",
    "runtime": "irfuse.runtime",
    "thermal": "irfuse.io.thermal.reading",
}
"""Modules that are public as they are: ``irfuse.benchmark.run`` and ``irfuse.images.read`` need no further import."""

__all__ = [
    "Calibration",
    "Evaluator",
    "Fuser",
    "IrfuseError",
    "Levels",
    "Model",
    "Percentiles",
    "VideoEvaluator",
    "benchmark",
    "evaluate",
    "evaluate_batch",
    "fuse",
    "images",
    "list_methods",
    "list_metrics",
    "list_protocols",
    "overlay",
    "read_calibration",
    "register",
    "thermal",
]


def __getattr__(name: str) -> "Any":
    if name == "__version__":
        from importlib.metadata import version

        return version("irfuse")
    if name not in _HOMES and name not in _MODULES:
        raise AttributeError(f"module 'irfuse' has no attribute {name!r}")
    try:
        return import_module(_MODULES[name]) if name in _MODULES else getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        from irfuse.errors import MissingDependencyError
        from irfuse.installation import install

        # Of a package that is not there, a module may be named.
        package = (error.name or "").partition(".")[0]
        if package == "torch":
            raise MissingDependencyError(f"PyTorch is not installed: {install('torch')}") from None
        if name == "benchmark":
            raise MissingDependencyError(f"{package} is not installed: {install('bench')}") from None
        raise


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
