"""Every method on two real pairs equals stored values of images that were inspected and found correct.

On a build whose results are stored, every pixel is equal bit for bit. On other builds, the means of 8x8 blocks agree to
1e-5, and to 5e-4 for iterative methods. To store a new build, or new values after an intended change, run

    python -m tests.methods.test_stored_values
"""

import json
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from irfuse import samples
from irfuse.fuser import Fuser
from irfuse.io import images
from irfuse.methods import Spec, find
from irfuse.methods.base import IterativeMethod
from tests.methods.specs import distinct_specs, marks

STORED = Path(__file__).with_name("stored_values.json")
PAIRS = ("tno_01", "msrs_00881N")
BLOCKS = 8
TOLERANCE = 1e-5
"""The tolerance of the means, in [0, 1]. Other builds add in another order."""
ITERATIVE_TOLERANCE = 5e-4
"""The tolerance for iterative methods, which amplify the differences."""

Grid = list[list[float]]


def build() -> str:
    """Describe what the bits of a result depend on: PyTorch, and the CPU, for which its libraries choose their code."""
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        first = ""
    facts = dict(re.findall(r"(.+?)\s*: (.+)", first))
    model = ", ".join(facts.get(name, "") for name in ("model name", "cpu family", "model", "flags"))
    capability = torch.backends.cpu.get_cpu_capability()
    return f"torch {torch.__version__}, {capability}, {platform.machine()} {sha256(model.encode()).hexdigest()[:8]}"


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread, because the number of threads decides the order of additions."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def fused(spec: str, name: str) -> NDArray[np.float32]:
    """Fuse the luma of a crop of a sample pair, (160, 208) in [0, 1]."""
    pair = next(pair for pair in samples.pairs() if pair.name == name)
    ir, vis = (images.read(path)[60:220, 40:248].astype(np.float32) / np.float32(255) for path in (pair.ir, pair.vis))
    with one_thread():
        result = Fuser(spec, device="cpu", engine="torch", precision="fp32", color="gray")(ir, vis)
    assert result.dtype == np.float32
    return result


def digest(image: NDArray[np.float32]) -> str:
    return sha256(image.tobytes()).hexdigest()[:16]


def block_means(image: NDArray[np.float32]) -> Grid:
    rows = np.array_split(image.astype(np.float64), BLOCKS)
    return [[round(float(block.mean()), 7) for block in np.array_split(row, BLOCKS, axis=1)] for row in rows]


def tolerance(spec: str) -> float:
    return ITERATIVE_TOLERANCE if issubclass(find(Spec.parse(spec).name), IterativeMethod) else TOLERANCE


@pytest.fixture(scope="module")
def stored() -> Any:
    return json.loads(STORED.read_text())


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("spec", [pytest.param(spec, marks=marks(spec)) for spec in distinct_specs()])
def test_stored_values(spec: str, name: str, stored: Any) -> None:
    image = fused(spec, name)
    np.testing.assert_allclose(block_means(image), stored["means"][spec][name], rtol=0, atol=tolerance(spec))
    known = stored["digests"].get(build())
    if known is not None:
        assert digest(image) == known[spec][name]


def main() -> None:
    """Store the digests of this build. If a mean has changed, store all values anew and drop the other builds."""
    results = {spec: {name: fused(spec, name) for name in PAIRS} for spec in distinct_specs()}
    means = {spec: {name: block_means(image) for name, image in of.items()} for spec, of in results.items()}
    digests = {spec: {name: digest(image) for name, image in of.items()} for spec, of in results.items()}
    old = json.loads(STORED.read_text()) if STORED.exists() else {"digests": {}, "means": {}}
    same = old["means"].keys() == means.keys() and all(
        np.allclose(means[spec][name], old["means"][spec][name], rtol=0, atol=tolerance(spec))
        for spec in means
        for name in PAIRS
    )
    new = {
        "digests": {**(old["digests"] if same else {}), build(): digests},
        "means": old["means"] if same else means,
    }
    STORED.write_text(json.dumps(new, indent=None, separators=(",", ":")).replace("}}", "}}\n") + "\n")
    print(f"stored {'the digests of this build' if same else 'all anew'}: {build()}")


if __name__ == "__main__":
    main()
