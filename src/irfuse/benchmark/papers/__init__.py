"""The papers whose tables can be run, one file each. `PAPERS` lists them.

``papers.csv`` contains every number of their tables: method, table, data, row, metric, value.
"""

from irfuse.benchmark.papers.attention_ensemble import ATTENTION_ENSEMBLE
from irfuse.benchmark.papers.base import Paper
from irfuse.benchmark.papers.encoder_decoder import ENCODER_DECODER
from irfuse.benchmark.papers.nst import NST
from irfuse.benchmark.papers.res2netfuse import RES2NETFUSE
from irfuse.benchmark.papers.resnet152 import RESNET152
from irfuse.errors import ParameterError

PAPERS: tuple[Paper, ...] = (NST, ENCODER_DECODER, RESNET152, ATTENTION_ENSEMBLE, RES2NETFUSE)


def find(method: str) -> Paper:
    """Find the paper of a method.

    Raises:
        ParameterError: there is none. The message lists the names.

    >>> find("nst").tables[0].size
    (256, 256)
    """
    for paper in PAPERS:
        if paper.method == method:
            return paper
    raise ParameterError(f"no paper of {method!r} can be run; choose one of {', '.join(p.method for p in PAPERS)}")
