"""How large an image may be. It is checked by the file's header, before memory is taken."""

from irfuse.errors import ImageError

_MOST_PIXELS = 500_000_000


def check_size(width: int, height: int, name: str) -> None:
    """Refuse an image that is too large.

    Raises:
        ImageError: it has more than 500 million pixels.

    >>> check_size(640, 480, "x.png")
    """
    if width * height > _MOST_PIXELS:
        raise ImageError(
            f"{name}: is too large: {width}x{height} pixels, and at most {_MOST_PIXELS // 10**6} million are read; "
            "cut or shrink it"
        )
