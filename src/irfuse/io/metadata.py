"""What an image file says besides its pixels. A fused image keeps the color profile, EXIF and XMP data of it."""

from dataclasses import dataclass, field

from irfuse.io import ifd, xmp

_DESCRIPTION, _ORIENTATION = 270, 274
# Of EXIF's own directory: the size of the image before it was turned upright.
_WIDTH, _HEIGHT = 40962, 40963
_EXIF_HEADER = b"Exif\0\0"
_KEPT = (
    271,  # make
    272,  # model
    282,  # horizontal resolution
    283,  # vertical resolution
    296,  # unit of the resolution
    306,  # date and time
    315,  # artist
    33432,  # copyright
    ifd.EXIF,
    ifd.GPS,
    # GeoTIFF: the scale, the tie points, the transformation, the keys with their numbers and texts, and no data.
    33550,
    33922,
    34264,
    34735,
    34736,
    34737,
)
"""The tags that are still true of an image that was fused. The rest describes pixels, such as strips and thumbnails."""
_LONGEST_JPEG = 65_480
"""The bytes of EXIF data, or of XMP data, that a JPEG file can hold, less a margin."""


@dataclass(frozen=True)
class Metadata:
    """What an image file says about its image.

    Attributes:
        profile: the ICC profile; empty if there is none.
        tags: the EXIF tags that are also true of a fused image, such as the camera, the time, the GPS position, and
            GeoTIFF's.
        xmp: the XMP data that is also true of a fused image; empty if there is none.
        description: the image description, which no fused image takes over; empty if there is none.
    """

    profile: bytes = b""
    tags: ifd.Directory = field(default_factory=dict)
    xmp: bytes = b""
    description: str = ""

    def __bool__(self) -> bool:
        """Tell whether there is anything that a fused image keeps."""
        return bool(self.profile or self.tags or self.xmp)

    def fitting(self, channels: int) -> bytes:
        """Return the profile if it is one for images of so many channels, else nothing."""
        space = {1: b"GRAY", 2: b"GRAY", 3: b"RGB ", 4: b"RGB "}.get(channels)
        return self.profile if self.profile[16:20] == space else b""

    def directory(self, description: str) -> dict[int, "ifd.Value | ifd.Directory"]:
        """Make the tags of an upright image with a description; empty if there is neither."""
        tags = dict(self.tags)
        if tags:
            tags[_ORIENTATION] = ifd.Value(ifd.SHORT, b"\1\0")
        if description:
            tags[_DESCRIPTION] = ifd.Value(ifd.TEXT, description.encode("ascii", "replace") + b"\0")
        return tags

    def exif(self, description: str, extension: str) -> bytes:
        """Make the EXIF data of an upright image with a description; empty if there is neither.

        For JPEG, EXIF data that is too long keeps only the position and the description.
        """
        tags = self.directory(description)
        data = b"II*\0" + ifd.serialize(tags, 8) if tags else b""
        if extension in (".jpg", ".jpeg") and len(data) > _LONGEST_JPEG:
            short = {tag: tags[tag] for tag in (_DESCRIPTION, _ORIENTATION, ifd.GPS) if tag in tags}
            data = b"II*\0" + ifd.serialize(short, 8)
        return data

    def fitting_xmp(self, extension: str) -> bytes:
        """Return the XMP data if the file can hold it, else nothing."""
        is_too_long = extension in (".jpg", ".jpeg") and len(self.xmp) > _LONGEST_JPEG
        return b"" if is_too_long else self.xmp


NO_METADATA = Metadata()


def of_file(exif: bytes, profile: bytes, packet: bytes) -> tuple[Metadata, int]:
    """Choose what stays true.

    Args:
        exif: EXIF data, or the first directory of a TIFF file.
        profile: the ICC profile.
        packet: the XMP data.

    Returns:
        The metadata, and the orientation of the image, 1 to 8.
    """
    found = ifd.parse(exif.removeprefix(_EXIF_HEADER))
    tags = {tag: found[tag] for tag in _KEPT if tag in found}
    orientation = ifd.number(found, _ORIENTATION, 1)
    inner = tags.get(ifd.EXIF)
    if inner is not None and not isinstance(inner, ifd.Value) and orientation != 1:
        tags[ifd.EXIF] = {tag: value for tag, value in inner.items() if tag not in (_WIDTH, _HEIGHT)}
    return Metadata(profile, tags, xmp.kept(packet), _text(found.get(_DESCRIPTION))), orientation


def _text(value: ifd.Value | ifd.Directory | None) -> str:
    """Return the value of a tag if it is text, else nothing."""
    if not (isinstance(value, ifd.Value) and value.kind == ifd.TEXT):
        return ""
    return value.data.rstrip(b"\0").decode("ascii", "replace")
