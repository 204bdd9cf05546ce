"""Specs: a method and its parameters as one line of text."""

import re
from dataclasses import dataclass

from irfuse.errors import SpecError

# A drive letter is the only place where a path may hold a colon.
_FILE = re.compile(r"(?P<file>(?:[A-Za-z]:(?=[\\/]))?[^:]*\.py)(?::(?P<class>[^:]*))?(?::(?P<rest>.*))?", re.DOTALL)


@dataclass(frozen=True)
class Spec:
    """A method and its parameters as text.

    A spec has the form ``name:parameter=value,parameter=value``. The parameters may be left out. Instead of a name, a
    class in a Python file may be given, as in ``my.py:MyMethod`` or ``my.py:MyMethod:parameter=value``.

    Attributes:
        name: the name of the method, or ``FILE.py:CLASS``.
        parameters: the names and values that the text gives.

    >>> str(Spec.parse("res2netfuse:strategy=mean,weights=many"))
    'res2netfuse:strategy=mean,weights=many'
    >>> Spec.parse("my.py:MyMethod:radius=3")
    Spec(name='my.py:MyMethod', parameters=(('radius', '3'),))
    """

    name: str
    parameters: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Spec":
        """Read a spec. Whether the method exists is not checked.

        Raises:
            SpecError: a parameter has no value or is given twice, or a file is given without a class.
        """
        text = text.strip()
        in_file = _FILE.fullmatch(text)
        if in_file is None:
            name, _, rest = text.partition(":")
        else:
            if not (in_file["class"] or "").strip():
                raise SpecError(f"{text!r} names no class; write {in_file['file']}:CLASS")
            name, rest = f"{in_file['file']}:{in_file['class'].strip()}", in_file["rest"] or ""
        parameters: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in rest.split(","))):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not (key and equals and value):
                raise SpecError(f"{text!r}: {part!r} is not of the form parameter=value")
            if key in parameters:
                raise SpecError(f"{text!r}: {key} is given twice")
            parameters[key] = value
        return cls(name.strip(), tuple(parameters.items()))

    @property
    def place(self) -> tuple[str, str] | None:
        """The file and the class that the spec names; None for the name of a method.

        >>> Spec.parse("my.py:MyMethod").place, Spec.parse("average").place
        (('my.py', 'MyMethod'), None)
        """
        in_file = _FILE.fullmatch(self.name)
        return None if in_file is None else (in_file["file"], in_file["class"])

    def __str__(self) -> str:
        return self.name + ":" * bool(self.parameters) + ",".join(f"{key}={value}" for key, value in self.parameters)
