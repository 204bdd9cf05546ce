"""The modules that need no PyTorch, and `import irfuse` itself, work without it."""

import subprocess
import sys

import pytest

from irfuse.installation import install

WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; "
MODULES = (
    "irfuse",
    "irfuse.choices",
    "irfuse.cli",
    "irfuse.cli.app",
    "irfuse.installation",
    "irfuse.imaging.color",
    "irfuse.datasets",
    "irfuse.errors",
    "irfuse.io.files",
    "irfuse.io.images",
    "irfuse.imaging.levels",
    "irfuse.imaging.overlay",
    "irfuse.io.thermal.reading",
    "irfuse.io.pairs",
    "irfuse.pipelines.folder",
    "irfuse.registration.each",
    "irfuse.imaging.tiling",
    "irfuse.io.formats",
    "irfuse.notices",
    "irfuse.plugins",
    "irfuse.training.config",
    "irfuse.training.recipes",
    "irfuse.progress",
    "irfuse.deploy.runtime",
    "irfuse.runtime",
    "irfuse.imaging.planes",
    "irfuse.io.tables",
    "irfuse.samples",
    "irfuse.imaging.sheet",
    "irfuse.imaging.sizes",
)


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_modules_import_without_torch() -> None:
    done = python(WITHOUT_TORCH + "; ".join(f"import {module}" for module in MODULES))
    assert done.returncode == 0, done.stderr


def test_import_irfuse_is_light() -> None:
    done = python("import irfuse, sys; print(sorted({'torch', 'numpy', 'cv2'} & sys.modules.keys()))")
    assert done.stdout.strip() == "[]", done.stderr


def test_the_command_starts_light() -> None:
    """Help appears at once only if nothing large is imported for it."""
    done = python("import irfuse.cli.app, sys; print(sorted({'torch', 'numpy', 'cv2'} & sys.modules.keys()))")
    assert done.stdout.strip() == "[]", done.stderr


def test_ctrl_c_is_answered_before_anything_else_is_imported() -> None:
    done = python("import sys; n = len(sys.modules); import irfuse.cli; print(len(sys.modules) - n)")
    # irfuse, irfuse.cli, and Python's own importlib, warnings, signal and enum with what they need.
    assert int(done.stdout) < 20
    assert "typing" not in python("import irfuse.cli, sys; print(*sys.modules)").stdout.split()


@pytest.mark.parametrize("name", ["Model", "Levels", "Percentiles", "IrfuseError", "images", "overlay"])
def test_public_names_without_torch(name: str) -> None:
    done = python(WITHOUT_TORCH + f"import irfuse; print(irfuse.{name}.__name__)")
    # The name of a module has its packages before it.
    assert done.stdout.strip().rpartition(".")[2] == name, done.stderr


@pytest.mark.parametrize("name", ["Evaluator", "Fuser", "evaluate"])
def test_public_names_that_need_torch(name: str) -> None:
    done = python(WITHOUT_TORCH + f"import irfuse; irfuse.{name}")
    assert install("torch") in done.stderr.splitlines()[-1]


def test_python_call_names_the_missing_package() -> None:
    done = python(WITHOUT_TORCH + "import irfuse; irfuse.fuse")
    assert install("torch") in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("methods",),
        ("demo", "-o", "/nowhere"),
        ("export", "res2netfuse", "-o", "/nowhere/x.onnx"),
        ("train", "res2netfuse", "--images", ".", "-o", "x.safetensors"),
    ],
)
def test_command_names_the_missing_package(arguments: tuple[str, ...]) -> None:
    done = python(WITHOUT_TORCH + "import irfuse.cli; irfuse.cli.main()", *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_info_lists_what_works_without_torch() -> None:
    command = "import irfuse.cli; irfuse.cli.main()"
    done = python(WITHOUT_TORCH + command, "info")
    assert done.returncode == 0
    assert f"PyTorch is not installed. The methods need it: {install('torch')}" in done.stdout
    assert "irfuse fuse --model FILE runs an exported model without PyTorch" in done.stdout
    done = python(WITHOUT_TORCH + "sys.modules['onnxruntime'] = None; " + command, "info")
    assert f"after {install('onnx')}" in done.stdout


@pytest.mark.parametrize("package", ["pandas", "matplotlib", "scipy", "jinja2"])
def test_benchmark_names_the_missing_package(package: str) -> None:
    without = f"import sys; sys.modules[{package!r}] = None; "
    done = python(without + "import irfuse; irfuse.benchmark")
    assert f"{package} is not installed: {install('bench')}" in done.stderr.splitlines()[-1]
