"""Time every metric on a gray 1024x768 triple in double precision beside other libraries, and print Markdown.

python perf/metrics.py > perf/metrics.md
"""

import platform
import resource
import statistics
import time
from collections.abc import Callable
from datetime import date
from functools import partial

import cv2
import numpy as np
import pytorch_msssim
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from sklearn.metrics import mutual_info_score
from torchmetrics.functional.image import visual_information_fidelity

from commit import commit
from irfuse import samples
from irfuse.evaluation.evaluator import Evaluator
from irfuse.io import images
from irfuse.metrics import METRICS
from irfuse.metrics.protocols import PROTOCOLS

SIZE = (1024, 768)
RUNS = 7
GOALS = {"fmi_": 600, "viff": 600, "mef_ssim": 600, "qp": 600}
Triple = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def triple() -> Triple:
    """The mean of a sample pair, and the pair, enlarged to 1024x768."""
    pair = next(pair for pair in samples.pairs() if pair.name == "tno_16")
    ir, vis = (cv2.resize(images.read(path), SIZE, interpolation=cv2.INTER_CUBIC) for path in (pair.ir, pair.vis))
    return ((ir.astype(int) + vis + 1) // 2).astype(np.uint8), ir, vis


def milliseconds(function: Callable[[], object]) -> float:
    """The median time of a run, in milliseconds, after one that does not count."""
    function()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def others(fused: NDArray[np.uint8], *sources: NDArray[np.uint8]) -> dict[str, tuple[str, Callable[[], object]]]:
    """By metric, another library and its computation of the same number for both sources."""
    f, *s = (torch.from_numpy(image.astype(float))[None, None] for image in (fused, *sources))
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return {
        "mi": ("scikit-learn", lambda: [mutual_info_score(x.ravel(), fused.ravel()) for x in sources]),
        "ssim": (
            "scikit-image",
            lambda: [structural_similarity(x.astype(float), fused.astype(float), **gaussian) for x in sources],
        ),
        "ssim_a": ("pytorch-msssim", lambda: [pytorch_msssim.ssim(x, f) for x in s]),
        "ms_ssim": ("pytorch-msssim", lambda: [pytorch_msssim.ms_ssim(x, f) for x in s]),
        "vif": ("torchmetrics", lambda: [visual_information_fidelity(f, x) for x in s]),
    }


def main() -> None:
    example = triple()
    print(f"""# Speed of the metrics

Gray images of {SIZE[0]}x{SIZE[1]}, double precision, the median of {RUNS} runs after a first one, in milliseconds,
from arrays to a number (checks and rounding included). Printed by `python perf/metrics.py` on {date.today()}:
{platform.machine()}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}, commit {commit()}.

| metric | irfuse | goal | another library | |
|---|---:|---:|---|---:|""")
    rivals = others(*example)
    for info in METRICS:
        evaluator = Evaluator([info.name])
        ours = milliseconds(partial(evaluator, *example))
        goal = next((goal for name, goal in GOALS.items() if info.name.startswith(name)), 150)
        library, other = rivals.get(info.name, ("", None))
        theirs = f"{milliseconds(other):.0f}" if other else ""
        print(f"| `{info.name}` | {ours:.0f} | {goal} | {library} | {theirs} |", flush=True)
    print(
        "\n| all metrics of a protocol | apart | together | a further fused image of the pair |\n|---|---:|---:|---:|"
    )
    for protocol in PROTOCOLS:
        evaluator = Evaluator(None, protocol.name)
        alone = [Evaluator([name], protocol.name) for name in protocol.readings]
        apart = sum(milliseconds(partial(one, *example)) for one in alone)
        together = milliseconds(partial(evaluator, *example))
        sources = evaluator.sources(*example[1:])
        further = milliseconds(partial(sources.score, example[0]))
        cells = f"{apart:.0f} | {together:.0f} | {further:.0f}"
        print(f"| `{protocol.name}`, {len(protocol.readings)} | {cells} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\nAt most {peak:.1f} GB of memory were in use; it grows with the number of pixels.")


if __name__ == "__main__":
    main()
