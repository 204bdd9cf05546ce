from pathlib import Path

import pytest

from irfuse.errors import PairError
from irfuse.io import pairs


def folders(root: Path, ir: list[str], vis: list[str]) -> tuple[Path, Path]:
    for name, files in (("ir", ir), ("vis", vis)):
        (root / name).mkdir()
        for file in files:
            (root / name / file).touch()
    return root / "ir", root / "vis"


@pytest.mark.parametrize(
    ("ir", "vis", "name"),
    [
        ("1.png", "1.jpg", "1"),
        ("scene_ir.png", "scene_vis.png", "scene_vis"),
        ("scene-IR.png", "scene-VIS.png", "scene-VIS"),
        ("IR12.png", "VIS12.png", "VIS12"),
        ("ir_a.png", "vi_a.png", "vi_a"),
        ("thermal-7.tiff", "rgb-7.jpg", "rgb-7"),
        ("x_infrared.png", "x_visible.png", "x_visible"),
        ("12ir.png", "12vis.png", "12vis"),
        ("sceneIR.png", "sceneVIS.png", "sceneVIS"),
        ("IRscene.png", "VISscene.png", "VISscene"),
        ("a_ir_1.png", "a_vis_1.png", "a_vis_1"),
        ("ir.png", "vis.png", "vis"),
        ("a_ir.png", "a.png", "a"),
        ("iris.png", "iris.png", "iris"),
        ("FLIR_00006.jpg", "FLIR_00006.jpg", "FLIR_00006"),
    ],
)
def test_partners(ir: str, vis: str, name: str, tmp_path: Path) -> None:
    pairing = pairs.match(*folders(tmp_path, [ir], [vis]))
    assert pairing.pairs == (pairs.Pair(name, tmp_path / "ir" / ir, tmp_path / "vis" / vis),)
    assert pairing.unpaired == ()


def test_files_without_a_partner_are_listed(tmp_path: Path) -> None:
    ir, vis = folders(
        tmp_path, ["1.png", "2.png", "iris.png", "notes.txt", ".hidden.png"], ["1.png", "3.png", "vista.png"]
    )
    pairing = pairs.match(ir, vis)
    assert [pair.name for pair in pairing.pairs] == ["1"]
    assert [path.name for path in pairing.unpaired] == ["2.png", "iris.png", "3.png", "vista.png"]


def test_ambiguous_names_are_not_guessed(tmp_path: Path) -> None:
    ir, vis = folders(tmp_path, ["a_ir.png", "ir_a.png", "b.png"], ["a_vis.png", "b.png"])
    pairing = pairs.match(ir, vis)
    assert [pair.name for pair in pairing.pairs] == ["b"]
    assert len(pairing.unpaired) == 3


def test_one_folder_for_both(tmp_path: Path) -> None:
    for name in ("a_ir.png", "a_vis.png", "b_ir.png", "b.png", "c.png"):
        (tmp_path / name).touch()
    pairing = pairs.match(tmp_path, tmp_path)
    assert [(pair.name, pair.ir.name) for pair in pairing.pairs] == [("a_vis", "a_ir.png"), ("b", "b_ir.png")]
    assert [path.name for path in pairing.unpaired] == ["c.png"]


def test_no_pair_and_duplicates(tmp_path: Path) -> None:
    ir, vis = folders(tmp_path, ["1.png"], ["2.png"])
    with pytest.raises(PairError, match="no pair in"):
        pairs.match(ir, vis)
    with pytest.raises(PairError, match="cannot be read: No such file"):
        pairs.match(ir, tmp_path / "none")
    (ir / "1.jpg").touch()
    with pytest.raises(PairError, match=r"1\.jpg and 1\.png have the same name"):
        pairs.match(ir, vis)


def test_data_set_folder(tmp_path: Path) -> None:
    with pytest.raises(PairError, match="it has none"):
        pairs.find(tmp_path)
    (tmp_path / "IR").mkdir()
    (tmp_path / "Visible").mkdir()
    (tmp_path / "IR" / "1.png").touch()
    (tmp_path / "Visible" / "1.png").touch()
    assert [pair.name for pair in pairs.find(tmp_path).pairs] == ["1"]
    (tmp_path / "thermal").mkdir()
    with pytest.raises(PairError, match="it has IR and thermal"):
        pairs.find(tmp_path)


