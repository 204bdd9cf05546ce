"""Pairs that ship with irfuse, for the demo, the tests and first steps.

The three gray pairs are from the TNO Image Fusion Dataset (A. Toet, figshare, 2014, doi:10.6084/m9.figshare.1008029),
free for research with that citation. The two color pairs are from MSRS (L. Tang and others, 2022), under the MIT
license. ``README.md`` in this package has the full citations.
"""

from pathlib import Path

from irfuse.io.pairs import Pair, find

FOLDER = Path(__file__).parent


def pairs() -> tuple[Pair, ...]:
    """Find the sample pairs: two in color, three in gray.

    >>> [pair.name for pair in pairs()]
    ['msrs_00633D', 'msrs_00881N', 'tno_01', 'tno_12', 'tno_16']
    """
    return find(FOLDER).pairs
