"""Fetching from a local server."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from irfuse import samples
from irfuse.backbones import TORCHVISION, Backbone
from irfuse.backbones.resnet import ResNet
from irfuse.cli import main
from irfuse.errors import DeviceError, IrfuseError, ParameterError, SpecError, WeightsError
from irfuse.fuser import Fuser
from irfuse.methods import build, resnet152
from irfuse.weights import fetch

BODY = bytes(range(256)) * 10_000
OFFICIAL, MSRA = "resnet50-0676ba61.pth", "resnet50_msra_bgr255.safetensors"


class Server(ThreadingHTTPServer):
    """Answers every request with `status`, `headers` and `body`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = BODY
        self.headers = {"Content-Length": str(len(BODY))}
        self.status = 200
        self.asked: list[str] = []

    def handle_error(self, *_: object) -> None:
        """Ignore clients that leave early."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/models/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> fetch.BackboneFile:
    """The file that can be fetched, on a machine without weights, with a manifest whose files contain `BODY`."""
    for name in ("IRFUSE_WEIGHTS", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # Both variables are set, so that not even broken code touches the real cache.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    digest = hashlib.sha256(BODY).hexdigest()
    files = [replace(file, sha256=digest[: len(file.sha256)]) for file in fetch.backbone_files()]
    monkeypatch.setattr(fetch, "backbone_files", lambda: tuple(files))
    return files[0]


@pytest.fixture
def official(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, to which the URLs in the manifest point."""
    files = tuple(replace(file, url=file.url and f"{server.url}{file.file}") for file in fetch.backbone_files())
    monkeypatch.setattr(fetch, "backbone_files", lambda: files)
    return server


@pytest.fixture
def supplied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "supplied"
    folder.mkdir()
    monkeypatch.setenv("IRFUSE_WEIGHTS", str(folder))
    return folder


def left_in_the_cache() -> list[Path]:
    return list(fetch.cache_folder().iterdir())


def test_good_transfer(server: Server) -> None:
    steps: list[tuple[int, int, str]] = []
    found = fetch.fetch("resnet50", base=server.url, on_step=lambda *step: steps.append(step))
    assert found.path == fetch.cache_folder() / OFFICIAL
    assert found.path.read_bytes() == BODY
    assert server.asked == [f"/models/{OFFICIAL}"]
    assert steps == [(1, 3, OFFICIAL), (2, 3, OFFICIAL), (3, 3, OFFICIAL)]
    assert left_in_the_cache() == [found.path]


def test_present_files_are_not_fetched_again(server: Server) -> None:
    first = fetch.fetch("resnet50", base=server.url)
    assert fetch.fetch("resnet50", base=server.url) == first == fetch.find("resnet50")
    assert len(server.asked) == 1


def test_a_server_that_omits_the_length(server: Server) -> None:
    server.headers = {}
    assert fetch.fetch("resnet50", base=server.url).path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"headers": {"Content-Length": "2560001"}}, "the transfer ended after 2560000 of 2560001 bytes"),
        ({"headers": {"Transfer-Encoding": "chunked"}, "body": b"ff\r\nx"}, "the transfer failed: IncompleteRead"),
        ({"body": BODY[:-1] + b"x"}, r"wrong SHA-256 \w{16}\.\.\., expected \w{8}\.\.\."),
        ({"status": 404}, "the server answers 404 Not Found"),
        ({"status": 503}, "the server answers 503 Service Unavailable"),
    ],
)
def test_bad_transfer_leaves_nothing(server: Server, change: dict[str, object], reason: str) -> None:
    for name, value in change.items():
        setattr(server, name, value)
    with pytest.raises(WeightsError, match=reason) as caught:
        fetch.fetch("resnet152", base=server.url)
    assert left_in_the_cache() == []
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        f"{server.url}resnet152-394f9c45.pth",
        "on a machine with a network, fetch https://download.pytorch.org/models/resnet152-394f9c45.pth",
        "or run `irfuse weights fetch resnet152`, and copy the file here into the folder that IRFUSE_WEIGHTS names",
        "use a smaller backbone, as in `-m resnet152:backbone=resnet50`",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        ("http://127.0.0.1:1", "cannot be fetched: Connection refused"),
        ("nonsense", "cannot be fetched: unknown url type"),
    ],
)
def test_no_network(base: str, reason: str) -> None:
    with pytest.raises(WeightsError, match=reason):
        fetch.fetch("resnet50", base=base)
    assert left_in_the_cache() == []


def test_interruption_leaves_nothing(server: Server, known: fetch.BackboneFile, tmp_path: Path) -> None:
    def stop(done: int, total: int, note: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.download(known, tmp_path / "new", base=server.url, on_step=stop)
    assert list((tmp_path / "new").iterdir()) == []


def test_two_at_once(server: Server) -> None:
    barrier = threading.Barrier(2, timeout=10)

    def meet(done: int, total: int, note: str) -> None:
        if done == 1:
            barrier.wait()

    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: fetch.fetch("resnet50", base=server.url, on_step=meet), range(2)))
    assert len(server.asked) == 2
    assert [found.path.read_bytes() == BODY for found in both] == [True, True]
    assert left_in_the_cache() == [both[0].path]


def test_unwritable_cache(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "file"))
    with pytest.raises(
        WeightsError, match=r"resnet50-0676ba61\.pth cannot be stored: cannot create the folder .*TORCH_HOME"
    ):
        fetch.fetch("resnet50", base=server.url)


def test_full_disk(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WeightsError, match=r"cannot be stored: cannot write .* No space left"):
        fetch.fetch("resnet50", base=server.url)
    assert left_in_the_cache() == []


