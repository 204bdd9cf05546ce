"""Image formats, by the extensions of their files."""

from pathlib import Path

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".webp")
"""The extensions of the images that irfuse reads and writes."""


def is_image(path: Path) -> bool:
    """Tell whether `path` has the extension of an image that irfuse reads.

    >>> is_image(Path("frame.PNG")), is_image(Path("notes.txt"))
    (True, False)
    """
    return path.suffix.lower() in EXTENSIONS
