"""XMP data of the visible image is kept where the format can hold it, without what is not true of a fused image."""

import io
import struct
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irfuse.errors import ImageFileWarning
from irfuse.io import images, xmp

HOLDS = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP", ".tif": "TIFF"}
NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "drone-dji": "http://www.dji.com/drone-dji/1.0/",
}
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
FALSE = {"tiff:Orientation": "6", "exif:PixelXDimension": "4000", "xmpMM:InstanceID": "a", "crs:Exposure": "+1"}
TRUE = {"drone-dji:GimbalPitchDegree": "-90.00", "tiff:Make": "DJI", "exif:GPSAltitude": "519/1"}


def packet(attributes: dict[str, str], elements: str = "") -> bytes:
    spaces = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in NAMESPACES.items())
    values = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{RDF[1:-1]}"><rdf:Description rdf:about="" {spaces} {values}>{elements}</rdf:Description>'
        f"</rdf:RDF></x:xmpmeta>{' ' * 500}<?xpacket end='w'?>"
    ).encode()


CREATOR = "<dc:creator><rdf:Seq><rdf:li>Ünal &amp; Co</rdf:li></rdf:Seq></dc:creator>"
HISTORY = "<xmpMM:History><rdf:Seq><rdf:li>cropped</rdf:li></rdf:Seq></xmpMM:History><dc:format>image/jpeg</dc:format>"
PACKET = packet({**TRUE, **FALSE}, CREATOR + HISTORY)


def photograph(extension: str, data: bytes = PACKET) -> bytes:
    """A photograph with XMP data, by another library where it writes such."""
    image = Image.fromarray(np.full((24, 40, 3), 90, np.uint8))
    buffer = io.BytesIO()
    if extension == ".tif":
        image.save(buffer, "TIFF", tiffinfo={700: data})
    elif extension == ".png":
        image.save(buffer, "PNG")
        text = xmp.PNG_KEYWORD + b"\0\0\0\0\0" + data
        return with_chunk(buffer.getvalue(), text)
    else:
        image.save(buffer, HOLDS[extension], xmp=data)
    return buffer.getvalue()


def with_chunk(png: bytes, text: bytes) -> bytes:
    """Add text to a PNG file, behind another text."""
    chunks = b""
    for content in (b"Comment\0\0\0\0\0none", text):
        chunks += struct.pack(">I", len(content)) + b"iTXt" + content
        chunks += struct.pack(">I", zlib.crc32(b"iTXt" + content))
    return png[:33] + chunks + png[33:]


def properties(data: bytes) -> dict[str, str]:
    """The properties of XMP data, by their prefixed names."""
    prefixes = {name: prefix for prefix, name in NAMESPACES.items()}
    found = {}
    for description in ET.fromstring(data).iter(f"{RDF}Description"):
        pairs = [*description.attrib.items(), *((child.tag, "".join(child.itertext())) for child in description)]
        for name, value in pairs:
            space, _, local = name[1:].partition("}")
            if space in prefixes:
                found[f"{prefixes[space]}:{local}"] = value
    return found


@pytest.mark.parametrize("source", HOLDS)
@pytest.mark.parametrize("target", HOLDS)
def test_what_stays_true_is_kept(source: str, target: str) -> None:
    image, metadata = images.decode_with_metadata(photograph(source), "x")
    data = images.encode(image, target, "fused", metadata)
    _, again = images.decode_with_metadata(data, "x")
    assert properties(again.xmp) == {**TRUE, "dc:creator": "Ünal & Co"}
    # Another library finds it, too.
    written = Image.open(io.BytesIO(data))
    found = written.info.get("xmp") or written.info.get("XML:com.adobe.xmp")
    found = found.encode() if isinstance(found, str) else found
    assert properties(found) == {**TRUE, "dc:creator": "Ünal & Co"}


def test_compressed_text_in_png() -> None:
    text = xmp.PNG_KEYWORD + b"\0\1\0\0\0" + zlib.compress(PACKET)
    plain = images.encode(np.zeros((8, 8), np.uint8), ".png")
    assert properties(images.decode_with_metadata(with_chunk(plain, text), "x")[1].xmp)["tiff:Make"] == "DJI"
    broken = xmp.PNG_KEYWORD + b"\0\1\0\0\0nonsense"
    assert images.decode_with_metadata(with_chunk(plain, broken), "x")[1].xmp == b""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        PACKET[:300],
        packet({}),
        packet(FALSE, HISTORY),
        b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]>" + PACKET,
        b"<x/>",
        b"\0" * 40,
        b"\xff\xfe\0\0<",
    ],
)
def test_damaged_and_empty_data_is_left_out(data: bytes) -> None:
    assert xmp.kept(data) == b""


def test_mutated_data_raises_nothing(rng: np.random.Generator) -> None:
    for _ in range(100):
        mutant = bytearray(PACKET)
        for at in rng.integers(0, len(mutant), 2):
            mutant[at] = rng.integers(256)
        xmp.kept(bytes(mutant))


def test_long_data_is_left_out_of_jpeg() -> None:
    long = packet({"drone-dji:Note": "x" * 70_000})
    image, metadata = images.decode_with_metadata(photograph(".png", long), "x")
    for extension, kept in ((".jpg", False), (".png", True)):
        _, again = images.decode_with_metadata(images.encode(image, extension, "", metadata), "x")
        assert bool(again.xmp) == kept


def test_formats_without_metadata_say_so(tmp_path: Path) -> None:
    image, metadata = images.decode_with_metadata(photograph(".jpg"), "x")
    with pytest.warns(ImageFileWarning, match=r"\.bmp cannot hold the visible image's .* XMP data"):
        images.write(tmp_path / "x.bmp", image, "", metadata)
