"""The protocols, one file per toolbox. `PROTOCOLS` lists them."""

from irfuse.choices import hint
from irfuse.errors import ParameterError
from irfuse.metrics.protocols.ataman import ATAMAN
from irfuse.metrics.protocols.base import Protocol
from irfuse.metrics.protocols.canonical import CANONICAL
from irfuse.metrics.protocols.cddfuse import CDDFUSE
from irfuse.metrics.protocols.li import LI
from irfuse.metrics.protocols.liu import LIU
from irfuse.metrics.protocols.tang import TANG, TANG_TABLES
from irfuse.metrics.protocols.vifb import VIFB

PROTOCOLS: tuple[Protocol, ...] = (CANONICAL, VIFB, LI, LIU, ATAMAN, TANG, TANG_TABLES, CDDFUSE)


def find(name: str) -> Protocol:
    """Find a protocol by its name.

    Raises:
        ParameterError: there is no such protocol. The message lists the names.

    >>> find("li").readings["mi"].note
    'twice the entropy of the fused image: its joint entropy saturates to zero'
    """
    for protocol in PROTOCOLS:
        if protocol.name == name:
            return protocol
    names = [protocol.name for protocol in PROTOCOLS]
    raise ParameterError(f"unknown protocol {name!r}{hint(name, names)} (protocols: {', '.join(names)})")
