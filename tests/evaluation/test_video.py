"""The evaluator of clips, against an independent implementation that sees a whole clip at once."""

import gc
import math
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from irfuse.errors import ImageError, PairError, ParameterError, SuspiciousPairWarning, UndefinedScoreWarning
from irfuse.evaluation import video
from irfuse.evaluation.video import Frame, VideoEvaluator
from irfuse.imaging.levels import Levels, Percentiles
from irfuse.io import images
from irfuse.metrics.temporal import CLIP_METRICS
from irfuse.ops.flow import Flow, dis

Image = NDArray[np.uint8]
Clip = list[tuple[Image, Image, Image]]

NAMES = [info.name for info in CLIP_METRICS]
LEVELS = ["warp_error", "warp_ratio", "level_jump", "biswe_dis", "flowd_dis"]
"""The metrics that see the brightness of frames."""
HEIGHT, WIDTH, COUNT = 96, 128, 5


def texture(rng: np.random.Generator, sigma: float) -> Image:
    scene = cv2.GaussianBlur(rng.random((HEIGHT + 40, WIDTH + 40)), (0, 0), sigma)
    return np.rint(20 + 200 * (scene - scene.min()) / np.ptp(scene)).astype(np.uint8)


def moving(scene: Image, dx: int, dy: int) -> list[Image]:
    return [scene[20 + dy * t :, 20 + dx * t :][:HEIGHT, :WIDTH].copy() for t in range(COUNT)]


