"""Methods of other packages: entry points of the group ``irfuse.methods``, see :mod:`irfuse.plugins`.

The name of the entry point must be that of the method's `info`.
"""

from dataclasses import dataclass
from functools import cache
from threading import Lock

from irfuse.errors import ParameterError
from irfuse.methods.base import Method
from irfuse.methods.registry.parameters import check_class
from irfuse.plugins import Plugin, find_plugins, leave_out

GROUP = "irfuse.methods"
_LOADING = Lock()


@dataclass(frozen=True)
class MethodPlugin:
    """A method of another package.

    Attributes:
        method: the method's class.
        distribution: the name and the version of the package.
    """

    method: type[Method]
    distribution: str


def method_plugins(taken: tuple[str, ...]) -> tuple[MethodPlugin, ...]:
    """Load the methods that other packages provide, once in the life of a process.

    Args:
        taken: the names that no plugin may have.

    Warns:
        PluginWarning: a method cannot be used, and is left out.
    """
    with _LOADING:
        return _loaded(taken)


@cache
def _loaded(taken: tuple[str, ...]) -> tuple[MethodPlugin, ...]:
    found = []
    for plugin in find_plugins(GROUP, taken):
        try:
            found.append(MethodPlugin(_load(plugin), plugin.distribution))
        except ParameterError as error:
            leave_out(plugin, error)
    return tuple(found)


def _load(plugin: Plugin) -> type[Method]:
    method = plugin.load(Method)
    check_class(method)
    if method.info.name != plugin.name:
        raise ParameterError(
            f"its entry point is named {plugin.name!r} and its info {method.info.name!r}; give both the same name"
        )
    return method
