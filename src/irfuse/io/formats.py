"""Image formats, by the extensions of their files."""

from pathlib import Path

from irfuse.errors import ImageError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".webp")
"""The extensions of the images that irfuse reads and writes."""

_VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".ts", ".webm", ".wmv")

_FLIR_VIDEOS = (".seq", ".csq")

_OTHER_IMAGES = (
    ".gif",
    ".jp2",
    ".j2k",
    ".jxl",
    ".heic",
    ".heif",
    ".avif",
    ".ppm",
    ".pbm",
    ".pnm",
    ".dng",
    ".exr",
    ".hdr",
)


def check_not_video(path: Path) -> None:
    """Refuse a video, whose frames irfuse does not read.

    Raises:
        ImageError: the name is that of a video file. The message says how to get its frames.
    """
    if path.suffix.lower() in _FLIR_VIDEOS:
        raise ImageError(
            f"{path}: videos of FLIR are not supported; export its frames as radiometric JPEG or TIFF with FLIR's "
            "software, and fuse the folders"
        )
    if path.suffix.lower() in _VIDEOS:
        raise ImageError(
            f"{path}: videos are not supported; write its frames into a folder first: "
            f"ffmpeg -i {path.name} FRAMES/%06d.png, and fuse the folders"
        )


def is_other_image(path: Path) -> bool:
    """Tell whether `path` has the extension of an image or a video that irfuse does not read in a folder.

    >>> is_other_image(Path("clip.MP4")), is_other_image(Path("notes.txt"))
    (True, False)
    """
    return path.suffix.lower() in (*_OTHER_IMAGES, *_VIDEOS, *_FLIR_VIDEOS)


def is_image(path: Path) -> bool:
    """Tell whether `path` has the extension of an image that irfuse reads.

    >>> is_image(Path("frame.PNG")), is_image(Path("notes.txt"))
    (True, False)
    """
    return path.suffix.lower() in EXTENSIONS