@pytest.fixture(scope="module")
def clip() -> Clip:
    """A textured scene that moves by (3, 2) pixels a frame, with an object that moves otherwise, and noise."""
    rng = np.random.default_rng(1)
    vis, ir = (moving(texture(rng, sigma), 3, 2) for sigma in (1.5, 2.5))
    frames: Clip = []
    for t in range(COUNT):
        for image in (vis[t], ir[t]):
            cv2.circle(image, (90 - 6 * t, 50), 12, (240,), -1, cv2.LINE_AA)
        noisy = [np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8) for image in (ir[t], vis[t])]
        color = np.stack([noisy[1], noisy[1] // 2, 255 - noisy[1]], axis=2)
        fused = np.clip(0.5 * noisy[0][..., None] + 0.5 * color + rng.normal(0, 3), 0, 255).astype(np.uint8)
        frames.append((fused, noisy[0], color))
    return frames


def gray(image: Image) -> Image:
    """The BT.601 luma. Sums that end in one half are rounded as those of levels in [0, 1] are."""
    if image.ndim == 2:
        return image
    red, green, blue = np.moveaxis(image / 255, 2, 0)
    return np.rint((0.299 * red + 0.587 * green + 0.114 * blue) * 255).astype(np.uint8)


def by_definition(clip: Clip) -> dict[str, float]:
    """Compute all scores from the whole clip, as the docs define them."""
    fused, ir, vis = ([gray(image) for image in frames] for frames in zip(*clip, strict=True))
    color = [frame[0].astype(float) for frame in clip]
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))

    def flow(frames: list[Image], t: int, s: int) -> Flow:
        return np.asarray(estimator.calc(frames[t], frames[s], None), np.float32)  # type: ignore[call-overload]

    def take(image: NDArray[np.floating], by: Flow, border: int) -> NDArray[np.float64]:
        """Warp each channel; with a constant border, what lies beyond the frame is huge."""
        place = [(grid + by[..., i]).astype(np.float32) for i, grid in enumerate((x, y))]
        channels = np.atleast_3d(image).astype(np.float32).transpose(2, 0, 1)
        warped = [
            cv2.remap(one.copy(), place[0], place[1], cv2.INTER_LINEAR, borderMode=border, borderValue=1e6)  # type: ignore[call-overload]
            for one in channels
        ]
        return np.asarray(np.stack(warped, 2).reshape(image.shape), np.float64)

    def off(frames: list[Image], t: int, s: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The squared distance to where the flow to frame s and back ends, and the squares of both flows."""
        there, back = flow(frames, t, s), flow(frames, s, t)
        returned = take(back, there, cv2.BORDER_CONSTANT)
        squares = (there**2).sum(2) + (take(back, there, cv2.BORDER_REPLICATE) ** 2).sum(2)
        return ((there + returned) ** 2).sum(2), squares

    def error(frames: list[Image], t: int, mask: NDArray[np.bool_]) -> float:
        other = take(frames[t + 1].astype(float), flow(vis, t, t + 1), cv2.BORDER_REPLICATE)
        return float(np.abs(frames[t] - other)[mask].mean())

    of_fused, of_sources = [], []
    for t in range(COUNT - 1):
        mask = np.abs(flow(ir, t, t + 1) - flow(vis, t, t + 1)).max(2) < 1
        for frames in (ir, vis):
            left, squares = off(frames, t, t + 1)
            mask &= left < 0.01 * squares + 0.5
        of_fused.append(error(fused, t, mask))
        of_sources.append(max(error(ir, t, mask), error(vis, t, mask)))
    flowd = [
        np.sqrt(((color[t] - take(color[t - 1], flow(vis, t, t - 1), cv2.BORDER_REPLICATE)) ** 2).sum(2)).mean()
        for t in range(1, COUNT)
    ]
    jump, biswe, ms2r = [], [], []
    for t in range(1, COUNT - 1):
        before, level, after = (fused[s].mean() for s in (t - 1, t, t + 1))
        jump.append(abs(level - (before + after) / 2))
        total = 0.0
        for s in (t - 1, t + 1):
            seen = (off(ir, t, s)[0] < 1) & (off(vis, t, s)[0] < 1)
            warped = take(color[s], flow(fused, t, s), cv2.BORDER_REPLICATE)
            total += np.abs(color[t] - warped).mean(2)[seen].mean()
        biswe.append(total)
        turn = [flow(frames, t, t + 1) - flow(frames, t - 1, t) for frames in (fused, ir, vis)]
        ms2r.append((np.abs(turn[0] - turn[1]).mean() + np.abs(turn[0] - turn[2]).mean()) / 2)
    means = {
        "warp_error": of_fused,
        "level_jump": jump,
        "biswe_dis": biswe,
        "ms2r_dis": ms2r,
        "flowd_dis": flowd,
    }
    ratio = np.mean(of_fused) / np.mean(of_sources)
    return {"warp_ratio": float(ratio), **{name: float(np.mean(values)) for name, values in means.items()}}


def brightened(clip: Clip) -> Clip:
    """The control: every second fused frame 3 % brighter."""
    return [
        (np.rint(np.clip(fused * (1.03 if t % 2 else 1.0), 0, 255)).astype(np.uint8), ir, vis)
        for t, (fused, ir, vis) in enumerate(clip)
    ]


def test_equals_the_definitions(clip: Clip) -> None:
    scores = VideoEvaluator()(clip)
    assert list(scores) == NAMES
    assert scores == pytest.approx(by_definition(clip), rel=1e-4)


def test_a_frames_scores_and_the_clips(clip: Clip) -> None:
    evaluator = VideoEvaluator()
    scores = evaluator.score(evaluator.frame(*triple) for triple in clip)
    for name in NAMES:
        values = [row[name] for row in scores.frames]
        ends = [0] if name in ("warp_error", "warp_ratio", "flowd_dis") else [0, COUNT - 1]
        assert [t for t in range(COUNT) if math.isnan(values[t])] == ends
        assert scores.clip[name] == pytest.approx(np.nanmean(values))


def test_a_moved_texture_is_steady(rng: np.random.Generator) -> None:
    scene = texture(rng, 2)
    frames = [(image, image, image) for image in moving(scene, 3, -2)]
    scores = VideoEvaluator(LEVELS)(frames)
    unwarped = np.abs(np.diff([image.astype(float) for image, _, _ in frames], axis=0)).mean()
    assert unwarped > 10
    assert scores["warp_error"] < 0.02 * unwarped
    assert scores["biswe_dis"] < 0.04 * unwarped
    assert scores["warp_ratio"] == pytest.approx(1)
    # Only what enters at the border is new.
    assert scores["flowd_dis"] < 0.2 * unwarped


def test_a_jump_of_brightness(rng: np.random.Generator) -> None:
    scene = texture(rng, 2)[:HEIGHT, :WIDTH]
    steady = [(scene + level, scene, scene) for level in (0, 0, 7, 0, 0)]
    evaluator = VideoEvaluator(["level_jump", "warp_error", "flowd_dis"])
    rows = evaluator.score(evaluator.frame(*triple) for triple in steady).frames
    assert [row["level_jump"] for row in rows[1:-1]] == pytest.approx([3.5, 7, 3.5])
    assert [row["warp_error"] for row in rows[1:]] == pytest.approx([0, 7, 7, 0], abs=1e-3)
    # A gray clip has three equal channels.
    assert [row["flowd_dis"] for row in rows[1:]] == pytest.approx([0, 7 * 3**0.5, 7 * 3**0.5, 0], abs=1e-3)


def test_frames_brightened_in_turn_are_found(clip: Clip) -> None:
    steady = [((ir.astype(int) + vis[..., 0]) // 2, ir, vis) for _, ir, vis in clip]
    smooth = [(fused.astype(np.uint8), ir, vis) for fused, ir, vis in steady]
    before, after = VideoEvaluator()(smooth), VideoEvaluator()(brightened(smooth))
    brighter = 0.03 * np.mean([fused.mean() for fused, _, _ in smooth])
    assert after["level_jump"] > before["level_jump"] + 0.8 * brighter
    for name in ("warp_error", "warp_ratio", "biswe_dis", "flowd_dis"):
        assert after[name] > 1.3 * before[name], name


@pytest.mark.slow
def test_frames_of_a_real_clip_brightened_in_turn_are_found(data: Path) -> None:
    folders = [sorted((data / "m3svd" / "0111_1716" / role).iterdir())[:6] for role in ("ir", "vis")]
    pairs = [(images.read(ir)[..., 0], images.read(vis)) for ir, vis in zip(*folders, strict=True)]
    average = [((ir[..., None].astype(int) + vis) // 2).astype(np.uint8) for ir, vis in pairs]
    frames = [(fused, *pair) for fused, pair in zip(average, pairs, strict=True)]
    before, after = VideoEvaluator(LEVELS)(frames), VideoEvaluator(LEVELS)(brightened(frames))
    assert after["level_jump"] > 10 * before["level_jump"]
    for name in ("warp_error", "warp_ratio", "biswe_dis", "flowd_dis"):
        assert after[name] > 1.3 * before[name], name


def test_no_more_than_three_frames_are_held(clip: Clip) -> None:
    evaluator = VideoEvaluator()
    alive: list[weakref.ref[Frame]] = []
    most = 0

    def frames() -> Iterator[Frame]:
        nonlocal most
        for fused, ir, vis in clip:
            frame = evaluator.frame(fused, ir, vis)
            alive.append(weakref.ref(frame))
            yield frame
            del frame
            gc.collect()
            most = max(most, sum(one() is not None for one in alive))

    evaluator.score(frames())
    assert most <= 3


def test_nothing_is_compared_across_a_missing_frame(clip: Clip) -> None:
    evaluator = VideoEvaluator()
    frames = [evaluator.frame(*triple) for triple in clip]
    whole = evaluator.score([*frames[:3], None, *frames[3:]]).frames
    parts = evaluator.score(frames[:3]).frames
    with pytest.warns(UndefinedScoreWarning):
        parts += evaluator.score(frames[3:]).frames
    without = [{name: value for name, value in row.items() if name != "warp_ratio"} for row in whole]
    expected = [{name: value for name, value in row.items() if name != "warp_ratio"} for row in parts]
    for found, right in zip(without, expected, strict=True):
        assert found == pytest.approx(right, nan_ok=True)
    assert math.isnan(whole[3]["flowd_dis"])


def test_only_the_flows_that_are_needed_are_estimated(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    def counted(first: Image, second: Image) -> Flow:
        nonlocal count
        count += 1
        return dis(first, second)

    monkeypatch.setattr(video, "dis", counted)
    for names, per_step in ((["level_jump"], 0), (["flowd_dis"], 1), (["ms2r_dis"], 3), (["warp_error"], 4)):
        count = 0
        VideoEvaluator(names)(clip)
        assert count == per_step * (COUNT - 1), names


def test_what_frames_may_be(clip: Clip, tmp_path: Path) -> None:
    gray = [(fused[..., 0], ir, vis[..., 0]) for fused, ir, vis in clip[:3]]
    expected = VideoEvaluator()(gray)
    in_color = [tuple(np.repeat(image[..., None], 3, 2) for image in images) for images in gray]
    assert VideoEvaluator()(in_color) == pytest.approx(expected)  # type: ignore[arg-type]
    tensors = [tuple(torch.from_numpy(image)[None] for image in images) for images in gray]
    assert VideoEvaluator()(tensors) == pytest.approx(expected)  # type: ignore[arg-type]
    counts = [(fused, (20000 + 4 * ir.astype(int)).astype(np.uint16), vis) for fused, ir, vis in gray]
    assert VideoEvaluator(thermal=Levels(20000, 20000 + 4 * 255))(counts) == pytest.approx(expected)
    for t, frame in enumerate(gray):
        for role, image in zip(("fused", "ir", "vis"), frame, strict=True):
            images.write(tmp_path / f"{role}{t}.png", image)
    paths = [tuple(tmp_path / f"{role}{t}.png" for role in ("fused", "ir", "vis")) for t in range(3)]
    assert VideoEvaluator()(paths) == pytest.approx(expected)  # type: ignore[arg-type]


def test_what_frames_share_is_said_once(clip: Clip) -> None:
    counts = [(fused, (20000 + ir.astype(int)).astype(np.uint16), vis) for fused, ir, vis in clip]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        VideoEvaluator(["level_jump"])(counts)
    assert [str(one.message).partition(" uses ")[0] for one in found] == ["the infrared image"]
    assert found[0].category is SuspiciousPairWarning


def test_percentiles_of_each_frame_are_doubted(clip: Clip) -> None:
    with pytest.warns(SuspiciousPairWarning, match="thermal percentiles are taken from each frame"):
        evaluator = VideoEvaluator(["level_jump"], thermal=Percentiles(1, 99))
    counts = [(fused, (20000 + 4 * ir.astype(int)).astype(np.uint16), vis) for fused, ir, vis in clip]
    assert evaluator(counts) == VideoEvaluator(["level_jump"])(clip)


@pytest.mark.parametrize(("count", "undefined"), [(1, NAMES), (2, ["level_jump", "biswe_dis", "ms2r_dis"])])
def test_a_clip_that_is_too_short(clip: Clip, count: int, undefined: list[str]) -> None:
    with pytest.warns(UndefinedScoreWarning, match=f"3 frames in a row are needed, and the clip has {count}"):
        scores = VideoEvaluator()(clip[:count])
    assert [name for name, value in scores.items() if math.isnan(value)] == undefined


def test_sources_that_never_change_have_no_ratio(rng: np.random.Generator) -> None:
    scene = texture(rng, 2)[:HEIGHT, :WIDTH]
    with pytest.warns(UndefinedScoreWarning, match="warp_ratio: undefined: .*do not change at all"):
        scores = VideoEvaluator(["warp_error", "warp_ratio"])([(scene, scene, scene)] * 3)
    assert scores["warp_error"] == 0
    assert math.isnan(scores["warp_ratio"])


def test_bad_input(clip: Clip) -> None:
    fused, ir, vis = clip[0]
    with pytest.raises(ParameterError, match="unknown metric of clips 'biswe'; did you mean 'biswe_dis'"):
        VideoEvaluator(["biswe"])
    with pytest.raises(ParameterError, match="a list of names is needed, such as \\['warp_error'\\]"):
        VideoEvaluator("warp_error")
    with pytest.raises(ParameterError, match="no metric is named"):
        VideoEvaluator([])
    with pytest.raises(ImageError, match="no frame could be scored"):
        VideoEvaluator()([])
    with pytest.raises(PairError, match="the sizes differ: infrared 128x96, fused 128x95"):
        VideoEvaluator()([(fused[1:], ir, vis)])
    with pytest.raises(ImageError, match="the frames of a clip need one size, and 128x95 follows 128x96"):
        VideoEvaluator()([(fused, ir, vis), (fused[1:], ir[1:], vis[1:])])
    with pytest.raises(ImageError, match="the smaller side has 15 pixels, and warp_error needs 16x16, warp_ratio"):
        VideoEvaluator()([(fused[:15], ir[:15], vis[:15])] * 3)
    VideoEvaluator(["level_jump"])([(fused[:15], ir[:15], vis[:15])] * 3)