def test_supplied_files_come_first(server: Server, supplied: Path) -> None:
    cached = fetch.fetch("resnet50", base=server.url)
    assert (cached.file.layout, cached.path.parent) == ("torchvision", fetch.cache_folder())
    (supplied / MSRA).write_bytes(BODY)
    found = fetch.fetch("resnet50", base=server.url)
    assert (found.file.layout, found.path) == ("msra", supplied / MSRA)
    (supplied / OFFICIAL).write_bytes(BODY)
    found = fetch.fetch("resnet50", base=server.url)
    assert (found.file.layout, found.path) == ("torchvision", supplied / OFFICIAL)
    assert len(server.asked) == 1


def test_the_msra_file_is_only_for_resnet50_and_only_supplied(server: Server, supplied: Path) -> None:
    fetch.cache_folder().mkdir(parents=True)
    (fetch.cache_folder() / MSRA).write_bytes(BODY)
    assert fetch.places("resnet50") == []
    (supplied / MSRA).write_bytes(BODY)
    assert fetch.fetch("resnet152", base=server.url).path.parent == fetch.cache_folder()


def test_damaged_files(supplied: Path) -> None:
    (supplied / MSRA).write_bytes(b"x")
    with pytest.raises(
        WeightsError, match=r"msra_bgr255.*wrong SHA-256 \w{16}\.\.\., expected \w{16}\.\.\.: delete it"
    ):
        fetch.fetch("resnet50")
    (supplied / OFFICIAL).mkdir()
    with pytest.raises(WeightsError, match=r"0676ba61\.pth: cannot be read: Is a directory"):
        fetch.find("resnet50")


def test_missing_files(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match=r"is not on this machine: on a machine with a network, fetch http.*smaller"):
        fetch.find("resnet101")
    with pytest.raises(WeightsError, match=r"IRFUSE_WEIGHTS names$"):
        fetch.find("resnet50")
    with pytest.raises(ParameterError, match="'vgg19'; known names: resnet50, resnet101, resnet152"):
        fetch.fetch("vgg19")
    monkeypatch.setenv("IRFUSE_WEIGHTS", "/nowhere")
    with pytest.raises(WeightsError, match="IRFUSE_WEIGHTS names /nowhere, which is not a readable folder"):
        fetch.fetch("resnet50")


@pytest.mark.parametrize("environment", [{"TORCH_HOME": "~/x"}, {"XDG_CACHE_HOME": "/y"}, {}])
def test_the_cache_is_pytorchs(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert fetch.cache_folder() == Path(torch.hub.get_dir()) / "checkpoints"


@pytest.mark.parametrize("make", [build, partial(Fuser, device="cpu")])
def test_a_method_has_its_backbone_fetched(
    make: Callable[..., object], official: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[int, int, str]] = []

    def pretrained(name: str) -> Backbone:
        assert fetch.find(name).file.name == name
        return Backbone(ResNet(18), TORCHVISION, "untrained")

    monkeypatch.setattr(resnet152, "pretrained", pretrained)
    for _ in range(2):
        make("resnet152:backbone=resnet50,norm=l2", on_fetch=lambda *step: steps.append(step))
    assert steps == [(1, 3, OFFICIAL), (2, 3, OFFICIAL), (3, 3, OFFICIAL)]
    make("resnet152")
    assert official.asked == [f"/models/{OFFICIAL}", "/models/resnet152-394f9c45.pth"]
    make("average")
    assert len(official.asked) == 2


@pytest.mark.parametrize(
    ("spec", "device", "error"),
    [
        ("resnet152:norm=l3", "cpu", SpecError),
        ("resnet152:backbone=resnet50,width=2", "cpu", SpecError),
        ("resnet152:backbone=vgg19", "cpu", SpecError),
        ("resnet152", "tpu", DeviceError),
    ],
)
def test_nothing_is_fetched_in_vain(
    spec: str,
    device: str,
    error: type[IrfuseError],
    official: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(error):
        Fuser(spec, device=device)
    pair = [str(path) for path in (samples.pairs()[0].ir, samples.pairs()[0].vis)]
    for arguments in (["fuse", *pair, "-o", "out.png"], ["demo"]):
        monkeypatch.setattr(sys, "argv", ["irfuse", *arguments, "-m", spec, "--device", device])
        with pytest.raises(SystemExit) as left:
            main()
        assert (left.value.code, capsys.readouterr().err.count("\n")) == (2, 1)
    assert official.asked == []


def test_reading(tmp_path: Path) -> None:
    tensors = {"x": torch.ones(2, dtype=torch.float16), "count": torch.tensor(3)}
    torch.save(tensors, tmp_path / "x.pth")
    save_file(tensors, tmp_path / "x.safetensors")
    for file in ("x.pth", "x.safetensors"):
        read = fetch.read(tmp_path / file)
        assert torch.equal(read["x"], torch.ones(2))
        assert (read["x"].dtype, read["count"].dtype) == (torch.float32, torch.int64)


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_files_that_hold_other_objects(tmp_path: Path) -> None:
    torch.save(Evil(tmp_path / "made"), tmp_path / "evil.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "evil.pth").read_bytes()[:100])
    (tmp_path / "cut.safetensors").write_bytes(b"xyz")
    (tmp_path / "empty.pth").touch()
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    torch.save({"epoch": 3, "state_dict": {"x": torch.ones(2)}}, tmp_path / "checkpoint.pth")
    for file in ("list.pth", "checkpoint.pth", "evil.pth", "cut.pth", "cut.safetensors", "empty.pth", "none.pth"):
        with pytest.raises(WeightsError, match=rf"{file}: not a readable weights file: \S") as caught:
            fetch.read(tmp_path / file)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "made").exists()


def test_fetching_needs_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; from irfuse.weights import fetch; fetch.places('resnet50')"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
