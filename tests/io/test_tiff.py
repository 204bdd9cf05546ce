import io

import numpy as np
import PIL.Image
import pytest
import tifffile
from numpy.typing import NDArray

from irfuse.errors import ImageError, ImageFileWarning
from irfuse.io import images

Image = NDArray[np.generic]


def tiff(image: Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, image, **options)
    return buffer.getvalue()


def pages(*images: Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for image in images:
            writer.write(image, **{"metadata": None, **options})
    return buffer.getvalue()


@pytest.fixture
def counts(rng: np.random.Generator) -> NDArray[np.uint16]:
    """A thermal image of 14 bits with some noise."""
    return (7000 + 20 * np.arange(64) + rng.integers(0, 50, (48, 64))).astype(np.uint16)


@pytest.mark.parametrize(
    "compression", ["none", "lzw", "packbits", "zlib", "zstd", "lzma", "jpeg2000", "jpegxl", "png", "lerc"]
)
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_compressions(compression: str, planar: str, counts: NDArray[np.uint16]) -> None:
    lossless = {"jpegxl": {"compressionargs": {"lossless": True}}}.get(compression, {})
    image = np.dstack([counts, counts + 1, counts + 2])
    stored = np.moveaxis(image, 2, 0) if planar == "separate" else image
    data = tiff(stored, photometric="rgb", planarconfig=planar, compression=compression, rowsperstrip=16, **lossless)
    np.testing.assert_array_equal(images.decode(data, "x"), image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}, {"predictor": True}])
def test_dtypes(
    dtype: type, tile: tuple[int, int] | None, options: dict[str, object], rng: np.random.Generator
) -> None:
    image = rng.integers(0, 120, (33, 21)).astype(dtype)
    compression = "zlib" if "predictor" in options else "lzw"
    if dtype == np.float16 and "predictor" in options:
        pytest.skip("the predictor of floats is not defined for 16 bits")
    decoded = images.decode(tiff(image, tile=tile, compression=compression, **options), "x")
    np.testing.assert_array_equal(decoded, image)
    assert decoded.dtype == (np.float32 if dtype == np.float16 else dtype)


def packed(image: Image, bits: int) -> bytes:
    """A TIFF file whose values lie in `bits` bits each, without gaps but at the end of a row."""
    ones = (image[..., None] >> np.arange(bits)[::-1]) & 1
    rows = np.packbits(ones.reshape(len(image), -1).astype(np.uint8), axis=1)
    # The same file with 8 bits, as wide as a row has bytes; then width and bits are put right.
    data = bytearray(tiff(rows, metadata=None))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        for tag, value in ((256, image.shape[1]), (258, bits)):
            at = file.pages[0].tags[tag].valueoffset
            data[at : at + 2] = value.to_bytes(2, "little")
    return bytes(data)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_counts_stay_counts(bits: int, rng: np.random.Generator) -> None:
    image = rng.integers(0, 2**bits, (20, 31)).astype(np.uint16)
    np.testing.assert_array_equal(images.decode(packed(image, bits), "x"), image)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_scaled(bits: int, rng: np.random.Generator) -> None:
    image = rng.integers(0, 2**bits, (20, 31)).astype(np.uint8)
    np.testing.assert_array_equal(images.decode(packed(image, bits), "x"), image * (255 // (2**bits - 1)))


def test_the_largest_page_is_the_image(counts: NDArray[np.uint16]) -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(counts[::8, ::8], subfiletype=1, metadata=None)
        writer.write(counts, metadata=None)
        writer.write(counts[::4, ::4], subfiletype=1, metadata=None)
    np.testing.assert_array_equal(images.decode(buffer.getvalue(), "x"), counts)


@pytest.mark.parametrize("small_first", [False, True])
def test_several_images_are_told(small_first: bool, counts: NDArray[np.uint16]) -> None:
    parts = (counts[::2, ::2], counts) if small_first else (counts, counts + 1)
    with pytest.warns(ImageFileWarning, match=rf"^x\.tif: holds 2 images; number {1 + small_first} is read \(64x48\)"):
        np.testing.assert_array_equal(images.decode(pages(*parts), "x.tif"), counts)


def test_stack_of_imagej(counts: NDArray[np.uint16]) -> None:
    with pytest.warns(ImageFileWarning, match="holds 3 images"):
        images.decode(tiff(np.stack([counts] * 3), imagej=True), "x.tif")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha(dtype: type, rng: np.random.Generator) -> None:
    full = int(np.iinfo(dtype).max)
    image = rng.integers(0, full, (20, 30, 4)).astype(dtype)
    image[..., 3] = full // 3
    data = tiff(image, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(images.decode(data, "x"), image)
    multiplied = image.copy()
    multiplied[..., :3] = np.rint(image[..., :3] / 3)
    decoded = images.decode(tiff(multiplied, photometric="rgb", extrasamples=["assocalpha"]), "x")
    np.testing.assert_allclose(decoded.astype(int), image, atol=2)


def test_further_channels_are_told(counts: NDArray[np.uint16]) -> None:
    image = np.dstack([counts] * 5)
    with pytest.warns(ImageFileWarning, match="holds 5 channels; the first 3 are read"):
        assert images.decode(tiff(image, photometric="rgb", extrasamples=[0, 0]), "x").shape == (48, 64, 3)
    with pytest.warns(ImageFileWarning, match="holds 2 channels; the first 1 are read"):
        data = tiff(image[..., :2], photometric="minisblack", planarconfig="contig", extrasamples=[0])
        np.testing.assert_array_equal(images.decode(data, "x"), counts)


@pytest.mark.parametrize("compression", ["none", "lzw", "packbits", "zlib"])
@pytest.mark.parametrize("kind", ["cut", "zeroed", "missing"])
def test_damaged_strips_are_refused(compression: str, kind: str, counts: NDArray[np.uint16]) -> None:
    if kind == "zeroed" and compression == "none":
        pytest.skip("nothing tells zeros from values")
    # In noise, LZW and PackBits only list the values, so that others are as right. Flat areas are compressed.
    data = bytearray(tiff((counts >> 8) * 257, compression=compression, rowsperstrip=8, metadata=None))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        page = file.pages[0]
        at, length = page.dataoffsets[2], page.databytecounts[2]
        lengths = page.tags[279].valueoffset
    if kind == "cut":
        data = data[: at + length // 2]
    elif kind == "zeroed":
        data[at + length // 3 : at + length // 3 + 32] = bytes(32)
    else:
        data[lengths + 4 : lengths + 6] = bytes(2)
    with pytest.raises(ImageError, match=r"^x\.tif: not a readable image"):
        images.decode(bytes(data), "x.tif")


def test_unknown_compression_is_refused(counts: NDArray[np.uint16]) -> None:
    data = bytearray(tiff(counts, compression="lzw", metadata=None))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        at = file.pages[0].tags[259].valueoffset
    data[at : at + 2] = (32809).to_bytes(2, "little")
    with pytest.raises(ImageError, match=r"^x\.tif: not a readable image"):
        images.decode(bytes(data), "x.tif")


def test_jpeg_strips(rng: np.random.Generator) -> None:
    image = np.kron(rng.integers(0, 255, (6, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    data = tiff(image, compression="jpeg", photometric="ycbcr", rowsperstrip=32)
    expected = np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_allclose(images.decode(data, "x").astype(int), expected, atol=3)
