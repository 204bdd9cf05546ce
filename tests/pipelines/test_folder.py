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
from irfuse.io import images, origin
from irfuse.io.files import open_atomic
from irfuse.io.images import Array, Content
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

    def counting_read(path: Path, content: Content) -> tuple[Array, Metadata]:
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        return read(path, content)

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

    def watched_read(path: Path, content: Content) -> tuple[Array, Metadata]:
        found = read(path, content)
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


def test_resume_makes_again_what_another_method_made(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = origin.describe("1.0", "method: average", "torch, fp32: it has no network")
    second = origin.describe("2.0", "method: maximum", "onnx, fp32")
    folder.run(pairs[:6], out, mean, description=first)
    folder.run(pairs[6:8], out, mean, description=second)
    folder.run(pairs[8:10], out, mean)
    report = folder.run(pairs, out, mean, description=second, resume=True)
    assert report.skipped == ["06", "07"]
    assert report.fused == [f"{i:02}" for i in range(12) if i not in (6, 7)]
    assert dict(report.warnings) == {
        **{f"{i:02}": "made again, because its result was made by method: average" for i in range(6)},
        **{f"{i:02}": "made again, because its result was made by something else" for i in (8, 9)},
    }
    made = [images.read_with_metadata(path)[1].description for path in out.iterdir()]
    assert set(map(origin.maker, made)) == {"method: maximum"}
    other_engine = origin.describe("3.0", "method: maximum", "openvino")
    assert len(folder.run(pairs, out, mean, description=other_engine, resume=True).skipped) == 12
    assert len(folder.run(pairs, out, mean, resume=True).skipped) == 12


def test_resume_reads_each_result_once(
    pairs: tuple[Pair, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    description = origin.describe("1.0", "method: average", "torch")
    folder.run(pairs, out, mean, description=description)
    (out / "00.png").unlink()
    (out / "01.png").write_bytes((out / "01.png").read_bytes()[:-40])
    opened: list[Path] = []
    read_bytes = Path.read_bytes

    def read(path: Path) -> bytes:
        opened.append(path)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    report = folder.run(pairs, out, mean, description=description, resume=True)
    assert report.fused == ["00", "01"]
    results = sorted(path.name for path in opened if path.parent == out)
    assert results == sorted(f"{pair.name}.png" for pair in pairs)


def test_resume_of_formats_without_a_description(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    description = origin.describe("1.0", "method: average", "torch")
    for _ in range(2):
        report = folder.run(pairs, tmp_path / "out", mean, description=description, resume=True, extension=".bmp")
    assert len(report.skipped) == len(report.warnings) == 12
    assert report.warnings[0][1] == "kept, although .bmp files do not say what made them"


def test_two_results_of_one_name(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    clash = Pair("00", pairs[1].ir, pairs[1].vis)
    with pytest.raises(OutputError, match=r"00\.png and .*01\.png would both be fused into .*out/00\.png; rename one"):
        folder.run([*pairs, clash], tmp_path / "out", mean)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("as_generator", [False, True])
def test_names_that_are_too_long(pairs: tuple[Pair, ...], tmp_path: Path, as_generator: bool) -> None:
    long = [Pair(name, pairs[0].ir, pairs[0].vis) for name in ("a" * 251, "a" * 252, "b")]
    report = folder.run(iter(long) if as_generator else long, tmp_path / "out", mean)
    assert report.fused == ["a" * 251, "b"]
    assert "the name of its result has 256 bytes, and a file allows 255" in report.failures[0][1]


def test_two_runs_into_one_folder(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    """The second run starts, and so removes what killed processes left, while the first one writes."""
    out = tmp_path / "out"

    def fuse(ir: Array, vis: Array) -> Array:
        folder.run(pairs[:2], out, mean)
        return mean(ir, vis)

    out.mkdir()
    with open_atomic(out / "00.png") as file:
        report = folder.run(pairs, out, fuse)
        file.write(b"whole")
    assert (len(report.fused), report.failures) == (12, [])
    assert (out / "00.png").read_bytes() == b"whole"


def test_broken_links_are_failures(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    pairs[2].ir.unlink()
    pairs[2].ir.symlink_to("gone.png")
    report = folder.run(find(tmp_path).pairs, tmp_path / "out", mean)
    assert len(report.fused) == 11
    assert report.failures == [("02", f"{pairs[2].ir}: no such file")]
