"""Compare methods on pairs: fuse, score, test what differs, and report it as tables and figures.

:func:`irfuse.benchmark.run` gives a :class:`Result` with tidy tables.
"""

from irfuse.benchmark.result import Result as Result
from irfuse.benchmark.running import run as run

__all__ = ["Result", "run"]
