import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from irfuse.errors import ImageError
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.metrics.phase import compare, phase_congruency, qp
from irfuse.metrics.protocols import find


def read(path: Path) -> Tensor:
    return torch.from_numpy(images.read(path).astype(np.float64) / 255)[None, None]


def test_equals_the_reference_code_on_a_sample(tno_01: Pair) -> None:
    ir, vis = read(tno_01.ir), read(tno_01.vis)
    mean = ((ir + vis) * 255 + 1).div(2).add(1e-6).floor() / 255
    fused = torch.cat([mean, torch.maximum(ir, vis)])
    values = qp(fused, ir.expand_as(fused), vis.expand_as(fused))
    expected = torch.tensor([0.2549567385, 0.3241492234], dtype=torch.float64)
    torch.testing.assert_close(values, expected, rtol=1e-6, atol=0)


def test_equals_the_reference_code(data: Path) -> None:
    with (data / "golden_metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if (row["implementation"], row["metric"]) == ("Liu", "Qp")]
    assert len(rows) == 16
    sources = {
        pair: [phase_congruency(read(data / "golden" / f"{pair}_{name}.png")) for name in ("ir", "vis")]
        for pair in {row["pair"] for row in rows}
    }
    for row in rows:
        fused = phase_congruency(read(data / "golden" / f"{row['pair']}_{row['fused']}.png"))
        assert compare(fused, *sources[row["pair"]]).item() == pytest.approx(float(row["value"]), rel=1e-6), row


def test_odd_sides_have_the_filter_of_the_code(data: Path) -> None:
    """TNO 11 is 359x247. The expected value is that of the code."""
    ir, vis = (read(data / "tno21" / role / "11.png") for role in ("ir", "vis"))
    fused = ((ir + vis) * 255 + 1).div(2).add(1e-6).floor() / 255
    assert qp(fused, ir, vis, shifted_low_pass=True).item() == pytest.approx(0.294456, abs=5e-7)
    assert find("liu").readings["qp"].function(fused, ir, vis).item() == pytest.approx(0.294456, abs=5e-7)
    assert qp(fused, ir, vis).item() == pytest.approx(0.294813, abs=5e-7)


def test_even_sides_have_one_filter(real_batch: tuple[Tensor, Tensor]) -> None:
    ir, vis = (image.double() for image in real_batch)
    torch.testing.assert_close(qp(vis, ir, vis, shifted_low_pass=True), qp(vis, ir, vis), rtol=1e-12, atol=0)


def test_a_batch_equals_its_images_one_by_one(real_batch: tuple[Tensor, Tensor]) -> None:
    ir, vis = (image.double() for image in real_batch)
    fused = (ir + vis) / 2
    singles = torch.cat([qp(*(image[k : k + 1] for image in (fused, ir, vis))) for k in range(len(ir))])
    torch.testing.assert_close(qp(fused, ir, vis), singles, rtol=0, atol=1e-12)


def test_float32_is_near_float64(real_batch: tuple[Tensor, Tensor]) -> None:
    ir, vis = real_batch
    fused = (ir + vis) / 2
    single, double = qp(fused, ir, vis), qp(fused.double(), ir.double(), vis.double())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-4)


def test_swapped_sources_give_the_same(real_batch: tuple[Tensor, Tensor]) -> None:
    ir, vis = (image.double() for image in real_batch)
    torch.testing.assert_close(qp(ir, ir, vis), qp(ir, vis, ir), rtol=0, atol=1e-12)


def test_identical_images_are_below_one_and_above_others(real_batch: tuple[Tensor, Tensor]) -> None:
    ir, vis = real_batch
    identical = qp(ir, ir, ir)
    assert ((identical > 0.3) & (identical < 1)).all()
    assert (identical > qp(vis, ir, ir)).all()


def test_flat_images(real_batch: tuple[Tensor, Tensor]) -> None:
    image = real_batch[0]
    flat = torch.full_like(image, 0.5)
    torch.testing.assert_close(qp(flat, image, image), torch.ones(2), rtol=0, atol=0.01)
    assert qp(image, flat, flat).isnan().all()
    assert phase_congruency(flat).isfinite().all()


@pytest.mark.parametrize("size", [(33, 47), (32, 47), (33, 46), (11, 11)])
def test_phase_congruency_turns_with_the_image(rng: np.random.Generator, size: tuple[int, int]) -> None:
    image = torch.from_numpy(rng.random((1, 1, *size)))
    features = phase_congruency(image)
    assert features.shape == (1, 3, *size)
    torch.testing.assert_close(phase_congruency(image.flip(2, 3)).flip(2, 3), features, rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [(10, 20), (20, 10)])
def test_too_small_images(size: tuple[int, int]) -> None:
    image = torch.rand(1, 1, *size)
    with pytest.raises(ImageError, match=f"at least 11x11 pixels, not {size[1]}x{size[0]}"):
        qp(image, image, image)
