"""Sharing: what several metrics need of one image is computed once.

Inside :func:`sharing`, a function decorated with :func:`shared` remembers its results for the same tensors (the same
objects, not equal ones) and the same other arguments. Outside it computes each time, so that a caller may change a
tensor in place or compute gradients.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar, TypeVarTuple

import torch
from torch import Tensor

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class Memory:
    """Results of shared functions: those that depend only on `lasting` tensors, and those that may be dropped."""

    def __init__(self, *lasting: Tensor) -> None:
        # The tensors are held so that their ids remain theirs.
        self._lasting = {id(tensor): tensor for tensor in lasting}
        self._results: dict[tuple[Any, ...], Any] = {}
        self._passing: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def recall(self, function: Callable[[*Arguments], Result], arguments: tuple[*Arguments]) -> Result:
        """Return the result of a call, computed at most once."""
        tensors = _tensors(arguments)
        key = (function, *(id(argument) if isinstance(argument, Tensor) else argument for argument in arguments))
        if all(id(tensor) in self._lasting for tensor in tensors):
            if key not in self._results:
                self._results[key] = function(*arguments)
                self._lasting.update((id(tensor), tensor) for tensor in _tensors(self._results[key]))
            return self._results[key]  # type: ignore[no-any-return]
        found = self._passing.get(key)
        if found is None:
            found = self._passing[key] = arguments, function(*arguments)
        return found[1]

    def forget(self) -> None:
        """Drop the results that depend on tensors other than the lasting ones."""
        self._passing.clear()


_memory: ContextVar[Memory | None] = ContextVar("memory", default=None)


@contextmanager
def sharing(memory: Memory) -> Iterator[None]:
    """Let shared functions use a memory in this thread until the block ends."""
    token = _memory.set(memory)
    try:
        yield
    finally:
        _memory.reset(token)


def shared(function: Callable[[*Arguments], Result]) -> Callable[[*Arguments], Result]:
    """Decorate a function of tensors and hashable values that returns a tensor or a tuple of tensors.

    Callers must not change its result in place.

    >>> @shared
    ... def double(images: Tensor) -> Tensor:
    ...     print("computed")
    ...     return images * 2
    >>> image = torch.ones(1)
    >>> with sharing(Memory()):
    ...     double(image) + double(image)
    computed
    tensor([4.])
    """

    @wraps(function)
    def recalled(*arguments: *Arguments) -> Result:
        # A compiler cannot read a context variable, and needs no memory: it sees what is computed twice.
        memory = None if torch.compiler.is_compiling() else _memory.get()
        return function(*arguments) if memory is None else memory.recall(function, arguments)

    return recalled


def _tensors(values: Any) -> list[Tensor]:
    if isinstance(values, Tensor):
        return [values]
    return [tensor for value in values for tensor in _tensors(value)] if isinstance(values, tuple) else []
