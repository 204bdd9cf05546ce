import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from irfuse.errors import MissingDependencyError, OutputError
from irfuse.io import images
from irfuse.io.images import Array
from irfuse.io.metadata import Metadata
from irfuse.io.pairs import Pair, find
from irfuse.pipelines import folder


@pytest.fixture
def pairs(tmp_path: Path, rng: np.random.Generator) -> tuple[Pair, ...]:
    for role in ("ir", "vis"):
        (tmp_path / role).mkdir()
        for i in range(12):
            images.write(tmp_path / role / f"{i:02}.png", rng.integers(0, 256, (60, 80), dtype=np.uint8))
    return find(tmp_path).pairs


def mean(ir: Array, vis: Array) -> Array:
    return (ir // 2 + vis // 2).astype(np.uint8)


def test_folder(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    report = folder.run(pairs, tmp_path / "out", mean, on_step=lambda done, total, _: steps.append((done, total)))
    assert report.fused == [pair.name for pair in pairs]
    assert report.failures == report.skipped == []
    assert steps == [(i, 12) for i in range(13)]
    for pair in pairs:
        expected = mean(images.read(pair.ir), images.read(pair.vis))
        np.testing.assert_array_equal(images.read(tmp_path / "out" / f"{pair.name}.png"), expected)


def test_bad_files_are_reported_and_the_rest_goes_on(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    pairs[3].ir.write_bytes(pairs[3].ir.read_bytes()[:500])
    pairs[5].vis.unlink()

    def fuse(ir: Array, vis: Array) -> Array:
        if np.array_equal(ir, images.read(pairs[7].ir)):
            raise ZeroDivisionError("unforeseen")
        return mean(ir, vis)

    report = folder.run(pairs, tmp_path / "out", fuse)
    assert len(report.fused) == 9
    reasons = dict(report.failures)
    assert reasons.keys() == {"03", "05", "07"}
    assert "ir/03.png: not a readable image" in reasons["03"]
    assert "vis/05.png: no such file" in reasons["05"]
    assert reasons["07"] == "ZeroDivisionError: unforeseen"
    assert len(list((tmp_path / "out").iterdir())) == 9


def test_failed_writes_are_reported(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    (tmp_path / "out" / "02.png").mkdir(parents=True)
    report = folder.run(pairs, tmp_path / "out", mean)
    assert len(report.fused) == 11
    assert report.failures[0][0] == "02"
    assert "it is a folder" in report.failures[0][1]


def test_resume_skips_complete_results(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder.run(pairs, out, mean)
    (out / "01.png").unlink()
    (out / "04.png").write_bytes((out / "04.png").read_bytes()[:300])
    (out / ".04.png.abc.part").touch()
    untouched = {path: path.stat().st_mtime_ns for path in out.iterdir() if path.name not in ("01.png", "04.png")}
    untouched.pop(out / ".04.png.abc.part")
    report = folder.run(pairs, out, mean, resume=True)
    assert report.fused == ["01", "04"]
    assert len(report.skipped) == 10
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in untouched.items())
    assert sorted(path.name for path in out.iterdir()) == [f"{i:02}.png" for i in range(12)]


def test_without_resume_results_are_replaced(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    folder.run(pairs, tmp_path / "out", mean)
    folder.run(pairs, tmp_path / "out", lambda ir, vis: np.zeros_like(vis))
    assert not images.read(tmp_path / "out" / "00.png").any()


def test_inputs_are_never_replaced(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    before = pairs[0].vis.read_bytes()
    for side in ("ir", "vis"):
        with pytest.raises(OutputError, match="would replace an input"):
            folder.run(pairs, tmp_path / side, mean)
    assert pairs[0].vis.read_bytes() == before


def test_memory_stays_bounded(pairs: tuple[Pair, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a few pairs are in the pipeline at once, however slow the writing is."""
    alive, most, lock = 0, 0, threading.Lock()
    read, write = images.read_with_metadata, images.write

    def counting_read(path: Path) -> tuple[Array, Metadata]:
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        return read(path)

    def slow_write(path: Path, image: Array, description: str, metadata: Metadata) -> None:
        nonlocal alive
        time.sleep(0.02)
        write(path, image, description, metadata)
        with lock:
            alive -= 2

    monkeypatch.setattr(images, "read_with_metadata", counting_read)
    monkeypatch.setattr(images, "write", slow_write)
    assert folder.run(pairs, tmp_path / "out", mean).failures == []
    assert most <= 2 * (2 * folder._AHEAD + 3)


def test_decoding_fusing_and_encoding_overlap(
    pairs: tuple[Pair, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a pair is fused, the next ones are decoded. While it is written, the next one is fused."""
    read, write = images.read_with_metadata, images.write
    decoded, begun = [[threading.Event() for _ in pairs] for _ in range(2)]
    order = iter(range(len(pairs)))

    def watched_read(path: Path) -> tuple[Array, Metadata]:
        found = read(path)
        decoded[int(path.stem)].set()
        return found

    def fuse(ir: Array, vis: Array) -> Array:
        at = next(order)
        begun[at].set()
        assert decoded[min(at + 2, len(pairs) - 1)].wait(10)
        return mean(ir, vis)

    def watched_write(path: Path, image: Array, description: str, metadata: Metadata) -> None:
        assert begun[min(int(path.stem) + 1, len(pairs) - 1)].wait(10)
        write(path, image, description, metadata)

    monkeypatch.setattr(images, "read_with_metadata", watched_read)
    monkeypatch.setattr(images, "write", watched_write)
    assert folder.run(pairs, tmp_path / "out", fuse).failures == []


def test_killed_and_resumed(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    """After a run that is killed halfway and resumed, every result is complete, and nothing else remains."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "irfuse", "fuse", str(tmp_path / "ir"), str(tmp_path / "vis"), "-o", str(out)]
    command += ["-m", "laplacian-pyramid"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(out.glob("0*.png")):
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert len(list(out.glob("*.png"))) < 12
    subprocess.run([*command, "--resume"], check=True, stdout=subprocess.DEVNULL)
    assert sorted(path.name for path in out.iterdir()) == [f"{i:02}.png" for i in range(12)]
    for pair in pairs:
        assert images.read(out / f"{pair.name}.png").shape == images.read(pair.vis).shape


def test_errors_of_the_machine_stop_the_run(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    def fuse(ir: Array, vis: Array) -> Array:
        raise MissingDependencyError("no engine")

    with pytest.raises(MissingDependencyError, match="no engine"):
        folder.run(pairs, tmp_path / "out", fuse)
    assert not list((tmp_path / "out").iterdir())


def test_a_generator_of_pairs(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    out = tmp_path / "out"
    out.mkdir()
    (out / ".03.png.abc.part").touch()
    report = folder.run(iter(pairs), out, mean, on_step=lambda done, total, _: steps.append((done, total)))
    assert report.fused == [pair.name for pair in pairs]
    assert steps == [(i, None) for i in range(13)]
    assert sorted(path.name for path in out.iterdir()) == [f"{i:02}.png" for i in range(12)]
    again = folder.run(iter(pairs), out, mean, resume=True)
    assert (len(again.skipped), again.fused) == (12, [])


def test_a_generator_is_read_as_needed(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    taken, fused = 0, 0

    def waiting() -> Iterator[Pair]:
        nonlocal taken
        for pair in pairs:
            taken += 1
            assert taken <= fused + folder._AHEAD + 2
            yield pair

    def fuse(ir: Array, vis: Array) -> Array:
        nonlocal fused
        fused += 1
        return mean(ir, vis)

    assert folder.run(waiting(), tmp_path / "out", fuse).failures == []


def test_results_before_an_error_of_a_generator_are_kept(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    def broken() -> Iterator[Pair]:
        yield from pairs[:7]
        raise RuntimeError("the camera is gone")

    steps: list[int] = []
    with pytest.raises(RuntimeError, match="the camera is gone"):
        folder.run(broken(), tmp_path / "out", mean, on_step=lambda done, total, _: steps.append(done))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{i:02}.png" for i in range(7)]
    assert steps == list(range(8))


def test_pairs_of_a_generator_are_checked_one_by_one(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    out = tmp_path / "vis"
    before = {path: path.read_bytes() for path in out.iterdir()}
    stream = [
        pairs[0],
        Pair("new", pairs[1].ir, pairs[1].vis),
        Pair("new", pairs[2].ir, pairs[2].vis),
        Pair("00", pairs[3].ir, pairs[3].vis),
        Pair("another", pairs[4].ir, out / "new.png"),
    ]
    report = folder.run(iter(stream), out, mean)
    assert report.fused == ["new"]
    assert [name for name, _ in report.failures] == ["00", "new", "00", "another"]
    reasons = [reason for _, reason in report.failures]
    assert "would replace an input" in reasons[0]
    assert reasons[1] == "an earlier pair has the name 'new', too"
    assert "would replace an input" in reasons[2]
    assert reasons[3] == "an input is the result of an earlier pair; choose another output folder"
    assert {path: path.read_bytes() for path in before} == before
