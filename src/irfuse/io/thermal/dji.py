"""DJI's radiometric JPEG files: counts of 16 bits in APP3 segments.

Only DJI's own Thermal SDK knows how counts become temperatures. Its program ``dji_irp`` is called if it is installed.
"""

import math
import shutil
from pathlib import Path

import numpy as np

from irfuse.errors import ImageError
from irfuse.io import ifd, jpeg
from irfuse.io.jpeg import Header
from irfuse.io.thermal.base import Celsius, ThermalFile

_LARGEST = 8
"""How many times as wide as the sensor the picture is at most."""
_SENSORS = ((640, 512), (1280, 1024), (640, 480), (336, 256), (320, 256), (160, 120))
"""The sizes of sensors whose pictures may have other proportions."""
_MAKE, _MODEL = 271, 272
_KNOWN_APP3 = (b"Meta\0", b"META\0", b"Exif\0", b"Stim\0", b"_JPS", b"\xff\xd8")
"""What the APP3 segments of other cameras begin with: remarks, stereo pairs and previews."""
_PROGRAM, _PATIENCE = "dji_irp", 60
"""The program of DJI's Thermal SDK, and for how many seconds it may run."""
_NO_VISIBLE = "DJI writes the visible image into a file of its own, whose name ends in _V, _W or _Z"


def read(header: Header, data: bytes) -> ThermalFile | None:
    """Read a file of DJI, as :data:`~irfuse.io.thermal.base.Reader` says."""
    app3 = b"".join(header.contents(jpeg.APP3))
    if not app3 or app3.startswith(_KNOWN_APP3):
        return None
    tags = ifd.parse(header.exif)
    is_of_dji = _text(tags, _MAKE).startswith("DJI")
    size = _size(len(app3), header, is_of_dji)
    if size is None:
        if not is_of_dji:
            return None
        raise ImageError(f"the {len(app3)} bytes of its APP3 segments are not the 16-bit counts of a known sensor")
    width, height = size
    counts = np.frombuffer(app3, "<u2").reshape(height, width).astype(np.uint16)
    celsius, no_celsius = _celsius(data, width, height)
    return ThermalFile(
        "DJI", counts, celsius, no_celsius, no_visible=_NO_VISIBLE, camera=" ".join(_text(tags, _MODEL).split())
    )


def _size(length: int, header: Header, is_of_dji: bool) -> tuple[int, int] | None:
    """Find the width and height of the sensor; None if nothing fits the number of bytes.

    The sides of the picture are multiples of the sensor's.
    """
    ratio, rest = divmod(2 * header.width * header.height, length)
    times = math.isqrt(ratio)
    if 0 < times <= _LARGEST and not rest and times**2 == ratio and not (header.width % times or header.height % times):
        return header.width // times, header.height // times
    fitting = [size for size in _SENSORS if 2 * math.prod(size) == length]
    return fitting[0] if is_of_dji and fitting else None


def _celsius(data: bytes, width: int, height: int) -> tuple[Celsius | None, str]:
    """Let DJI's program compute temperatures; else say why there are none."""
    program = shutil.which(_PROGRAM)
    if program is None:
        return None, f"only DJI's Thermal SDK makes temperatures of its counts, and {_PROGRAM} is not on the path"
    # Imported here: few have the program.
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "source.jpg"), Path(folder, "result.raw")
        source.write_bytes(data)
        command = [program, "-s", str(source), "-a", "measure", "-o", str(result), "--measurefmt", "float32"]
        try:
            subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=True, cwd=folder
            )
            values = np.frombuffer(result.read_bytes(), "<f4")
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            return None, f"{program} failed: {error}"
    if values.size != width * height or not np.isfinite(values).any():
        return None, f"{program} wrote {values.size} numbers for {width}x{height} pixels"
    return values.reshape(height, width).astype(np.float32), ""


def _text(tags: ifd.Directory, tag: int) -> str:
    """Return the text of a tag; empty if there is none."""
    value = tags.get(tag)
    return value.data.partition(b"\0")[0].decode("ascii", "replace") if isinstance(value, ifd.Value) else ""
