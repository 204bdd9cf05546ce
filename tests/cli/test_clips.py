"""`irfuse evaluate --video` on folders of frames, as a user meets it."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from irfuse.evaluation.video import VideoEvaluator
from irfuse.io import images
from irfuse.metrics.temporal import CLIP_METRICS
from tests.conftest import Run

COUNT = 11


@pytest.fixture
def clip(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Frames 1 to 11, whose names have no leading zeros, of a scene that moves by two pixels a frame."""
    scene = cv2.GaussianBlur(rng.random((100, 160)), (0, 0), 2)
    scene = np.rint(20 + 200 * (scene - scene.min()) / np.ptp(scene)).astype(np.uint8)
    for role in ("fused", "ir", "vis"):
        (tmp_path / role).mkdir()
        for t in range(1, COUNT + 1):
            brighter = t if role == "fused" else 0
            frame = scene[20:84, 2 * t : 2 * t + 96] + (10 * (role == "ir")) + brighter
            images.write(tmp_path / role / f"{t}.png", frame.astype(np.uint8))
    return tmp_path


def folders(clip: Path) -> list[Path]:
    return [clip / role for role in ("fused", "ir", "vis")]


def test_a_clip(run: Run, clip: Path) -> None:
    status, printed, complaints = run("evaluate", "--video", *folders(clip), "--csv", clip / "scores.csv")
    assert (status, complaints) == (0, "")
    names = [info.name for info in CLIP_METRICS]
    lines = printed.splitlines()
    assert lines[0].split()[:2] == ["protocol", "video"]
    assert [line.split()[:2] for line in lines[1 : 1 + len(names)]] == [[name, "↓"] for name in names]
    assert lines[1 + len(names)] == f"{COUNT} frames"
    rows = list(csv.DictReader((clip / "scores.csv").read_text().splitlines()))
    # In their order, so that each frame is brighter than the previous one by 1.
    assert [row["image"] for row in rows] == [str(t) for t in range(1, COUNT + 1)]
    assert [row["level_jump"] for row in rows][::10] == ["", ""]
    assert float(rows[5]["warp_error"]) == pytest.approx(1, abs=0.1)
    triples = [tuple(folder / f"{t}.png" for folder in folders(clip)) for t in range(1, COUNT + 1)]
    expected = VideoEvaluator()(triples)  # type: ignore[arg-type]
    for name in names:
        assert np.mean([float(row[name]) for row in rows if row[name]]) == pytest.approx(expected[name]), name


def test_chosen_metrics_and_tables(run: Run, clip: Path) -> None:
    chosen = ["-k", "level_jump,warp_error", "--json", "-"]
    status, printed, _ = run("evaluate", "--video", clip / "fused", clip, *chosen)
    assert status == 0
    found = json.loads(printed)
    assert (found["protocol"], list(found["mean"])) == ("video", ["level_jump", "warp_error"])
    assert found["images"]["1"] == {"level_jump": None, "warp_error": None}
    _, printed, _ = run("evaluate", "--video", *folders(clip), "-k", "biswe_dis", "--latex", "-")
    assert r"$\mathrm{BiSWE}_{\mathrm{DIS}}$ $\downarrow$ (9 of 11)" in printed


def test_a_missing_and_a_damaged_frame_cost_only_themselves(run: Run, clip: Path) -> None:
    (clip / "fused" / "4.png").unlink()
    (clip / "vis" / "8.png").write_bytes((clip / "vis" / "8.png").read_bytes()[:100])
    status, printed, complaints = run("evaluate", "--video", *folders(clip), "-k", "warp_error", "--csv", "-")
    assert status == 1
    assert "no fused image for: 4" in complaints
    assert f"failed: 8: {clip / 'vis' / '8.png'}: " in complaints
    rows = dict(line.split(",") for line in printed.splitlines()[1:])
    assert list(rows) == [str(t) for t in range(1, COUNT + 1) if t not in (4, 8)]
    assert [t for t, value in rows.items() if not value] == ["1", "5", "9"]
    # Across the gap, the frames would differ by two levels.
    assert max(float(value) for value in rows.values() if value) < 1.5


