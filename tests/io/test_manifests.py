from pathlib import Path

import pytest

from irfuse.errors import PairError
from irfuse.io import manifests
from irfuse.io.pairs import Pair, find

FORMS = {
    "commas": b"ir,vis\nd/ir/1.png,d/vis/1.png\n",
    "spaces": b"ir, vis\nd/ir/1.png, d/vis/1.png\n",
    "semicolons": b"ir;vis\nd/ir/1.png;d/vis/1.png\n",
    "tabs": b"ir\tvis\nd/ir/1.png\td/vis/1.png\n",
    "quotes": b'"ir";"vis"\r\n"d/ir/1.png";"d/vis/1.png"\r\n',
    "capitals": b"IR,VIS\nd/ir/1.png,d/vis/1.png\n",
    "other words": b"Thermal,RGB\nd/ir/1.png,d/vis/1.png\n",
    "longer names": b"visible_path,infrared_path\nd/vis/1.png,d/ir/1.png\n",
    "different names": b"IR image;Visible\nd/ir/1.png;d/vis/1.png\n",
    "times": b"ir_file,ir_time,rgb_file\nd/ir/1.png,12:00,d/vis/1.png\n",
    "more columns": b"id,ir,time,vis\n7,d/ir/1.png,12:00,d/vis/1.png\n",
    "backslashes": b"ir,vis\nd\\ir\\1.png,d\\vis\\1.png\n",
    "Excel": b"\xef\xbb\xbfsep=;\r\nIR;VIS\r\nd\\ir\\1.png;d\\vis\\1.png\r\n",
    "Unicode text of Excel": "ir\tvis\r\nd/ir/1.png\td/vis/1.png\r\n".encode("utf-16"),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(FORMS[form])
    for file in ("d/ir/1.png", "d/vis/1.png"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    assert manifests.read(path).pairs == (Pair("1", tmp_path / "d/ir/1.png", tmp_path / "d/vis/1.png"),)
    assert find(path.rename(tmp_path / "pairs.TSV")).pairs == manifests.read(tmp_path / "pairs.TSV").pairs


def test_backslashes_in_names_and_names_with_semicolons(tmp_path: Path) -> None:
    (tmp_path / "a\\1.png").touch()
    path = tmp_path / "pairs.csv"
    path.write_text('NAME,ir,vis\nfirst,a\\1.png,"b;c\\2.png"\n')
    assert manifests.read(path).pairs == (Pair("first", tmp_path / "a\\1.png", tmp_path / "b;c/2.png"),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"ir;thermal;rgb\n1;2;3\n", "must name the columns ir and vis.* it names ir, thermal, rgb"),
        (b"a,b\n1,2\n", "separated by commas, semicolons or tabs; it names a, b"),
        (b"sep=;\nir;vis\n1.png;\n", "line 3: ir or vis is empty"),
        (b"ir;vis\na\\1.png;b\\..\n", r"line 2: '\.\.' is not a plain"),
        ("ir,vis\nä.png,b.png\n".encode("latin-1"), "save it as CSV in UTF-8"),
    ],
)
def test_refused(text: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(text)
    with pytest.raises(PairError, match=reason):
        manifests.read(path)
