"""Every reading that has a reference equals the toolbox's own code.

`references.csv` ties each reading to the rows of the reference values and their tolerance, and holds those of TNO 01
for two fused images that can be made here; with IRFUSE_DATA, all 16 triples are compared.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from irfuse import images
from irfuse.metrics import METRICS
from irfuse.metrics.protocols import PROTOCOLS, find
from irfuse.pairs import Pair

with Path(__file__).with_name("references.csv").open() as file:
    REFERENCES = list(csv.DictReader(file))


def batch(image: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(image / 255)[None, None]


def reading_id(row: dict[str, str]) -> str:
    return f"{row['protocol']}.{row['metric']}"


@pytest.mark.parametrize("row", REFERENCES, ids=reading_id)
@pytest.mark.parametrize("name", ["avg", "max"])
def test_tno_01(row: dict[str, str], name: str, tno_01: Pair) -> None:
    ir, vis = images.read(tno_01.ir), images.read(tno_01.vis)
    fused = np.maximum(ir, vis) if name == "max" else ((ir.astype(int) + vis + 1) // 2).astype(np.uint8)
    value = find(row["protocol"]).readings[row["metric"]].function(batch(fused), batch(ir), batch(vis))
    assert value.item() == pytest.approx(float(row[f"tno01_{name}"]), rel=float(row["tolerance"]), abs=1e-9)


@pytest.fixture(scope="module")
def golden(data: Path) -> dict[tuple[str, str, str, str], float]:
    with (data / "golden_metrics.csv").open() as file:
        return {
            (row["pair"], row["fused"], row["implementation"], row["metric"]): float(row["value"])
            for row in csv.DictReader(file)
        }


def triples(golden: dict[tuple[str, str, str, str], float]) -> Iterator[tuple[str, str]]:
    yield from sorted({(pair, fused) for pair, fused, _, _ in golden})


@pytest.mark.parametrize("row", REFERENCES, ids=reading_id)
def test_all_triples(row: dict[str, str], golden: dict[tuple[str, str, str, str], float], data: Path) -> None:
    function = find(row["protocol"]).readings[row["metric"]].function
    compared = 0
    for pair, fused in triples(golden):
        expected = golden.get((pair, fused, row["implementation"], row["name_there"]))
        if expected is None or np.isnan(expected):
            continue
        paths = [data / "golden" / f"{pair}_{role}.png" for role in (fused, "ir", "vis")]
        value = function(*(batch(images.read(path)) for path in paths)).item()
        assert value == pytest.approx(expected, rel=float(row["tolerance"]), abs=1e-9), (pair, fused)
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_readings_are_metrics(protocol: object) -> None:
    names = {info.name for info in METRICS}
    assert protocol.readings.keys() <= names
    if protocol.name == "canonical":
        assert protocol.readings.keys() == names