def test_manifest(tmp_path: Path) -> None:
    manifest = tmp_path / "pairs.csv"
    manifest.write_text("ir, vis, name\na/1.png,b/2.png,first\na/3.png,b/4.png,\n")
    assert pairs.find(manifest).pairs == (
        pairs.Pair("first", tmp_path / "a/1.png", tmp_path / "b/2.png"),
        pairs.Pair("4", tmp_path / "a/3.png", tmp_path / "b/4.png"),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it names none"),
        ("ir,visible\n1,2\n", "it names ir, visible"),
        ("ir,vis\n", "lists no pair"),
        ("ir,vis\n1.png,\n", "line 2: ir or vis is empty"),
        ("ir,vis\n1.png\n", "line 2: ir or vis is empty"),
        ("ir,vis\n\n1.png,a/2.png\n\n3.png,b/2.png\n", "line 5: the name '2' is used twice"),
        ("ir,vis,name\n1.png,2.png,../x\n", "line 2: '../x' is not a plain"),
        ("ir,vis,name\n1.png,2.png,..\n", "line 2: '..' is not a plain"),
    ],
)
def test_bad_manifest(text: str, reason: str, tmp_path: Path) -> None:
    manifest = tmp_path / "pairs.csv"
    manifest.write_text(text)
    with pytest.raises(PairError, match=reason):
        pairs.find(manifest)
    with pytest.raises(PairError, match="not a data-set folder"):
        pairs.find(tmp_path / "x.png")


@pytest.mark.parametrize(
    "name", ["a_vis.png", "a_ir.jpg", "fused_a_vis.png", "A_VIS-Fusion.bmp", "a_vis result.png", "a.png", "a_fused.tif"]
)
def test_fused_images(name: str, tmp_path: Path) -> None:
    ir, vis = folders(tmp_path, ["a_ir.png", "b_ir.png"], ["a_vis.png", "b_vis.png"])
    fused = tmp_path / "fused"
    fused.mkdir()
    for path in (fused / name, fused / "x.png"):
        path.touch()
    matched = pairs.match_fused(fused, pairs.match(ir, vis).pairs)
    assert matched == pairs.Matched({"a_vis": fused / name}, (fused / "x.png",), ("b_vis",))
    (fused / "a_vis.png").touch()
    assert pairs.match_fused(fused, pairs.match(ir, vis).pairs).fused == {"a_vis": fused / "a_vis.png"}
    for path in (fused / name, fused / "a_vis.png"):
        path.unlink(missing_ok=True)
    with pytest.raises(PairError, match="no fused image of the 2 pairs"):
        pairs.match_fused(fused, pairs.match(ir, vis).pairs)


def test_fused_images_of_offset_frames(tmp_path: Path) -> None:
    """The infrared image of one pair has the name of another pair."""
    found = tuple(pairs.Pair(f"{k + 1}", Path(f"ir/{k}.png"), Path(f"vis/{k + 1}.png")) for k in (1, 2, 3))
    for k in (2, 3, 4):
        (tmp_path / f"{k}.png").touch()
    matched = pairs.match_fused(tmp_path, found)
    assert matched == pairs.Matched({f"{k}": tmp_path / f"{k}.png" for k in (2, 3, 4)}, (), ())
    (tmp_path / "4.png").unlink()
    assert pairs.match_fused(tmp_path, found).missing == ("4",)


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_data_sets_in_subfolders(tmp_path: Path) -> None:
    """KAIST restarts its frame numbers in each sequence."""
    for sequence in ("set00/V000", "set00/V001", "set01/V000"):
        touch(tmp_path / sequence / "lwir" / "I00000.jpg", tmp_path / sequence / "visible" / "I00000.jpg")
    touch(tmp_path / "set01" / "V000" / "visible" / "I00001.jpg")
    pairing = pairs.find(tmp_path)
    assert [pair.name for pair in pairing.pairs] == ["set00_V000_I00000", "set00_V001_I00000", "set01_V000_I00000"]
    assert pairing.pairs[1].ir == tmp_path / "set00" / "V001" / "lwir" / "I00000.jpg"
    assert [path.name for path in pairing.unpaired] == ["I00001.jpg"]


def test_flir_adas(tmp_path: Path) -> None:
    first, aligned, second = tmp_path / "first", tmp_path / "aligned", tmp_path / "second"
    for part in ("train", "val"):
        for kind in ("thermal_8_bit/FLIR_1.jpeg", "thermal_16_bit/FLIR_1.tiff", "RGB/FLIR_1.jpg"):
            touch(first / part / kind)
    assert [pair.name for pair in pairs.find(first).pairs] == ["train_FLIR_1", "val_FLIR_1"]
    touch(aligned / "FLIR_1_PreviewData.jpeg", aligned / "FLIR_1_RGB.jpg")
    assert [pair.ir.name for pair in pairs.match(aligned, aligned).pairs] == ["FLIR_1_PreviewData.jpeg"]
    touch(
        second / "video_rgb_test/data/video-a-frame-1-x.jpg", second / "video_thermal_test/data/video-b-frame-1-y.jpg"
    )
    map_file = second / "rgb_to_thermal_vid_map.json"
    map_file.write_text('{"video-a-frame-1-x.jpg": "video-b-frame-1-y.jpg", "gone.jpg": "gone.jpg"}')
    assert [(p.name, p.ir.name) for p in pairs.find(second).pairs] == [("video-a-frame-1-x", "video-b-frame-1-y.jpg")]
    for text, error in (("[]", "does not map"), ("{", "does not map"), ('{"a": 1}', "does not map"), ("{}", "none of")):
        map_file.write_text(text)
        with pytest.raises(PairError, match=error):
            pairs.find(second)