def test_two_clips_in_a_data_set_are_not_compared(run: Run, clip: Path) -> None:
    (clip / "results").mkdir()
    for number in (1, 2):
        for role in ("ir", "vis"):
            (clip / "set" / f"clip{number}" / role).mkdir(parents=True)
            for t in (1, 2):
                image = images.read(clip / role / f"{4 * number + t}.png")
                images.write(clip / "set" / f"clip{number}" / role / f"{t}.png", image)
                images.write(clip / "results" / f"clip{number}_{t}.png", image)
    status, printed, _ = run("evaluate", "--video", clip / "results", clip / "set", "-k", "flowd_dis", "--csv", "-")
    assert status == 0
    rows = [line.split(",") for line in printed.splitlines()[1:]]
    assert [(name, bool(value)) for name, value in rows] == [
        ("clip1_1", False),
        ("clip1_2", True),
        ("clip2_1", False),
        ("clip2_2", True),
    ]


def test_a_list_keeps_its_order(run: Run, clip: Path) -> None:
    lines = [f"{clip}/ir/{t}.png,{clip}/vis/{t}.png" for t in (3, 1, 2)]
    (clip / "list.csv").write_text("\n".join(["ir,vis", *lines]))
    for t in range(4, COUNT + 1):
        (clip / "fused" / f"{t}.png").unlink()
    arguments = ["--video", clip / "fused", clip / "list.csv", "-k", "warp_error", "--csv", "-"]
    _, printed, _ = run("evaluate", *arguments)
    assert [line.split(",")[0] for line in printed.splitlines()[1:]] == ["3", "1", "2"]


def test_what_looks_wrong_is_said_once(run: Run, clip: Path) -> None:
    for t in range(1, COUNT + 1):
        path = clip / "ir" / f"{t}.png"
        images.write(path, images.read(path).astype(np.uint16) + 20000)
    _, _, complaints = run("evaluate", "--video", *folders(clip), "-k", "level_jump")
    assert complaints.count("if these are raw counts, give thermal levels (and 10 more like this)") == 1
    status, _, complaints = run(
        "evaluate", "--video", *folders(clip), "-k", "level_jump", "--thermal-range", "20000", "20255"
    )
    assert (status, complaints) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fused/1.png", "ir", "vis"], "fused/1.png is a file; with --video, give folders of frames"),
        (["fused", "ir", "vis", "-p", "vifb"], "--protocol vifb: the metrics of clips belong to no protocol"),
        (["fused", "ir", "vis", "-j", "2"], "--jobs: a clip is scored frame by frame in one process"),
        (["fused", "ir", "vis", "--device", "cuda"], "--device cuda: the metrics of clips are computed on the CPU"),
        (["fused", "ir", "vis", "-k", "qabf"], "unknown metric of clips 'qabf' (metrics of clips: warp_error, "),
        (["none", "ir", "vis"], "none: no such file or folder"),
    ],
)
def test_bad_input(arguments: list[str], message: str, run: Run, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clip)
    status, _, complaints = run("evaluate", "--video", *arguments)
    assert status == 2
    assert message in complaints
    assert len(complaints.splitlines()) == 1


def test_one_frame_has_no_scores(run: Run, clip: Path) -> None:
    for t in range(2, COUNT + 1):
        for folder in folders(clip):
            (folder / f"{t}.png").unlink()
    status, printed, complaints = run("evaluate", "--video", *folders(clip), "-k", "flowd_dis")
    assert status == 0
    assert complaints == "warning: flowd_dis: undefined: 2 frames in a row are needed, and the clip has 1\n"
    assert printed.splitlines()[1].split() == ["flowd_dis", "↓", "(0", "of", "1)", "-"]


def test_the_list_of_metrics(run: Run) -> None:
    _, printed, _ = run("metrics", "--video")
    assert [line.split()[0] for line in printed.splitlines()[1:]] == [info.name for info in CLIP_METRICS]
    listed = json.loads(run("metrics", "--video", "--json")[1])
    assert [(info["name"], info["unit"]) for info in listed][:2] == [("warp_error", "gray levels"), ("warp_ratio", "")]
