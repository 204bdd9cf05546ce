"""Every method on two real pairs against values stored when its pictures were looked at and found right.

python -m tests.methods.test_stored_values     stores them anew
"""

import json
from pathlib import Path

import numpy as np
import pytest

from irfuse import samples
from irfuse.fuser import Fuser
from irfuse.io import images
from tests.methods.specs import every_spec

STORED = Path(__file__).with_name("stored_values.json")
PAIRS = ("tno_01", "msrs_00037N")
BLOCKS = 6


def block_means(spec: str, name: str) -> list[list[float]]:
    """The fused luma of a sample pair, averaged over 6x6 blocks."""
    pair = next(pair for pair in samples.pairs() if pair.name == name)
    fused = Fuser(spec, device="cpu", engine="torch", precision="fp32", color="gray")(
        images.read(pair.ir), images.read(pair.vis)
    )
    rows = np.array_split(fused.astype(float), BLOCKS)
    return [[round(float(block.mean()), 3) for block in np.array_split(row, BLOCKS, axis=1)] for row in rows]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("spec", every_spec())
def test_stored_values(spec: str, name: str) -> None:
    stored = json.loads(STORED.read_text())
    np.testing.assert_allclose(block_means(spec, name), stored[spec][name], atol=0.05)


if __name__ == "__main__":
    values = {spec: {name: block_means(spec, name) for name in PAIRS} for spec in every_spec()}
    STORED.write_text(json.dumps(values))
