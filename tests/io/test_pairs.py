import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from irfuse.errors import DatasetWarning, PairError
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
    with pytest.raises(PairError, match="no two folders such as ir/ and vis/"):
        pairs.find(tmp_path)
    (tmp_path / "IR").mkdir()
    (tmp_path / "Visible").mkdir()
    (tmp_path / "IR" / "1.png").touch()
    (tmp_path / "Visible" / "1.png").touch()
    assert [pair.name for pair in pairs.find(tmp_path).pairs] == ["1"]
    (tmp_path / "thermal").mkdir()
    with pytest.raises(PairError, match="it has IR and Visible and thermal"):
        pairs.find(tmp_path)


def test_data_set_without_matching_names(tmp_path: Path) -> None:
    folders(tmp_path, ["1.png"], ["2.png"])
    with pytest.raises(PairError, match=r"no pair: none of its images has a partner, such as .*ir/1\.png; name"):
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
        ("ir,label\n1,2\n", "it names ir, label"),
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
    with pytest.warns(DatasetWarning, match="the frames of 1 of 2 pairs are missing"):
        found = pairs.find(second).pairs
    assert [(p.name, p.ir.name) for p in found] == [("video-a-frame-1-x", "video-b-frame-1-y.jpg")]
    for text, error in (("[]", "does not map"), ("{", "does not map"), ('{"a": 1}', "does not map"), ("{}", "none of")):
        map_file.write_text(text)
        with pytest.raises(PairError, match=error):
            pairs.find(second)


def test_subfolders_beside_images_are_named(tmp_path: Path) -> None:
    touch(*[tmp_path / role / name for role in ("ir", "vis") for name in ("1.png", "night/2.png", "labels/2.txt")])
    touch(tmp_path / "vis" / "day" / "3.png")
    for search in (lambda: pairs.find(tmp_path), lambda: pairs.match(tmp_path / "ir", tmp_path / "vis")):
        with pytest.warns(DatasetWarning, match=r"ir/night and .*vis/night are not searched") as said:
            assert names(search()) == ["1"]
        assert len(said) == 1


def test_videos_and_images_in_other_formats_are_named(tmp_path: Path) -> None:
    touch(*[tmp_path / role / name for role in ("ir", "vis") for name in ("a.MP4", "b.jp2", "notes.txt")])
    with pytest.warns(DatasetWarning) as said, pytest.raises(PairError, match=r"no pair: .*ir and .*vis contain no im"):
        pairs.find(tmp_path)
    for warning, role in zip(said, ("ir", "vis"), strict=True):
        assert f"{role}: its files in .jp2 .mp4 are not read, such as a.MP4: convert" in str(warning.message)
    touch(tmp_path / "1_ir.png", tmp_path / "1.png", tmp_path / "1_ir.gif")
    with pytest.warns(DatasetWarning, match=r"its files in \.gif are not read, such as 1_ir\.gif: convert") as said:
        assert names(pairs.match(tmp_path, tmp_path)) == ["1"]
    assert len(said) == 1


def names(pairing: pairs.Pairing) -> list[str]:
    return [pair.name for pair in pairing.pairs]


def test_names_of_data_sets_do_not_clash(tmp_path: Path) -> None:
    for part in ("a_b", "a/b", "c"):
        touch(tmp_path / part / "ir" / "1.png", tmp_path / part / "vis" / "1.png")
    found = pairs.find(tmp_path)
    assert {pair.name: pair.vis.relative_to(tmp_path).as_posix() for pair in found.pairs} == {
        "a__b__1": "a/b/vis/1.png",
        "a_b__1": "a_b/vis/1.png",
        "c_1": "c/vis/1.png",
    }
    touch(tmp_path / "a__b" / "ir" / "1.png", tmp_path / "a__b" / "vis" / "1.png")
    touch(tmp_path / "a_" / "b" / "ir" / "1.png", tmp_path / "a_" / "b" / "vis" / "1.png")
    assert len(set(names(pairs.find(tmp_path)))) == 5


def test_long_names_of_data_sets(tmp_path: Path) -> None:
    for folder in ("x" * 200 + "1", "x" * 200 + "2"):
        touch(tmp_path / folder / "ir" / f"{'像' * 30}.png", tmp_path / folder / "vis" / f"{'像' * 30}.png")
    found = names(pairs.find(tmp_path))
    assert len(set(found)) == 2
    assert all(200 < len(name.encode()) <= 240 for name in found)


def test_links(tmp_path: Path) -> None:
    """A folder is searched once, by its own path if that is in the data set."""
    touch(tmp_path / "in" / "s" / "ir" / "1.png", tmp_path / "in" / "s" / "vis" / "1.png")
    touch(tmp_path / "elsewhere" / "ir" / "2.png", tmp_path / "elsewhere" / "vis" / "2.png")
    touch(tmp_path / "beside" / "ir" / "3.png", tmp_path / "beside" / "vis" / "3.png")
    (tmp_path / "in" / "a").symlink_to("s")
    (tmp_path / "in" / "b" / "c").mkdir(parents=True)
    (tmp_path / "in" / "b" / "c" / "up").symlink_to("../..")
    (tmp_path / "in" / "b" / "c" / "far_up").symlink_to(tmp_path)
    (tmp_path / "in" / "b" / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "b" / "self").symlink_to("self")
    with pytest.warns(DatasetWarning, match="self: the link is broken"):
        found = pairs.find(tmp_path / "in")
    assert names(found) == ["s_1", "b_out_2"]


def test_links_of_sensor_folders(tmp_path: Path) -> None:
    for sensor in ("ir", "vis"):
        touch(tmp_path / sensor / "train" / "1.png")
        (tmp_path / sensor / "up").symlink_to("..")
    assert names(pairs.find(tmp_path)) == ["train_1"]


