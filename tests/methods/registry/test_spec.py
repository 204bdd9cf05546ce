"""Specs and parameters convert between text and methods."""

import pytest

from irfuse.errors import SpecError
from irfuse.methods import METHODS, Spec, find, parameters, shortest, values
from irfuse.methods.base import File


@pytest.mark.parametrize(
    ("text", "place", "given"),
    [
        ("my.py:MyMethod", ("my.py", "MyMethod"), ()),
        ("models/my.py:MyMethod:radius=3,mode=a", ("models/my.py", "MyMethod"), (("radius", "3"), ("mode", "a"))),
        ("my.py:MyMethod:", ("my.py", "MyMethod"), ()),
        (r"C:\models\my.py:MyMethod:radius=3", (r"C:\models\my.py", "MyMethod"), (("radius", "3"),)),
        ("C:/my.py:MyMethod", ("C:/my.py", "MyMethod"), ()),
        ("my.py:MyMethod:weights=C:/w.safetensors", ("my.py", "MyMethod"), (("weights", "C:/w.safetensors"),)),
        ("res2netfuse:weights=my.py", None, (("weights", "my.py"),)),
        ("res2netfuse:weights=dir.py:x/w.safetensors", None, (("weights", "dir.py:x/w.safetensors"),)),
        ("average", None, ()),
    ],
)
def test_files_and_names(text: str, place: tuple[str, str] | None, given: tuple[tuple[str, str], ...]) -> None:
    spec = Spec.parse(text)
    assert (spec.place, spec.parameters) == (place, given)
    assert Spec.parse(str(spec)) == spec


@pytest.mark.parametrize("text", ["my.py", "my.py:", "my.py: :radius=3"])
def test_a_file_without_a_class(text: str) -> None:
    with pytest.raises(SpecError, match=r"names no class; write my\.py:CLASS"):
        Spec.parse(text)


def test_types_tell_which_parameters_name_files() -> None:
    """The name of a parameter does not matter."""
    files = {
        (method.info.name, parameter.name): parameter.file
        for method in METHODS
        for parameter in parameters(method).values()
        if parameter.file is not None
    }
    assert files == {
        ("ember", "weights"): File.WEIGHTS,
        ("res2netfuse", "weights"): File.WEIGHTS,
        ("encoder-decoder", "weights"): File.WEIGHTS,
        ("attention-ensemble", "weights"): File.WEIGHTS,
        ("resnet152", "backbone"): File.BACKBONE,
    }
    assert parameters(find("resnet152"))["backbone"].choices == ("resnet152", "resnet101", "resnet50")
    assert values("resnet152:backbone=resnet50", File.BACKBONE) == ["resnet50"]
    assert values("resnet152", File.WEIGHTS) == []


def test_shortest() -> None:
    assert shortest("res2netfuse:strategy=l1-norm,weights=single-v1") == "res2netfuse"
    assert shortest("resnet152:backbone=resnet152,norm=l2") == "resnet152:norm=l2"
