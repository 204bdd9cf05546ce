"""No-reference metrics of pyiqa. irfuse does not depend on pyiqa, whose license is non-commercial; users install it.

C. Chen, J. Mo: "IQA-PyTorch: PyTorch toolbox for image quality assessment", 2022, github.com/chaofengc/IQA-PyTorch.
"""

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from irfuse.errors import MissingDependencyError, ParameterError

PREFIX = "pyiqa:"


def score(name: str, fused: NDArray[np.float64], device: torch.device) -> float:
    """Score a fused image. The sources are ignored.

    Args:
        name: ``pyiqa:`` and the metric's name in pyiqa, such as ``pyiqa:paq2piq``.
        fused: (1, H, W) or (3, H, W) in [0, 1]. Gray is scored as three equal channels.
        device: the device that computes the metric.

    Raises:
        MissingDependencyError: pyiqa is not installed.
        ParameterError: pyiqa has no such metric, or it needs a reference.
    """
    image = torch.from_numpy(fused.astype(np.float32))[None].expand(-1, 3, -1, -1)
    with torch.no_grad():
        return float(load(name, device)(image.to(device)).mean())


@cache
def load(name: str, device: torch.device) -> Any:
    """Load a metric of pyiqa. The name and the errors are those of :func:`score`."""
    own_name = name.removeprefix(PREFIX)
    try:
        pyiqa = import_module("pyiqa")
    except ImportError as error:
        raise MissingDependencyError(
            f"{name} needs pyiqa ({error}): pip install pyiqa, and mind its non-commercial license"
        ) from None
    try:
        metric = pyiqa.create_metric(own_name, device=device)
    except Exception as error:
        # pyiqa has no specific error for an unknown name, and a download can fail in many ways.
        raise ParameterError(f"pyiqa cannot make {own_name!r}: {error}") from error
    if metric.metric_mode != "NR":
        raise ParameterError(f"{name} needs a reference image, which fusion does not have; choose another metric")
    return metric
