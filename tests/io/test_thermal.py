"""Radiometric files of FLIR and DJI: counts, temperatures, photographs; what is damaged, and what is none."""

import hashlib
import os
import stat
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from irfuse import notices
from irfuse.errors import ImageError, ImageFileWarning, IrfuseError
from irfuse.io import images, thermal
from irfuse.io.images import Content
from irfuse.io.thermal.base import ThermalFile
from tests.io import thermal_files
from tests.io.thermal_files import ALIGNMENT, CAMERA, NUMBERS, PHOTOGRAPH, RAW, SIZE


def found(data: bytes) -> ThermalFile:
    file = thermal.find(data, "x.jpg")
    assert file is not None
    return file


def said(data: bytes, content: Content = "thermal") -> list[str]:
    with notices.collected() as warnings:
        images.decode(data, "x.jpg", content)
    assert all(isinstance(warning, ImageFileWarning) for warning in warnings)
    return [str(warning) for warning in warnings]


@pytest.mark.parametrize("form", ["raw", "png", "swapped"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("parts", [1, 13])
def test_flir(form: str, order: str, parts: int) -> None:
    file = found(thermal_files.flir(form=form, order=order, parts=parts))
    assert file.counts is not None and file.celsius is not None and file.alignment is not None
    np.testing.assert_array_equal(file.counts, thermal_files.scene())
    assert (file.maker, file.camera, file.no_celsius, file.no_visible) == ("FLIR", "FLIR T640", "", "")
    assert (file.celsius.shape, file.celsius.dtype) == (file.counts.shape, np.dtype(np.float32))
    assert 5 < file.celsius.min() < file.celsius.max() < 120
    assert (file.alignment.real_to_ir, file.alignment.offset_x, file.alignment.offset_y) == (1.25, -14, 7)
    assert images.decode(file.visible, "x").shape == (96, 128, 3)


def test_counts_of_a_record_in_the_other_byte_order() -> None:
    record = thermal_files.raw_record(thermal_files.scene(), form="raw", order=">")
    records = {CAMERA: thermal_files.camera_record(order=">"), RAW: record}
    file = found(thermal_files.photograph(thermal_files.flir_segments(thermal_files.fff(records))))
    np.testing.assert_array_equal(file.values, found(thermal_files.flir()).values)


def test_a_black_surface_without_air_has_the_temperature_of_plancks_law() -> None:
    """An emissivity of 1 and no distance leave only the camera's own law, which is inverted here by bisection."""
    celsius = found(thermal_files.flir(numbers={**NUMBERS, 0x20: 1.0, 0x24: 0.0})).celsius
    assert celsius is not None
    r1, b, f, r2, o = (*(np.float32(NUMBERS[place]).astype(float) for place in (0x58, 0x5C, 0x60, 0x30C)), -4405)
    low, high = np.full(celsius.shape, 200.0), np.full(celsius.shape, 600.0)
    for _ in range(60):
        middle = (low + high) / 2
        is_below = r1 / (r2 * (np.exp(b / middle) - f)) - o < thermal_files.scene()
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    np.testing.assert_allclose(celsius, low - 273.15, atol=1e-3)


def test_each_number_of_the_scene_counts() -> None:
    """Temperatures change in the direction that physics demands for an object warmer than all around it."""
    numbers = {**NUMBERS, 0x24: 20.0, 0x34: 0.9}
    hottest = found(thermal_files.flir(numbers=numbers)).values.max()
    for place, value, sign in ((0x20, 0.8, 1), (0x24, 60.0, 1), (0x28, 310.0, -1), (0x34, 0.8, 1), (0x30, 310.0, -1)):
        changed = found(thermal_files.flir(numbers={**numbers, place: value})).values.max()
        assert np.sign(changed - hottest) == sign, hex(place)


def test_parts_in_another_order() -> None:
    segments = thermal_files.flir_segments(
        thermal_files.fff({RAW: thermal_files.raw_record(thermal_files.scene())}), 13
    )
    file = found(thermal_files.photograph(segments[::-1]))
    np.testing.assert_array_equal(file.counts, thermal_files.scene())


def test_infrared_is_temperatures_and_visible_the_photograph() -> None:
    data = thermal_files.flir()
    assert said(data) == []
    np.testing.assert_array_equal(images.decode(data, "x"), found(data).celsius)
    (line,) = said(data, "visible")
    assert line == "x.jpg: is a thermal file, whose photograph is read as the visible image: 128x96"
    with notices.collected():
        visible, metadata = images.decode_with_metadata(data, "x", "visible")
    expected = cv2.imdecode(np.frombuffer(found(data).visible, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(visible, expected)
    # Of the file around it: the maker and the time.
    assert {271, 306} <= set(metadata.tags)
    assert said(data, "picture") == []
    assert images.decode(data, "x", "picture").shape == (48, 64, 3)


@pytest.mark.parametrize("content", ["thermal", "visible", "picture"])
def test_other_files_hold_one_image(content: Content) -> None:
    data = thermal_files.photograph([])
    assert said(data, content) == []
    np.testing.assert_array_equal(images.decode(data, "x", content), images.decode(data, "x", "picture"))


def test_a_file_without_a_photograph_is_no_visible_image() -> None:
    with pytest.raises(ImageError, match=r"^x: is a thermal file, .* embeds no photograph; give .* --as-picture$"):
        images.decode(thermal_files.flir(without=(PHOTOGRAPH,)), "x", "visible")
    with pytest.raises(ImageError, match=r"^x: is a thermal file, .* whose name ends in _V, .* --as-picture$"):
        images.decode(thermal_files.dji(), "x", "visible")


def test_records_that_are_missing() -> None:
    file = found(thermal_files.flir(without=(CAMERA, ALIGNMENT, PHOTOGRAPH)))
    assert (file.celsius, file.alignment, file.visible, file.scene) == (None, None, b"", None)
    (line,) = said(thermal_files.flir(without=(CAMERA,)))
    assert line.startswith("x.jpg: is read as counts, not as temperatures: its record of the camera is damaged")


@pytest.mark.parametrize("place", [0x20, 0x24, 0x34, 0x3C, 0x58, 0x5C, 0x30C])
@pytest.mark.parametrize("value", [-1.0, 0.0, 1e30, float("nan")])
def test_impossible_numbers_make_no_temperatures(place: int, value: float) -> None:
    file = found(thermal_files.flir(numbers={**NUMBERS, place: value}))
    if (place, value) in ((0x24, 0.0), (0x3C, 0.0)):
        assert file.no_celsius == ""
    else:
        assert file.celsius is None and file.no_celsius


def test_temperatures_that_count_as_scaled_are_named() -> None:
    """A scene of melting snow."""
    ramp = np.arange(2000, 2000 + 64 * 48 * 5, 5).reshape(48, 64).astype(np.uint16)
    celsius = found(thermal_files.flir(ramp)).values
    melting = ramp[np.abs(celsius - 0.5) < 0.4]
    assert melting.size > 5
    (line,) = said(thermal_files.flir(np.resize(melting, (48, 64))))
    assert line.startswith("x.jpg: all its temperatures lie from 0 to 1 °C")


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        (thermal_files.flir_segments(bytes(200)), "does not begin as a file of FLIR's format"),
        (thermal_files.flir_segments(thermal_files.fff({RAW: bytes(100)})[:40]), "does not begin as"),
        (thermal_files.flir_segments(thermal_files.fff({RAW: bytes(100)})[:70]), "directory is damaged"),
        (thermal_files.flir_segments(thermal_files.fff({RAW: bytes(100)})[:120]), "sensor ends early"),
        (thermal_files.flir_segments(thermal_files.fff({RAW: bytes(10)})), "sensor ends early"),
        (thermal_files.flir_segments(thermal_files.fff({RAW: bytes(100)})), "68 bytes for 0x0 counts"),
        (
            thermal_files.flir_segments(thermal_files.fff({RAW: struct.pack("<HHH", 2, 640, 480).ljust(99)})),
            "67 bytes for 640x480 counts",
        ),
        (
            thermal_files.flir_segments(thermal_files.fff({RAW: struct.pack("<HHH", 2, 65535, 65535).ljust(99)})),
            "too large: 65535x65535",
        ),
        (
            thermal_files.flir_segments(thermal_files.fff({RAW: bytes(32) + b"\xff\xd8\xff\xe0"})),
            "compressed as JPEG, which irfuse does not read",
        ),
        (
            thermal_files.flir_segments(
                thermal_files.fff({RAW: thermal_files.raw_record(thermal_files.scene(), form="png")[:-200]})
            ),
            "truncated",
        ),
        (
            thermal_files.flir_segments(thermal_files.fff({RAW: bytes(900)}), 9)[:4],
            "5 of its 9 parts are .* 5",
        ),
        (
            thermal_files.flir_segments(thermal_files.fff({RAW: bytes(900)}), 9)[1:],
            "1 of its 9 parts are .* 1",
        ),
    ],
)
def test_damaged_data_of_flir(segments: list[tuple[int, bytes]], message: str) -> None:
    pattern = rf"^x.jpg: its thermal data of FLIR cannot be read: .*{message}.*; copy the file .* --as-picture$"
    data = thermal_files.photograph(segments)
    for content in ("thermal", "visible"):
        with pytest.raises(ImageError, match=pattern):
            images.decode(data, "x.jpg", content)
    assert images.decode(data, "x.jpg", "picture").shape == (48, 64, 3)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_visible_photograph_of_flir(order: str) -> None:
    records = {CAMERA: thermal_files.camera_record(), PHOTOGRAPH: thermal_files.photograph_record()}
    segments = thermal_files.flir_segments(thermal_files.fff(records, order))
    assert said(thermal_files.photograph(segments, make="FLIR Systems AB")) == []


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("make", ["DJI", ""])
def test_dji(scale: int, make: str) -> None:
    file = found(thermal_files.dji(scale=scale, make=make))
    np.testing.assert_array_equal(file.counts, thermal_files.scene())
    assert (file.maker, file.celsius, file.visible) == ("DJI", None, b"")
    (line,) = said(thermal_files.dji(scale=scale))
    assert line.startswith("x.jpg: is read as counts, not as temperatures: only DJI's Thermal SDK")


def test_a_sensor_of_dji_beside_a_picture_of_other_proportions() -> None:
    counts = np.arange(640 * 512).reshape(512, 640).astype("<u2")
    segments = [(0xE3, counts.tobytes()[i : i + 60000]) for i in range(0, counts.nbytes, 60000)]
    np.testing.assert_array_equal(found(thermal_files.photograph(segments, make="DJI")).counts, counts)


def test_data_of_dji_that_fits_no_sensor() -> None:
    with pytest.raises(ImageError, match=r"its thermal data of DJI cannot be read: the 1998 bytes .* known sensor"):
        thermal.find(thermal_files.photograph([(0xE3, b"\xb4\x4a" * 999)], make="DJI"), "x.jpg")


@pytest.mark.parametrize(
    ("segments", "make"),
    [
        ([], "DJI"),
        ([(0xE4, bytes(300)), (0xE7, b"DJI-DBG\0")], "DJI"),
        ([(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")], "FLIR"),
        ([(0xE1, b"FLIR\0")], "FLIR"),
        ([(0xE3, b"Meta\0\0" + bytes(500))], "Kodak"),
        ([(0xE3, b"\xff\xd8\xff\xdb" + bytes(3000))], "DJI"),
        ([(0xE3, bytes(1000))], "Another"),
    ],
)
def test_other_segments(segments: list[tuple[int, bytes]], make: str) -> None:
    data = thermal_files.photograph(segments, make=make)
    assert thermal.find(data, "x") is None
    assert said(data) == []


TOOL = """#!/bin/sh
printf 'some remark\\n'
while [ "$1" != -o ]; do shift; done
{write} > "$2"
exit {status}
"""


def test_temperatures_of_dji_by_its_own_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of the same name takes the place of DJI's, which may not be copied."""
    celsius = np.linspace(-5, 60, SIZE[0] * SIZE[1]).reshape(SIZE[::-1]).astype("<f4")
    (tmp_path / "values").write_bytes(celsius.tobytes())
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for write, status, message in (
        (f"cat {tmp_path}/values", 0, ""),
        (f"cat {tmp_path}/values", 3, "dji_irp failed: .*exit status 3"),
        ("head -c 100 /dev/zero", 0, "dji_irp wrote 25 numbers for 64x48 pixels"),
        ("head -c 101 /dev/zero", 0, "dji_irp failed"),
    ):
        program = tmp_path / "dji_irp"
        program.write_text(TOOL.format(write=write, status=status))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        if not message:
            assert said(thermal_files.dji()) == []
            np.testing.assert_array_equal(images.decode(thermal_files.dji(), "x"), celsius)
        else:
            with pytest.warns(ImageFileWarning, match=f"read as counts, not as temperatures: .*{message}"):
                counts = images.decode(thermal_files.dji(), "x")
            np.testing.assert_array_equal(counts, thermal_files.scene())


FLYR: dict[str, tuple[tuple[float, float, float], list[tuple[int, int, float]], str]] = {
    "FLIR_AX8": (
        (24.359720, 25.469215, 25.030829),
        [(0, 0, 24.7915), (30, 40, 25.4157), (59, 79, 25.2483), (20, 53, 25.0806), (12, 11, 25.1946)],
        "06d15e5657c3df0e2cb80e552e619415461c4f5f92ce412eaf97b070b53e66d8",
    ),
    "FLIR_E40": (
        (17.875901, 24.700400, 21.089383),
        [(0, 0, 22.9395), (60, 80, 20.9164), (119, 159, 19.8556), (40, 106, 20.5925), (24, 22, 21.6402)],
        "",
    ),
    "FLIR_T640": (
        (25.461575, 97.853945, 36.912097),
        [(0, 0, 36.0774), (240, 320, 34.4453), (479, 639, 34.2866), (160, 426, 30.3023), (96, 91, 33.1304)],
        "4827491a84d1eb3d6300ebb4175c0fc1ba4baf4317a67dda39974a8624c5ba78",
    ),
}
"""What flyr 5.1.0 reads: minimum, maximum and mean, some pixels, and the SHA-256 of the photograph's RGB pixels."""


@pytest.mark.parametrize("name", FLYR)
def test_files_of_flir(name: str, data: Path) -> None:
    (minimum, maximum, mean), pixels, photograph = FLYR[name]
    file = found((data / "thermal" / f"{name}.jpg").read_bytes())
    assert file.celsius is not None
    values = [file.celsius.min(), file.celsius.max(), file.celsius.mean(dtype=np.float64)]
    assert values == pytest.approx([minimum, maximum, mean], abs=0.01)
    for row, column, expected in pixels:
        assert file.celsius[row, column] == pytest.approx(expected, abs=0.01)
    assert bool(file.visible) == bool(photograph)
    if photograph:
        assert hashlib.sha256(images.decode(file.visible, name).tobytes()).hexdigest() == photograph
    assert file.camera == name.replace("_", " ")


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("DJI_H20T", "93b92d70ee55f6d61fbafb0fa66396dfd6cf5195634e2779df309c0fbe1a2643"),
        ("DJI_M3T", "1080c06158187c688b906d6a238da04aca0c56f524ce23fa30a8ca2699a928e3"),
    ],
)
def test_files_of_dji(name: str, sha256: str, data: Path) -> None:
    """The counts are the bytes of the APP3 segments, which a loop over the segments joined for this hash."""
    counts = found((data / "thermal" / f"{name}.jpg").read_bytes()).counts
    assert counts is not None and counts.shape == (512, 640)
    assert hashlib.sha256(counts.astype("<u2").tobytes()).hexdigest() == sha256


def mutations(data: bytes, generator: np.random.Generator, count: int) -> list[bytes]:
    """Damage a file: cut it off, change bytes, and take or double a part; most often where its segments lie."""
    made = []
    for i in range(count):
        reach = len(data) if i % 3 == 0 else min(len(data), 4000)
        at = int(generator.integers(2, reach))
        if i % 5 == 0:
            made.append(data[:at])
        elif i % 5 == 1:
            end = at + int(generator.integers(1, 2000))
            made.append(data[:at] + data[end:])
        elif i % 5 == 2:
            made.append(data[:at] + data[at : at + int(generator.integers(1, 2000))] + data[at:])
        else:
            changed = bytearray(data)
            for place in generator.integers(2, reach, int(generator.integers(1, 20))):
                changed[place] = generator.integers(256)
            made.append(bytes(changed))
    return made


def check_mutations(data: bytes, count: int, capfd: pytest.CaptureFixture[str]) -> None:
    for number, changed in enumerate(mutations(data, np.random.default_rng(0), count)):
        # Large photographs take long to decode.
        for content in ("thermal", "visible") if number % 4 == 0 or len(data) < 10**6 else ("thermal",):
            try:
                with notices.collected():
                    image = images.decode(changed, "x.jpg", content)
            except IrfuseError as error:
                assert str(error).startswith("x.jpg: ") and "\n" not in str(error)
            else:
                assert image.ndim in (2, 3) and image.size
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("form", ["raw", "swapped", "dji"])
def test_300_damaged_files(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    check_mutations(thermal_files.dji() if form == "dji" else thermal_files.flir(form=form, parts=5), 300, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["FLIR_AX8", "FLIR_E40", "FLIR_T640", "DJI_H20T", "DJI_M3T"])
def test_300_damaged_files_of_cameras(name: str, data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    check_mutations((data / "thermal" / f"{name}.jpg").read_bytes(), 300, capfd)
