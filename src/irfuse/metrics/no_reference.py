"""No-reference quality by the user's own pyiqa, which irfuse does not depend on since its licence is non-commercial.

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
    """The score of a fused image; the sources are not looked at.

    Args:
        name: ``pyiqa:`` and the metric's name there, such as ``pyiqa:paq2piq``.
        fused: (1, H, W) or (3, H, W) in [0, 1]; gray is scored as three equal channels.

    Raises:
        MissingDependencyError: pyiqa is not installed.
        ParameterError: pyiqa has no such metric, or it needs a reference.
    """
    image = torch.from_numpy(fused.astype(np.float32))[None].expand(-1, 3, -1, -1)
    with torch.no_grad():
        return float(load(name, device)(image.to(device)).mean())


@cache
def load(name: str, device: torch.device) -> Any:
    """The metric of pyiqa; name and errors as in :func:`score`."""
    own_name = name.removeprefix(PREFIX)
    try:
        pyiqa = import_module("pyiqa")
    except ImportError as error:
        raise MissingDependencyError(
            f"{name} needs pyiqa ({error}): pip install pyiqa, and mind its non-commercial licence"
        ) from None
    try:
        metric = pyiqa.create_metric(own_name, device=device)
    except Exception as error:
        # pyiqa has no error of its own for an unknown name, and a download may fail in many ways.
        raise ParameterError(f"pyiqa cannot make {own_name!r}: {error}") from error
    if metric.metric_mode != "NR":
        raise ParameterError(f"{name} needs a reference image, which fusion has not; choose one that does not")
    return metric
