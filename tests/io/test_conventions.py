"""One test for each row of the tables, and the layouts of the data sets as their authors publish them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irfuse.io import conventions, pairs
from irfuse.io.conventions import FILES, FOLDERS, IR_WORDS, SAME, VIS_WORDS, WORDS, Convention, partners


@pytest.mark.parametrize("row", [SAME, *FILES], ids=lambda row: f"{row.origin}: {row.example[1]}")
def test_files(row: Convention) -> None:
    """No row before it takes its example."""
    ir, vis = row.example
    assert partners([ir], [vis], [row]).found == {vis: ir}
    assert partners([ir, "other"], [vis, "another"], [SAME, *FILES]).found == {vis: ir}
    rows = (SAME, *FILES)
    assert partners([ir], [vis], rows[: rows.index(row)]).found == {}
    if row.ir is not None:
        assert partners([ir, vis, "other"], [ir, vis, "other"], FILES, one_folder=True).found == {vis: ir}


@pytest.mark.parametrize("row", FOLDERS, ids=lambda row: row.origin)
def test_folders(row: Convention) -> None:
    ir, vis = row.example
    names = [ir, vis, "labels"]
    assert partners(names, names, FOLDERS, one_folder=True).found == {vis: ir}


@pytest.mark.parametrize("word", IR_WORDS)
def test_infrared_words(word: str) -> None:
    names = [f"1_{word}", "1_vis", word.upper(), "VIS", f"{word.title()}-a", "Vis-a", f"x{word}"]
    found = partners(names, names, [WORDS], one_folder=True).found
    assert found == {"1_vis": f"1_{word}", "VIS": word.upper(), "Vis-a": f"{word.title()}-a"}


@pytest.mark.parametrize("word", VIS_WORDS)
def test_visible_words(word: str) -> None:
    names = ["1_ir", f"1_{word}", "IR", word.upper(), "Ir-a", f"{word.title()}-a", f"x{word}"]
    found = partners(names, names, [WORDS], one_folder=True).found
    assert found == {f"1_{word}": "1_ir", word.upper(): "IR", f"{word.title()}-a": "Ir-a"}


@pytest.mark.parametrize(
    ("ir", "vis", "found"),
    [
        # Zero padding.
        (["1", "10"], ["001", "010"], {"001": "1", "010": "10"}),
        (["frame_01_ir"], ["frame_1_vis"], {"frame_1_vis": "frame_01_ir"}),
        (["1", "01"], ["001"], {}),
        (["1", "01"], ["1", "001"], {"1": "1", "001": "01"}),
        # Several candidates.
        (["a_ir", "a_thermal"], ["a_vis"], {}),
        (["a_ir"], ["a_vis", "a_rgb"], {}),
        (["a_ir", "a_thermal"], ["a_vis", "a_rgb"], {}),
        (["DJI_0001_T"], ["DJI_0001_W", "DJI_0001_Z"], {"DJI_0001_W": "DJI_0001_T"}),
        (["DJI_20230101120000_0001_T"], ["DJI_20230101120000_0002_W"], {}),
        (["DJI_20230101120000_0001_T"], ["DJI_20230101150000_0001_W"], {}),
        (["DJI_20230101120000_0001_T"], ["DJI_20230101120001_0001_W", "DJI_20230101120002_0001_W"], {}),
        # A word that belongs to the scene.
        (["FLIR_1_PreviewData"], ["FLIR_1_RGB"], {"FLIR_1_RGB": "FLIR_1_PreviewData"}),
        # Accents.
        (["caf\u00e9"], ["cafe\u0301"], {"cafe\u0301": "caf\u00e9"}),
        # Letters that are part of a word.
        (["hanoi"], ["hanov"], {}),
        (["firm1"], ["vism1"], {}),
        (["scene_T"], ["scene_W"], {}),
        (["1i"], ["2v"], {}),
        (["12"], ["1_2"], {}),
        ([], ["1"], {}),
    ],
)
def test_partners(ir: list[str], vis: list[str], found: dict[str, str]) -> None:
    assert partners(ir, vis, (SAME, *FILES)).found == found


def test_one_folder() -> None:
    names = ["FLIR_7", "FLIR_8", "x_ir", "x_vis", "x", "y_ir", "y_thermal", "y_vis", "1", "01"]
    found = partners(names, names, FILES, one_folder=True)
    assert found.found == {"x_vis": "x_ir"}
    assert {"y_ir", "y_thermal", "y_vis"} <= found.ambiguous


PARTS = st.sampled_from(
    ["ir", "IR", "thermal", "vis", "rgb", "FLIR", "1", "01", "a", "_", "-", "T", "_W", "i", "v", "DJI_"]
)
NAMES = st.lists(st.lists(PARTS, min_size=1, max_size=4).map("".join), max_size=8, unique=True)


@given(NAMES, NAMES)
def test_no_name_has_two_partners(ir: list[str], vis: list[str]) -> None:
    found = partners(ir, vis, (SAME, *FILES))
    assert len(set(found.found.values())) == len(found.found)
    assert set(found.found) <= set(vis)
    assert set(found.found.values()) <= set(ir)
    assert all(found.found[name] == name for name in set(ir) & set(vis))
    assert partners(reversed(ir), reversed(vis), (SAME, *FILES)) == found


@given(NAMES)
def test_no_image_of_one_folder_is_used_twice(names: list[str]) -> None:
    found = partners(names, names, FILES, one_folder=True).found
    used = [name for pair in found.items() for name in pair]
    assert len(set(used)) == len(used)


LAYOUTS = {
    "LLVIP": {
        "LLVIP_train_010001": ("LLVIP/infrared/train/010001.jpg", "LLVIP/visible/train/010001.jpg"),
        "LLVIP_test_190001": ("LLVIP/infrared/test/190001.jpg", "LLVIP/visible/test/190001.jpg"),
    },
    "CVC-14": {
        f"{time}_{part}_FramesPos_2014_05_01_13_13_59_880000": tuple(
            f"{time}/{sensor}/{part}/FramesPos/2014_05_01_13_13_59_880000.tif" for sensor in ("FIR", "Visible")
        )
        for time in ("Day", "Night")
        for part in ("NewTest", "Train")
    },
    "DroneVehicle": {
        f"{part}_00001": (f"{part}/{part}imgr/00001.jpg", f"{part}/{part}img/00001.jpg") for part in ("train", "val")
    },
    "M3FD": {
        "M3FD_Detection_00000": ("M3FD_Detection/Ir/00000.png", "M3FD_Detection/Vis/00000.png"),
        "M3FD_Fusion_00000": ("M3FD_Fusion/Ir/00000.png", "M3FD_Fusion/Vis/00000.png"),
    },
    "MFNet": {"00001D_rgb": ("00001D_th.png", "00001D_rgb.png"), "00002N_rgb": ("00002N_th.png", "00002N_rgb.png")},
    "MFNet, split": {"00001D": ("thermal/00001D.png", "rgb/00001D.png")},
    "PST900": {"train_1": ("train/thermal/1.png", "train/rgb/1.png")},
    "MSRS": {"train_00001D": ("train/ir/00001D.png", "train/vi/00001D.png")},
    "RGBT234": {
        "afterrain_00000v": ("afterrain/infrared/00000i.jpg", "afterrain/visible/00000v.jpg"),
        "aftertree_00000v": ("aftertree/infrared/00000i.jpg", "aftertree/visible/00000v.jpg"),
    },
    "GTOT": {"BlackCar_00001v": ("BlackCar/i/00001i.png", "BlackCar/v/00001v.png")},
    "LasHeR": {"boy_v000001": ("boy/infrared/i000001.jpg", "boy/visible/v000001.jpg")},
    "VTUAV": {"bus_001_000000": ("bus_001/ir/000000.jpg", "bus_001/rgb/000000.jpg")},
    "VEDAI": {
        "00000000_co": ("00000000_ir.png", "00000000_co.png"),
        "00000001_co": ("00000001_ir.png", "00000001_co.png"),
    },
    "DJI": {"DJI_20230101120000_0001_W": ("DJI_20230101120000_0001_T.JPG", "DJI_20230101120000_0001_W.JPG")},
    "DJI in folders": {"flight_DJI_0001_V": ("flight/DJI_0001_T.JPG", "flight/DJI_0001_V.JPG")},
    "FLIR XT2": {"DJI_0001": ("DJI_0001_R.JPG", "DJI_0001.jpg"), "DJI_0003": ("DJI_0003_R.JPG", "DJI_0003.jpg")},
    "a folder for each scene": {"s1_vis": ("s1/ir.png", "s1/vis.png"), "s2_vis": ("s2/ir.png", "s2/vis.png")},
    "two folders for each scene": {
        "s1_vis_1": ("s1_ir/1.png", "s1_vis/1.png"),
        "s2_vis_1": ("s2_ir/1.png", "s2_vis/1.png"),
    },
    "KAIST in one folder": {"set00_V000_I1_visible": ("set00_V000_I1_lwir.png", "set00_V000_I1_visible.png")},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name: str, tmp_path: Path) -> None:
    layout = LAYOUTS[name]
    for files in layout.values():
        for file in (*files, str(Path(files[0]).parent / "readme.txt")):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
    found = pairs.find(tmp_path)
    assert {pair.name: (pair.ir, pair.vis) for pair in found.pairs} == {
        name: (tmp_path / ir, tmp_path / vis) for name, (ir, vis) in layout.items()
    }
    assert found.unpaired == ()


def test_every_word_is_tried_in_capitals() -> None:
    assert conventions.words(["ir"]).sub("_", "sceneIRa") == "scene_a"
    assert conventions.words(["ir"]).sub("_", "AIRS") == "AIRS"
