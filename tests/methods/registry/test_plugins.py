"""Methods that other packages provide as entry points."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from irfuse.errors import PluginWarning, SpecError
from irfuse.methods import METHODS, available, build, code_digest, find
from irfuse.methods.registry.plugins import _loaded
from tests.conftest import Run

MODULE = """
import torch
from irfuse.methods.base import Method, MethodInfo

class Theirs(Method):
    info = MethodInfo(name="theirs", title="The method of another package", tiling="halo")

    def __init__(self, *, share: float = 0.5) -> None:
        super().__init__()
        self.share = share

    def forward(self, ir, vis, statistics=None):
        return torch.lerp(ir, vis, self.share)

class Average(Theirs):
    info = MethodInfo(name="average", title="A name that is taken")

class Bare(Method):
    pass
"""

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package with a module and entry points, as pip does."""

    def install(distribution: str, module: str, text: str, **entries: str) -> Path:
        site = tmp_path / "site"
        info = site / f"{distribution}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        lines = [f"{name} = {value}" for name, value in entries.items()]
        (info / "entry_points.txt").write_text("\n".join(["[irfuse.methods]", *lines]) + "\n")
        (site / f"{module}.py").write_text(text)
        if str(site) not in sys.path:
            monkeypatch.syspath_prepend(str(site))
        _loaded.cache_clear()
        return site

    yield install
    _loaded.cache_clear()
    for name in ("their_module", "their_broken_module"):
        sys.modules.pop(name, None)


def test_a_method_of_a_package(install: Install) -> None:
    site = install("their-package", "their_module", MODULE, theirs="their_module:Theirs")
    assert "their_module" not in sys.modules
    assert build("average").info.name == "average"
    assert "their_module" not in sys.modules
    method = build("theirs:share=0.25")
    assert (method.info.title, method.share) == ("The method of another package", 0.25)
    assert available() == (*METHODS, find("theirs"))
    digest = code_digest(find("theirs"))
    assert digest.endswith(" their-package 1.2")
    _loaded.cache_clear()
    del sys.modules["their_module"]
    (site / "their_module.py").write_text(f"{MODULE}# changed\n")
    assert code_digest(find("theirs")) != digest
    with pytest.raises(SpecError, match="unknown method 'their'; did you mean 'theirs'"):
        build("their")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("their_module:Missing", "AttributeError: module 'their_module' has no attribute 'Missing'"),
        ("their_nowhere:Theirs", "ModuleNotFoundError: No module named 'their_nowhere'"),
        ("their_broken_module:Theirs", "ZeroDivisionError: division by zero"),
        ("their_module:Bare", "Bare has no info; set info = MethodInfo"),
        ("their_module:torch", "their_module:torch is not a subclass of irfuse.methods.base.Method"),
        ("their_module:Average", "its entry point is named 'broken' and its info 'average'; give both the same name"),
    ],
)
def test_a_broken_method_is_left_out(install: Install, entry: str, reason: str) -> None:
    site = install("their-package", "their_module", MODULE, theirs="their_module:Theirs", broken=entry)
    (site / "their_broken_module.py").write_text("1 / 0\n")
    with pytest.warns(PluginWarning) as said:
        assert [method.info.name for method in available()[len(METHODS) :]] == ["theirs"]
    (message,) = (str(warning.message) for warning in said)
    assert message.startswith("their-package 1.2: the method 'broken' is left out: ")
    assert reason in message
    assert "\n" not in message
    # There is only one warning.
    assert build("theirs").info.name == "theirs"


def test_names_that_are_taken(install: Install) -> None:
    install("a-package", "their_module", MODULE, theirs="their_module:Theirs", average="their_module:Average")
    install("b-package", "their_module", MODULE, theirs="their_module:Theirs")
    with pytest.warns(PluginWarning) as said:
        assert len(available()) == len(METHODS) + 1
    assert [str(warning.message) for warning in said] == [
        "a-package 1.2: the method 'average' is left out: there is another method of that name",
        "b-package 1.2: the method 'theirs' is left out: there is another method of that name",
    ]
    assert find("average") in METHODS


def test_commands(install: Install, run: Run, tmp_path: Path) -> None:
    install("their-package", "their_module", MODULE, theirs="their_module:Theirs", broken="their_nowhere:X")
    status, printed, said = run("methods")
    assert status == 0
    assert "theirs" in printed
    assert "share=0.5" in printed
    assert said.splitlines() == [
        "warning: their-package 1.2: the method 'broken' is left out: ModuleNotFoundError: No module named "
        "'their_nowhere'"
    ]
    status, printed, said = run("info", "--device", "cpu")
    assert (status, said) == (0, "")
    assert "\ntheirs " in printed


def test_in_a_process_of_its_own(install: Install, tmp_path: Path) -> None:
    site = install("their-package", "their_module", MODULE, theirs="their_module:Theirs", broken="their_nowhere:X")
    code = f"import sys; sys.path.insert(0, {str(site)!r}); from irfuse.cli import main; main()"

    def irfuse(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)

    done = irfuse("demo", "-o", str(tmp_path / "out"), "-m", "theirs:share=1")
    assert done.returncode == 0
    assert done.stdout.startswith("5 fused")
    assert done.stderr.splitlines() == [
        "warning: their-package 1.2: the method 'broken' is left out: ModuleNotFoundError: No module named "
        "'their_nowhere'",
        "engine: torch, fp32: it has no network",
    ]
    # Methods that ship are found without looking at other packages.
    done = irfuse("demo", "-o", str(tmp_path / "out"), "-m", "average")
    assert (done.returncode, "warning" in done.stderr) == (0, False)