def test_links_between_subfolders(tmp_path: Path) -> None:
    for sensor in ("ir", "vis"):
        touch(tmp_path / sensor / "x" / "p" / "1.png", tmp_path / sensor / "y" / "p" / "2.png")
        (tmp_path / sensor / "x" / "q").symlink_to("../y")
        (tmp_path / sensor / "y" / "q").symlink_to("../x")
        (tmp_path / sensor / "copy").symlink_to("x")
    assert sorted(pair.vis.resolve().name for pair in pairs.find(tmp_path).pairs) == ["1.png", "2.png"]
    (tmp_path / "vis" / "y" / "p" / "2.jpg").touch()
    with pytest.warns(DatasetWarning, match=r"2\.jpg and 2\.png have the same name"):
        assert names(pairs.match(tmp_path / "ir", tmp_path / "vis")) == ["x_p_1"]


def test_links_into_closed_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "ir" / "1.png", tmp_path / "vis" / "1.png")
    (tmp_path / "link").symlink_to("/closed/folder")
    (tmp_path / "ir" / "2.png").symlink_to("/closed/2.png")
    looked = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name in ("link", "2.png"):
            raise PermissionError(13, "Permission denied")
        return looked(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.warns(DatasetWarning, match="link: the link is broken"):
        found = pairs.find(tmp_path)
    assert (names(found), found.unpaired) == (["1"], (tmp_path / "ir" / "2.png",))


def test_broken_links_are_images(tmp_path: Path) -> None:
    ir, vis = folders(tmp_path, ["1.png"], ["1.png"])
    (ir / "2.png").symlink_to("gone")
    (vis / "2.png").symlink_to("2.png")
    (vis / "3.png").symlink_to("gone")
    found = pairs.find(tmp_path)
    assert names(found) == ["1", "2"]
    assert found.unpaired == (vis / "3.png",)


def test_what_cannot_be_searched_costs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "s" / "ir" / "1.png", tmp_path / "s" / "vis" / "1.png")
    (tmp_path / "lost+found").mkdir()
    touch(tmp_path / "twice" / "1_ir.png", tmp_path / "twice" / "1_ir.jpg")
    several = tmp_path / "several"
    touch(several / "ir" / "1.png", several / "thermal" / "1.png", several / "vis" / "1.png")
    listed = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name == "lost+found":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.warns(DatasetWarning) as said:
        found = pairs.find(tmp_path)
    assert names(found) == ["s_1"]
    reasons = sorted(str(warning.message).removeprefix(f"{tmp_path}/") for warning in said)
    assert reasons[0] == "lost+found: the folder cannot be read: Permission denied"
    assert reasons[1] == "several: only one subfolder may be named for each sensor; it has ir and thermal and vis"
    assert "1_ir.jpg and 1_ir.png have the same name" in reasons[2]
    with pytest.raises(PairError, match=r"no pair: .*lost\+found: the folder cannot be read"):
        pairs.find(tmp_path / "lost+found")


def test_subfolders_without_a_partner(tmp_path: Path) -> None:
    touch(
        tmp_path / "ir" / "train" / "1.png", tmp_path / "vis" / "train" / "01.png", tmp_path / "ir" / "test" / "1.png"
    )
    found = pairs.match(tmp_path / "ir", tmp_path / "vis")
    assert (names(found), found.unpaired) == (["train_01"], (tmp_path / "ir" / "test",))
    with pytest.raises(PairError, match="their 1 and 1 images do not match"):
        pairs.match(tmp_path / "ir" / "test", tmp_path / "vis")


@pytest.mark.parametrize(
    ("fused", "found"),
    [
        (["a_DenseFuse", "b_DenseFuse"], {"a_vis": "a_DenseFuse", "b_vis": "b_DenseFuse"}),
        (["DenseFuse-a", "DenseFuse-b"], {"a_vis": "DenseFuse-a", "b_vis": "DenseFuse-b"}),
        (["a_vis_U2Fusion_fused"], {"a_vis": "a_vis_U2Fusion_fused"}),
        (["a", "b_SDNet"], {"a_vis": "a", "b_vis": "b_SDNet"}),
        (["a_SDNet", "b_SDNet", "b_CBF"], {"a_vis": "a_SDNet", "b_vis": "b_SDNet"}),
        (["a_2", "b_2"], None),
        (["a_SDNet", "b_CBF"], None),
        (["a_SDNet", "a_CBF"], None),
        (["ab_SDNet"], None),
    ],
)
def test_results_named_after_scene_and_method(fused: list[str], found: dict[str, str] | None, tmp_path: Path) -> None:
    scenes = [pairs.Pair(f"{name}_vis", Path(f"{name}_ir.png"), Path(f"{name}_vis.png")) for name in ("a", "b")]
    touch(*[tmp_path / f"{name}.png" for name in fused])
    if found is None:
        with pytest.raises(PairError, match="give each method its own folder"):
            pairs.match_fused(tmp_path, scenes)
    else:
        matched = pairs.match_fused(tmp_path, scenes)
        assert {name: path.stem for name, path in matched.fused.items()} == found


def test_results_with_other_zeros(tmp_path: Path) -> None:
    scenes = [pairs.Pair(f"{i:03}", Path(f"ir/{i:03}.png"), Path(f"vis/{i:03}.png")) for i in (1, 10)]
    touch(tmp_path / "1.png", tmp_path / "10.png")
    assert {name: path.stem for name, path in pairs.match_fused(tmp_path, scenes).fused.items()} == {
        "001": "1",
        "010": "10",
    }
