"""Compare methods on pairs: fuse, score, test the differences, and report them as tables and figures.

:func:`irfuse.benchmark.run` returns a :class:`Result` with tidy tables, and :func:`irfuse.benchmark.write` writes the
report.
"""

from irfuse.benchmark.pictures import Region as Region
from irfuse.benchmark.report import write as write
from irfuse.benchmark.result import Result as Result
from irfuse.benchmark.running import run as run

__all__ = ["Region", "Result", "run", "write"]
