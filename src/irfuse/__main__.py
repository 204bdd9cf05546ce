"""``python -m irfuse`` is the command `irfuse`."""

from irfuse.cli import main

main()
