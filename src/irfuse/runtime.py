"""``irfuse.runtime``: the short name of :mod:`irfuse.deploy.runtime`."""

from irfuse.deploy.runtime import Model as Model

__all__ = ["Model"]
