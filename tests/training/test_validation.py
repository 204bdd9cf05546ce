from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from irfuse import notices, samples
from irfuse.api import evaluate
from irfuse.errors import TrainingError
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.methods.encoder_decoder import EncoderDecoder
from irfuse.training.reading import read_gray
from irfuse.training.validation import METRICS, Validation, reconstruction

PAIRS = list(samples.pairs())[:2]


def average(ir: Tensor, vis: Tensor) -> Tensor:
    return (ir + vis) / 2


def copy_of_visible(ir: Tensor, vis: Tensor) -> Tensor:
    return vis


@pytest.fixture(scope="module")
def validation() -> Validation:
    return Validation(PAIRS, 1, EncoderDecoder.info, torch.device("cpu"))


def test_scores_are_those_of_evaluate(validation: Validation) -> None:
    expected = []
    for pair in PAIRS:
        ir, vis = (images.read(path) for path in (pair.ir, pair.vis))
        gray = [(image[..., :3] @ [0.299, 0.587, 0.114] if image.ndim == 3 else image) / 255 for image in (ir, vis)]
        fused = np.rint((gray[0] + gray[1]) / 2 * 255).astype(np.uint8)
        expected.append(evaluate(fused, *(np.rint(image * 255).astype(np.uint8) for image in gray), metrics=METRICS))
    scores = validation.scores(average)
    for name in METRICS:
        assert scores[name] == pytest.approx(np.mean([score[name] for score in expected]), abs=2e-3)


def test_a_copy_is_told_from_a_fusion(validation: Validation) -> None:
    assert validation.contributions(average) == pytest.approx({"infrared": 0.5, "visible": 0.5}, abs=1e-5)
    assert validation.contributions(copy_of_visible) == pytest.approx({"infrared": 0, "visible": 1}, abs=1e-5)


def test_preview_shows_the_fused_images(validation: Validation) -> None:
    sheet = validation.preview(copy_of_visible)
    width = sheet.shape[1] // 3
    visible, fused = sheet[40:, width : 2 * width], sheet[40:, 2 * width : 3 * width]
    assert np.abs(visible[:, 8:-8].astype(int) - fused[:, 8:-8]).mean() < 8


def test_in_color() -> None:
    validation = Validation(PAIRS, 3, EncoderDecoder.info, torch.device("cpu"))
    scores = validation.scores(lambda ir, vis: (ir + vis) / 2)
    assert all(np.isfinite(value) for value in scores.values())
    assert validation.contributions(copy_of_visible)["infrared"] == 0


def test_undefined_scores_name_their_pairs(tmp_path: Path) -> None:
    images.write(tmp_path / "flat.png", np.full(images.read(PAIRS[0].vis).shape[:2], 90, np.uint8))
    flat = [Pair(name, tmp_path / "flat.png", PAIRS[0].vis) for name in ("a", "b")]
    validation = Validation([*flat, *PAIRS], 1, EncoderDecoder.info, torch.device("cpu"), ["en", "scd"])
    with notices.collected() as found:
        scores = validation.scores(average)
    assert [str(warning) for warning in found] == [
        "a: scd: undefined: the infrared image is constant (and 1 more like this)"
    ]
    assert np.isfinite(scores["en"])
    assert np.isnan(scores["scd"])


def test_a_pair_that_is_too_small(tmp_path: Path) -> None:
    images.write(tmp_path / "a.png", np.zeros((31, 50), np.uint8))
    with pytest.raises(TrainingError, match="a: validation needs pairs of at least 32x32"):
        Validation([Pair("a", tmp_path / "a.png", tmp_path / "a.png")], 1, EncoderDecoder.info, torch.device("cpu"))


def test_reconstruction_of_an_image_by_itself_and_by_another() -> None:
    image = read_gray(list(samples.pairs())[-1].vis)
    perfect = reconstruction(lambda images: images, [image], torch.device("cpu"))
    assert perfect["mse"] < 1e-12
    assert perfect["ssim"] == pytest.approx(1)
    darker = reconstruction(lambda images: images - 0.1, [image.clip(0.2, 1)], torch.device("cpu"))
    assert darker["mse"] == pytest.approx(0.01, rel=0.05)
    assert darker["psnr"] == pytest.approx(20, abs=0.2)
