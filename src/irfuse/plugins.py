"""Plugins: the methods and recipes of other packages, which declare them as entry points.

A package declares a class in its ``pyproject.toml``, for the group ``irfuse.methods`` or ``irfuse.recipes``::

    [project.entry-points."irfuse.methods"]
    my-method = "my_package.my_module:MyMethod"
"""

from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from irfuse import notices
from irfuse.errors import ParameterError, PluginWarning

Class = TypeVar("Class")


@dataclass(frozen=True)
class Plugin:
    """A class of another package, which has not been imported.

    Attributes:
        name: the name of the entry point.
        point: the entry point.
        distribution: the name and the version of the package.
    """

    name: str
    point: EntryPoint
    distribution: str

    @property
    def kind(self) -> str:
        """What it is: a method or a recipe."""
        return self.point.group.removeprefix("irfuse.").removesuffix("s")

    def load(self, base: type[Class]) -> type[Class]:
        """Import the class.

        Args:
            base: what it must be a subclass of.

        Raises:
            ParameterError: it cannot be imported, or it is not such a class; the error gives the reason.
        """
        try:
            found = self.point.load()
        # Another package's code may fail in any way, and must not keep irfuse's own from working.
        except (Exception, SystemExit) as error:
            raise ParameterError(" ".join(f"{type(error).__name__}: {error}".split())) from error
        if not (isinstance(found, type) and issubclass(found, base)):
            raise ParameterError(f"{self.point.value} is not a subclass of {base.__module__}.{base.__qualname__}")
        return found


def find_plugins(group: str, taken: Collection[str]) -> tuple[Plugin, ...]:
    """Find the plugins of a group. One whose name is taken is left out with a warning.

    Args:
        group: the group of entry points.
        taken: names that no plugin may have.

    Warns:
        PluginWarning: two plugins have one name, or a name is taken.
    """
    found: dict[str, Plugin] = {}
    every = [_plugin(point) for point in entry_points(group=group)]
    for plugin in sorted(every, key=lambda plugin: (plugin.name, plugin.distribution)):
        if plugin.name in taken or plugin.name in found:
            leave_out(plugin, f"there is another {plugin.kind} of that name")
        else:
            found[plugin.name] = plugin
    return tuple(found.values())


def leave_out(plugin: Plugin, reason: object) -> None:
    """Warn that a plugin cannot be used."""
    notices.warn(PluginWarning(f"{plugin.distribution}: the {plugin.kind} {plugin.name!r} is left out: {reason}"))


def _plugin(point: EntryPoint) -> Plugin:
    distribution = "an unnamed package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    return Plugin(point.name, point, distribution)
