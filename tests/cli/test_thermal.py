"""`irfuse thermal`, as a user meets it."""

import json
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from irfuse import notices
from irfuse.cli.options import PaletteOption
from irfuse.errors import ImageError
from irfuse.imaging import overlay
from irfuse.imaging.palettes import Palette
from irfuse.io import images
from irfuse.io.thermal import export, reading
from irfuse.io.thermal.base import ThermalFile
from tests.conftest import Run
from tests.io import thermal_files


@pytest.fixture
def flir(tmp_path: Path) -> Path:
    path = tmp_path / "flir.jpg"
    path.write_bytes(thermal_files.flir(parts=3))
    return path


@pytest.fixture
def dji(tmp_path: Path) -> Path:
    path = tmp_path / "dji_T.jpg"
    path.write_bytes(thermal_files.dji())
    return path


def test_info(run: Run, flir: Path, dji: Path, tmp_path: Path) -> None:
    images.write(tmp_path / "counts.tiff", thermal_files.scene())
    status, printed, said = run("thermal", "info", flir, dji, tmp_path / "counts.tiff")
    assert (status, said) == (0, "")
    lines = printed.splitlines()
    celsius = reading.read(flir).values
    assert f"{celsius.min():.1f} to {celsius.max():.1f} °C" in lines[1]
    for part in ("FLIR T640", "64x48", "0.95", "1.0 m", "20.0 °C", "50 %", "128x96"):
        assert part in lines[1]
    assert "counts" in lines[2] and "counts" in lines[3]
    assert lines[4].startswith(f"{dji}: no temperatures: only DJI's Thermal SDK makes temperatures of its counts")
    assert lines[5:] == [
        f"{dji}: no photograph: DJI writes the visible image into a file of its own, whose name ends in _V, _W or _Z"
    ]


def test_info_as_json(run: Run, flir: Path, dji: Path) -> None:
    status, printed, _ = run("thermal", "info", flir, dji, "--json")
    first, second = json.loads(printed)
    assert status == 0
    assert (first["camera"], first["unit"], first["photograph"]) == ("FLIR T640", "celsius", [128, 96])
    assert first["scene"]["emissivity"] == pytest.approx(0.95)
    assert first["alignment"] == {"real_to_ir": 1.25, "offset_x": -14, "offset_y": 7}
    assert (second["unit"], second["scene"], second["photograph"]) == ("counts", None, None)
    assert "dji_irp" in second["no_temperatures"]


def test_info_on_files_that_are_none(run: Run, flir: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    images.write(picture, np.zeros((4, 4, 3), np.uint8))
    status, printed, said = run("thermal", "info", picture, flir)
    assert status == 1 and "FLIR T640" in printed
    assert said == f"failed: {picture}: holds neither counts nor temperatures, but a picture (uint8 in 3 channels)\n"
    assert run("thermal", "info", picture)[0] == 2


def test_export_of_temperatures(run: Run, flir: Path, tmp_path: Path) -> None:
    celsius, counts = reading.read(flir).celsius, reading.read(flir).counts
    assert celsius is not None
    for name, options, expected in (
        ("c.tiff", [], celsius),
        ("new/k.tif", ["--as", "centikelvin"], np.rint((celsius.astype(float) + 273.15) * 100).astype(np.uint16)),
        ("n.tiff", ["--as", "counts"], counts),
        ("n.png", ["--as", "counts"], counts),
    ):
        status, printed, said = run("thermal", "export", flir, "-o", tmp_path / name, *options)
        assert (status, printed, said) == (0, f"{tmp_path / name}\n", "")
        with notices.collected():
            written, metadata = images.read_with_metadata(tmp_path / name)
        assert written.dtype == expected.dtype
        np.testing.assert_array_equal(written, expected)
        # The maker and the time.
        assert {271, 306} <= set(metadata.tags)
    run("thermal", "export", flir, "-o", tmp_path / "c.csv")
    np.testing.assert_allclose(np.loadtxt(tmp_path / "c.csv", delimiter=","), celsius, atol=6e-4)


def test_export_of_counts(run: Run, dji: Path, tmp_path: Path) -> None:
    status, _, said = run("thermal", "export", dji, "-o", tmp_path / "n.tiff")
    assert status == 0
    assert f"{dji}: counts are written, since only DJI's Thermal SDK" in said
    np.testing.assert_array_equal(images.read(tmp_path / "n.tiff"), thermal_files.scene())
    run("thermal", "export", dji, "-o", tmp_path / "n.csv", "--as", "counts")
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "n.csv", delimiter=","), thermal_files.scene())


def test_what_is_exported_is_read_again(run: Run, flir: Path, tmp_path: Path) -> None:
    run("thermal", "export", flir, "-o", tmp_path / "c.tiff")
    status, printed, _ = run("thermal", "info", tmp_path / "c.tiff")
    assert status == 0 and "°C" in printed
    run("thermal", "export", tmp_path / "c.tiff", "-o", tmp_path / "p.png")
    run("thermal", "export", flir, "-o", tmp_path / "q.png")
    np.testing.assert_array_equal(images.read(tmp_path / "p.png"), images.read(tmp_path / "q.png"))


@pytest.mark.parametrize("palette", get_args(Palette))
def test_export_of_pictures(palette: Palette, run: Run, flir: Path, tmp_path: Path) -> None:
    run("thermal", "export", flir, "-o", tmp_path / "p.png", "--palette", palette, "--thermal-range", "10C", "80C")
    expected = overlay.picture(images.read(flir), palette=palette, thermal=overlay.Levels(10, 80))
    np.testing.assert_array_equal(images.read(tmp_path / "p.png"), expected)


