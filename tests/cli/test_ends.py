"""How the command ends: on Ctrl-C at any moment, and if memory runs out."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from irfuse import samples
from irfuse.errors import is_out_of_memory, reason
from irfuse.methods.average import Average
from tests.conftest import Run

COMMAND = "from irfuse.cli import main; main()"


def start(*arguments: str | Path, code: str = COMMAND, memory: int | None = None) -> subprocess.Popen[str]:
    def prepare() -> None:
        # A test runner in the background ignores the signal, and so would the command.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
    )


@pytest.mark.parametrize("seconds", [0.2, 0.6, 1.2])
def test_ctrl_c_while_the_command_starts(seconds: float, tmp_path: Path) -> None:
    running = start("fuse", samples.FOLDER / "ir", samples.FOLDER / "vis", "-o", tmp_path, "-m", "nst")
    time.sleep(seconds)
    running.send_signal(signal.SIGINT)
    said = running.communicate()[1]
    assert running.returncode == 130, said
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("irfuse: stopped")


@pytest.mark.parametrize(
    "interrupted",
    [
        "raise SystemError('an interrupt that a library turned into its own error') from None",
        "[type('Held', (), {'__del__': lambda self: os.kill(os.getpid(), signal.SIGINT)})() for _ in range(2)].clear()",
    ],
)
def test_an_interrupt_that_a_library_swallows(interrupted: str) -> None:
    code = f"""
import os, signal
from irfuse.cli import main
import irfuse.cli.app
def run():
    try:
        {"os.kill(os.getpid(), signal.SIGINT)" if "raise" in interrupted else "pass"}
    except KeyboardInterrupt:
        pass
    {interrupted}
    import time; time.sleep(5)
    return 0
irfuse.cli.app.run = run
main()
"""
    running = start(code=code)
    said = running.communicate()[1]
    assert (running.returncode, said) == (130, "irfuse: stopped\n")


def test_ctrl_c_while_python_shuts_down() -> None:
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(5,)).start()\n" + COMMAND
    running = start("--version", code=code)
    assert running.stdout is not None
    running.stdout.readline()
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    assert (running.wait(4), running.communicate()[1]) == (130, "")


def test_a_background_command_ignores_ctrl_c(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run("--version")[0] == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
@pytest.mark.parametrize("command", ["fuse", "evaluate"])
def test_little_memory_is_one_line(command: str, tmp_path: Path) -> None:
    ir, vis = tmp_path / "ir.png", tmp_path / "vis.png"
    scene = np.full((9000, 12000), 90, np.uint8)
    scene[:4000] = 160
    cv2.imwrite(str(ir), scene)
    cv2.imwrite(str(vis), np.full((9000, 12000, 3), 80, np.uint8))
    more = {"fuse": [ir, vis, "-o", tmp_path / "out.png", "-m", "average"], "evaluate": [ir, ir, vis, "-k", "en"]}
    running = start(command, *more[command], memory=2_600_000_000)
    said = running.communicate()[1]
    assert running.returncode == 2, said
    assert said == f"irfuse: {reason(MemoryError())}\n"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        np._core._exceptions._ArrayMemoryError((9, 9), np.dtype("f4")),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        cv2.error("OpenCV(5.0.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 324000000 bytes"),
        RuntimeError("std::bad_alloc"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_each_library_says_it_otherwise(error: Exception, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    assert is_out_of_memory(error)

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(Average, "forward", fail)
    pair = samples.pairs()[0]
    status, _, said = run("fuse", pair.ir, pair.vis, "-o", os.devnull + ".png", "-m", "average")
    assert (status, said.count("\n"), "out of memory; use smaller images" in said) == (2, 1, True)


def test_other_errors_are_not_memory() -> None:
    assert not is_out_of_memory(RuntimeError("shapes differ"))
    assert reason(ValueError("two\n  lines")) == "ValueError: two lines"
