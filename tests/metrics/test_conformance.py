"""Every reading with a reference equals the toolbox's code, up to the tolerance of the reading.

`references.csv` assigns reference values to each reading, and contains those of TNO 01 for two fused images that the
tests compute. With IRFUSE_DATA, all 16 triples are compared.
"""

import csv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.metrics import METRICS
from irfuse.metrics.protocols import PROTOCOLS, find
from irfuse.metrics.protocols.base import Protocol

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
    reading = find(row["protocol"]).readings[row["metric"]]
    value = reading.function(batch(fused), batch(ir), batch(vis))
    assert value.item() == pytest.approx(float(row[f"tno01_{name}"]), rel=reading.tolerance, abs=1e-9)


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
    reading = find(row["protocol"]).readings[row["metric"]]
    compared = 0
    for pair, fused in triples(golden):
        expected = golden.get((pair, fused, row["implementation"], row["name_there"]))
        if expected is None or np.isnan(expected):
            continue
        paths = [data / "golden" / f"{pair}_{role}.png" for role in (fused, "ir", "vis")]
        value = reading.function(*(batch(images.read(path)) for path in paths)).item()
        assert value == pytest.approx(expected, rel=reading.tolerance, abs=1e-9), (pair, fused)
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_readings_are_metrics(protocol: Protocol) -> None:
    names = {info.name for info in METRICS}
    assert protocol.readings.keys() <= names
    if protocol.name == "canonical":
        assert protocol.readings.keys() == names


REFERENCED = {(row["protocol"], row["metric"]) for row in REFERENCES}
# Canonical readings without a reference that have the function of a reading with one.
SAME = {
    "en": "vifb", "ce": "vifb", "ei": "vifb", "sd": "vifb", "ssim": "vifb", "qcb": "vifb", "qcv": "vifb",
    "qg": "liu", "qsf": "liu",
    "fmi_dct": "li", "fmi_wavelet": "li", "fmi_edge": "li", "cc": "tang", "scd": "li", "mse": "tang",
}  # fmt: skip
# Readings without a reference, and the tests that check them instead.
REASONS = {
    "canonical": {
        "nmi": "test_definitions.py",
        "qmi": "liu's without stretching; test_definitions.py",
        "qncie": "liu's without stretching; test_definitions.py",
        "qte": "test_definitions.py",
        "sf": "vifb's for a gray image; test_definitions.py",
        "qm": "a third of liu's; test_definitions.py",
        "qp": "liu's where both sides are even; test_phase.py",
        "mef_ssim": "one scale of li's ms_ssim; test_definitions.py",
        "ms_ssim": "pytorch-msssim; test_independent.py",
        "qc": "test_definitions.py",
        "qy": "test_definitions.py",
        "qw_edge": "the quotient of qe and qw, which have references",
        "rmse": "the root of mse; test_definitions.py",
        "psnr": "scikit-image; test_independent.py",
    },
    "cddfuse": dict.fromkeys(find("cddfuse").readings, "test_independent.py"),
    "ataman": {"qw": "test_definitions.py; the paper's 21 images are not available"},
}


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_every_reading_has_a_reference_or_a_reason(protocol: Protocol) -> None:
    for name, reading in protocol.readings.items():
        other = SAME.get(name) if protocol.name == "canonical" else None
        if other is not None:
            assert (other, name) in REFERENCED
            assert parts(reading.function) == parts(find(other).readings[name].function)
        else:
            assert ((protocol.name, name) in REFERENCED) != (name in REASONS.get(protocol.name, {})), name


def parts(function: Callable[..., Tensor]) -> tuple[object, ...]:
    """Split a function, or a partial of one, into its function and its arguments."""
    if isinstance(function, partial):
        return function.func, function.args, tuple(function.keywords.items())
    return function, (), ()