def test_palettes_of_the_option_are_all_palettes() -> None:
    (choices, _) = get_args(get_args(PaletteOption)[0])
    assert get_args(choices) == get_args(Palette)


def test_export_of_the_photograph(run: Run, flir: Path, tmp_path: Path) -> None:
    with notices.collected():
        expected = images.read(flir, "visible")
    for name in ("v.jpg", "v.png"):
        status, _, said = run("thermal", "export", flir, "-o", tmp_path / name, "--visible")
        assert (status, said) == (0, "")
        written, metadata = images.read_with_metadata(tmp_path / name)
        np.testing.assert_array_equal(written, expected)
        assert {271, 306} <= set(metadata.tags)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["{dji}", "-o", "v.jpg", "--visible"], "dji_T.jpg: has no photograph, since DJI writes"),
        (["{dji}", "-o", "c.tiff", "--as", "celsius"], "has no temperatures, since .*; export its counts"),
        (["{dji}", "-o", "c.png", "--thermal-range", "10C", "20C"], "the thermal range is in °C, .* holds counts"),
        (["{flir}", "-o", "c.csv", "--as", "picture"], "CSV holds numbers, not a picture"),
        (["{flir}", "-o", "c.csv", "--palette", "iron"], "CSV holds numbers, not a picture"),
        (["{flir}", "-o", "c.tiff", "--as", "counts", "--legend"], "writes numbers, for which --legend makes no"),
        (["{flir}", "-o", "c.tiff", "--as", "celsius", "--thermal-range", "1C", "2C"], "for which --thermal-range"),
        (["{flir}", "-o", "c.csv", "--thermal-percentiles", "1", "99"], "CSV holds numbers, not a picture"),
        (["{flir}", "-o", "v.jpg", "--visible", "--thermal-range", "1C", "2C"], "be combined with --thermal-range"),
        (["{flir}", "-o", "v.jpg", "--visible", "--palette", "iron"], "--visible cannot be combined with --palette"),
        (["{flir}", "-o", "{flir}"], "would replace the input"),
        (["{flir}", "-o", "c.xyz"], "cannot write .xyz"),
        (["{flir}", "-o", "c.jpg", "--as", "celsius"], ".jpg cannot hold float32 images"),
        (["missing.jpg", "-o", "c.tiff"], "missing.jpg: no such file"),
    ],
)
def test_what_cannot_be_exported(
    options: list[str], message: str, run: Run, flir: Path, dji: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = flir.read_bytes()
    status, printed, said = run("thermal", "export", *(option.format(flir=flir, dji=dji) for option in options))
    assert (status, printed, said.count("\n")) == (2, "", 1)
    assert re.search(message, said), said
    assert flir.read_bytes() == before and len(list(tmp_path.iterdir())) == 2


def test_centikelvin_that_16_bits_cannot_hold() -> None:
    hot = ThermalFile("", None, np.float32([[20, 500]]))
    with pytest.raises(ImageError, match=r"goes from 20.0 to 500.0 °C, and 16 bits of 1/100 K end at 382.2 °C"):
        export.numbers(hot, "centikelvin")


def test_infinite_temperatures_are_none(run: Run, tmp_path: Path) -> None:
    """Some programs write infinity where they have no temperature."""
    celsius = np.linspace(10, 30, 48 * 64, dtype=np.float32).reshape(48, 64)
    celsius[:2], celsius[2:4] = np.inf, -np.inf
    images.write(tmp_path / "c.tiff", celsius)
    status, printed, _ = run("thermal", "info", tmp_path / "c.tiff", "--json")
    (facts,) = json.loads(printed)
    assert (status, facts["lowest"], facts["highest"]) == (0, celsius[4, 0], 30)
    run("thermal", "export", tmp_path / "c.tiff", "-o", tmp_path / "k.tiff", "--as", "centikelvin")
    assert not images.read(tmp_path / "k.tiff")[:4].any()
    run("thermal", "export", tmp_path / "c.tiff", "-o", tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_text().splitlines()[0] == 63 * ","


def test_images_upright(tmp_path: Path) -> None:
    """The thermal data and the photograph are turned as the picture around them says."""
    data = thermal_files.flir()
    turned = tmp_path / "turned.jpg"
    # The EXIF directory gets an orientation instead of the time.
    at = data.index(b"\x01\x32\x00\x02")
    turned.write_bytes(data[:at] + b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00" + data[at + 12 :])
    plain = tmp_path / "plain.jpg"
    plain.write_bytes(data)
    np.testing.assert_array_equal(images.read(turned), np.rot90(images.read(plain), -1))
    np.testing.assert_array_equal(reading.read(turned).values, images.read(turned))
    with notices.collected():
        np.testing.assert_array_equal(images.read(turned, "visible"), np.rot90(images.read(plain, "visible"), -1))
    content, photograph, _ = reading.photograph(turned)
    assert content == b"" and photograph.shape == (128, 96, 3)


def test_own_pair(flir: Path, dji: Path, tmp_path: Path) -> None:
    ir, vis, metadata = reading.own_pair(flir)
    np.testing.assert_array_equal(ir, images.read(flir))
    assert vis.shape == (96, 128, 3) and 271 in metadata.tags
    with pytest.raises(ImageError, match=r"dji_T.jpg: has no photograph, since DJI writes"):
        reading.own_pair(dji)
    images.write(tmp_path / "x.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(ImageError, match="has no photograph, since it is not a radiometric JPEG"):
        reading.own_pair(tmp_path / "x.png")
