"""Methods in Python files of the user's own, as a spec such as ``my.py:MyMethod`` names them."""

import hashlib
import sys
import traceback
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType

from irfuse.errors import ParameterError, SpecError
from irfuse.methods.base import Method
from irfuse.methods.registry.parameters import check_class

_LOADING = Lock()


def from_file(file: str, name: str) -> type[Method]:
    """Load a class from a Python file.

    The file is run once; when its content has changed, it is run again. It can import what is installed. It cannot
    import a file beside it.

    Args:
        file: the path of the file.
        name: the name of the class.

    Raises:
        SpecError: the file is missing or cannot be run, or it has no such class, or the class is not a method.
    """
    path = Path(file).expanduser()
    try:
        source = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{file}: the file cannot be read: {error.strerror or error}") from error
    found = getattr(_module(path.resolve(), source), name, None)
    if found is None:
        raise SpecError(f"{file}: there is no class {name!r} in this file")
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise SpecError(f"{file}: {name} is not a subclass of irfuse.methods.base.Method")
    try:
        check_class(found)
    except ParameterError as error:
        raise SpecError(f"{file}: {error}") from error
    return found


def _module(path: Path, source: bytes) -> ModuleType:
    """Run a file, once for each content, also if several threads ask for it."""
    with _LOADING:
        return _run(path, source)


@cache
def _run(path: Path, source: bytes) -> ModuleType:
    # The content is compiled here, so that no outdated bytecode is used.
    name = f"irfuse_file_{hashlib.sha256(str(path).encode() + source).hexdigest()[:16]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    # Dataclasses and pickle look up the module of a class here.
    sys.modules[name] = module
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        said = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
        raise SpecError(f"{path}, line {_line(error, path)}: {type(error).__name__}: {said}") from error
    return module


def _line(error: BaseException, path: Path) -> int:
    """The line of a file at which running it failed."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 1
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno or 1 for frame in reversed(frames) if frame.filename == str(path)), 1)
