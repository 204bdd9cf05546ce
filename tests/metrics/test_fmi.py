import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from irfuse.errors import ImageError
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.metrics.fmi import fmi_dct, fmi_edge, fmi_gradient, fmi_pixel, fmi_wavelet

Metric = Callable[[Tensor, Tensor, Tensor], Tensor]

METRICS = (fmi_pixel, fmi_gradient, fmi_edge, fmi_dct, fmi_wavelet)
# The authors' Fast-FMI on the pair tno_01, with edges as MATLAB finds them.
AVERAGE = (0.4318328069, 0.4244219517, 0.8825283502, 0.3747403518, 0.4094023143)
MAXIMUM = (0.58627336, 0.5495072613, 0.8916005926, 0.2420422749, 0.5197225683)
GOLDEN = {
    "FMI_pixel": ("port:fastFMI", fmi_pixel),
    "FMI_gradient": ("port:fastFMI", fmi_gradient),
    "FMI_edge": ("port:fastFMI+MATLABedge(octave)", fmi_edge),
    "FMI_dct": ("port:fastFMI", fmi_dct),
    "FMI_w": ("port:fastFMI", fmi_wavelet),
}

each_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)


def load(path: Path) -> Tensor:
    return torch.from_numpy(images.read(path).astype(np.float64) / 255)[None, None]


def crops(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Crop sources, (2, 1, 48, 64) in float64, and fuse them to their average in 8 bits."""
    ir, vis = (image[:, :, :48, :64].double() for image in batch)
    ir, vis = ((image * 255).round() / 255 for image in (ir, vis))
    return ((ir + vis) * 127.5).floor() / 255, ir, vis


@pytest.mark.parametrize(
    ("metric", "average", "maximum"),
    list(zip(METRICS, AVERAGE, MAXIMUM, strict=True)),
    ids=[metric.__name__ for metric in METRICS],
)
def test_equals_the_authors_on_a_real_pair(tno_01: Pair, metric: Metric, average: float, maximum: float) -> None:
    ir, vis = load(tno_01.ir), load(tno_01.vis)
    mean = ((ir + vis) * 255 + 1).round().div(2).floor() / 255
    largest = torch.maximum(ir, vis)
    assert metric(mean, ir, vis).item() == pytest.approx(average, rel=1e-4)
    assert metric(largest, ir, vis).item() == pytest.approx(maximum, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", GOLDEN)
def test_equals_the_authors_on_all_triples(data: Path, name: str) -> None:
    implementation, metric = GOLDEN[name]
    with (data / "golden_metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if (row["implementation"], row["metric"]) == (implementation, name)]
    assert len(rows) == 16
    for row in rows:
        triple = (load(data / "golden" / f"{row['pair']}_{image}.png") for image in (row["fused"], "ir", "vis"))
        assert metric(*triple).item() == pytest.approx(float(row["value"]), rel=1e-4), row


@each_metric
def test_identical_images(real_batch: tuple[Tensor, Tensor], metric: Metric) -> None:
    ir, _ = real_batch
    assert metric(ir, ir, ir).tolist() == [1, 1]


@each_metric
def test_swapped_sources_give_the_same(real_batch: tuple[Tensor, Tensor], metric: Metric) -> None:
    fused, ir, vis = crops(real_batch)
    torch.testing.assert_close(metric(fused, vis, ir), metric(fused, ir, vis), rtol=0, atol=1e-9)


@each_metric
def test_a_batch_equals_single_images(real_batch: tuple[Tensor, Tensor], metric: Metric) -> None:
    triple = crops(real_batch)
    single = [metric(*(image[k : k + 1] for image in triple)) for k in range(2)]
    torch.testing.assert_close(metric(*triple), torch.cat(single), rtol=0, atol=1e-9)


@each_metric
def test_chunks_change_nothing(
    real_batch: tuple[Tensor, Tensor], metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    triple = crops(real_batch)
    whole = metric(*triple)
    monkeypatch.setattr("irfuse.metrics.fmi._CHUNK", {"cpu": 100})
    torch.testing.assert_close(metric(*triple), whole, rtol=0, atol=1e-9)


@each_metric
def test_float32_is_near_float64(real_batch: tuple[Tensor, Tensor], metric: Metric) -> None:
    triple = crops(real_batch)
    single = metric(*(image.float() for image in triple))
    assert single.dtype == torch.float32
    # Rounding decides whether some windows are flat, and which of two tied edges wins.
    torch.testing.assert_close(single.double(), metric(*triple), rtol=0, atol=5e-3)


@each_metric
def test_constant_images_count_as_equal(metric: Metric) -> None:
    dark, bright = torch.zeros(1, 1, 9, 12), torch.ones(1, 1, 9, 12)
    value = metric(dark, bright, dark).item()
    if metric in (fmi_pixel, fmi_gradient, fmi_edge):
        assert value == 1
    assert 0 <= value <= 1


@each_metric
def test_any_size(metric: Metric) -> None:
    triple = torch.rand(3, 1, 1, 3, 5, generator=torch.Generator().manual_seed(0))
    assert metric(*triple).isfinite().all()


@each_metric
def test_too_small_images(metric: Metric) -> None:
    image = torch.rand(1, 1, 2, 7)
    with pytest.raises(ImageError, match=f"{metric.__name__} needs images of at least 3x3, this one is 7x2"):
        metric(image, image, image)


def test_single_points_share_nothing() -> None:
    # The entropies of both windows are zero, so the ratio would be 0 / 0.
    image, other = torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)
    image[0, 0, 0, 0] = other[0, 0, 2, 2] = 1
    assert fmi_pixel(image, other, image).item() == 0.5
