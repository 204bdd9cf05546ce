"""Compare methods on pairs: fuse, score, test what differs, and report it as tables and figures.

:func:`irfuse.benchmark.run` gives a :class:`Result` with tidy tables, :func:`irfuse.benchmark.write` the report.
"""

from irfuse.benchmark.figures import Region as Region
from irfuse.benchmark.report import write as write
from irfuse.benchmark.result import Result as Result
from irfuse.benchmark.running import run as run

__all__ = ["Region", "Result", "run", "write"]
