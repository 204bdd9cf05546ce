"""What must not happen when many pairs are fused: a result that replaces an input or another result."""

import os
from collections.abc import Sequence
from pathlib import Path

from irfuse.errors import OutputError
from irfuse.io.pair import Pair

_LONGEST_NAME = 255
"""The most bytes of a file's name in all usual file systems."""


class Checks:
    """The checks of a run's pairs: all at once, or one by one.

    Args:
        output: the folder of the results.
        extension: the ending of their names.
        temperatures: the folder of the temperatures, if they are written.

    Attributes:
        targets: the real paths of the results of the pairs that :meth:`problem` accepted.
    """

    def __init__(self, output: Path, extension: str, temperatures: Path | None) -> None:
        self._output, self._extension, self._temperatures = output, extension, temperatures
        self._names: set[str] = set()
        self._inputs: set[str] = set()
        self.targets: set[str] = set()

    def target(self, pair: Pair) -> Path:
        """Return the file of a pair's result."""
        return self._output / (pair.name + self._extension)

    def temperature(self, pair: Pair) -> Path | None:
        """Return the file of a pair's temperatures; None if they are not written."""
        return None if self._temperatures is None else self._temperatures / f"{pair.name}.tiff"

    def _written(self, pair: Pair) -> list[Path]:
        return [path for path in (self.target(pair), self.temperature(pair)) if path is not None]

    def check_all(self, pairs: Sequence[Pair]) -> None:
        """Raise an OutputError if a result would replace an input of any pair, or the result of another pair."""
        inputs = {os.path.realpath(path) for pair in pairs for path in (pair.ir, pair.vis)}
        written = [(pair, target) for pair in pairs for target in self._written(pair)]
        owners: dict[str, Pair] = {}
        for pair, target in written:
            real = os.path.realpath(target)
            if real in inputs:
                raise OutputError(f"{target} would replace an input; choose another output folder")
            if owners.get(real) is pair:
                raise OutputError(f"{target} would be both a fused image and temperatures; choose another folder")
            if real in owners:
                raise OutputError(f"{owners[real].vis} and {pair.vis} would both be fused into {target}; rename one")
            owners[real] = pair

    def too_long(self, pair: Pair) -> str | None:
        """Say that the name of a pair's result is too long for a file; None if it is not."""
        size = len(os.fsencode(self.target(pair).name))
        if size <= _LONGEST_NAME:
            return None
        return (
            f"the name of its result has {size} bytes, and a file allows {_LONGEST_NAME}; give the pair a shorter name "
            "in a CSV file"
        )

    def problem(self, pair: Pair) -> str | None:
        """Say why a pair must not be fused after those that were accepted; None if it may, and then accept it."""
        targets = self._written(pair)
        inputs = {os.path.realpath(path) for path in (pair.ir, pair.vis)}
        self._inputs |= inputs
        if pair.name in self._names:
            return f"an earlier pair has the name {pair.name!r}, too"
        if inputs & self.targets:
            return "an input is the result of an earlier pair; choose another output folder"
        for target in targets:
            if os.path.realpath(target) in self._inputs:
                return f"{target} would replace an input; choose another output folder"
        self._names.add(pair.name)
        self.targets |= {os.path.realpath(target) for target in targets}
        return None
