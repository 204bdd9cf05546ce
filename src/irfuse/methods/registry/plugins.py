"""Methods that other packages bring along, as entry points of the group ``irfuse.methods``.

A package declares its methods in its ``pyproject.toml``::

    [project.entry-points."irfuse.methods"]
    my-method = "my_package.my_module:MyMethod"

The name must be that of the method's `info`.
"""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from irfuse import notices
from irfuse.errors import ParameterError, PluginWarning
from irfuse.methods.base import Method
from irfuse.methods.registry.parameters import check_class

GROUP = "irfuse.methods"


@dataclass(frozen=True)
class Plugin:
    """A method of another package.

    Attributes:
        method: the method's class.
        distribution: the name and the version of the package.
    """

    method: type[Method]
    distribution: str


@cache
def plugins(taken: tuple[str, ...]) -> tuple[Plugin, ...]:
    """Load the methods that other packages bring along.

    A method that cannot be used is left out, and a :class:`PluginWarning` says why. The packages are searched once in
    the life of a process.

    Args:
        taken: the names that no plugin may have.
    """
    found: dict[str, Plugin] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, _distribution(entry))):
        try:
            found[entry.name] = Plugin(_load(entry, (*taken, *found)), _distribution(entry))
        # Another package's code may fail in any way, and must not keep irfuse's own methods from working.
        except (Exception, SystemExit) as error:
            reason = str(error) if isinstance(error, ParameterError) else f"{type(error).__name__}: {error}"
            what = f"{_distribution(entry)}: the method {entry.name!r} is left out"
            notices.warn(PluginWarning(f"{what}: {' '.join(reason.split())}"))
    return tuple(found.values())


def _load(entry: EntryPoint, taken: tuple[str, ...]) -> type[Method]:
    if entry.name in taken:
        raise ParameterError("there is another method of that name")
    method = entry.load()
    if not (isinstance(method, type) and issubclass(method, Method)):
        raise ParameterError(f"{entry.value} is not a subclass of irfuse.methods.base.Method")
    check_class(method)
    if method.info.name != entry.name:
        raise ParameterError(f"its info says name={method.info.name!r}; both must have one name")
    return method


def _distribution(entry: EntryPoint) -> str:
    return "an unnamed package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
