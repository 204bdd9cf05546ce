"""What a thermal file holds, and what a reader of one maker's files is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from irfuse.io.jpeg import Header

Counts: TypeAlias = NDArray[np.uint16]
"""What the sensor measured, (H, W)."""
Celsius: TypeAlias = NDArray[np.float32]
"""Temperatures in °C, (H, W), NaN where there is none."""

ZERO_CELSIUS = 273.15
"""0 °C in kelvin."""


@dataclass(frozen=True)
class Scene:
    """What lies between a camera and the surfaces that it sees, as its user has set it.

    Attributes:
        emissivity: of the surfaces, above 0 and up to 1.
        distance: from the camera to them, in meters.
        reflected, atmosphere, window: the temperatures, in °C, of what they reflect, of the air, and of a window before
            the camera.
        humidity: the relative humidity, from 0 to 1.
        transmission: the share of the radiation that the window lets through, above 0 and up to 1.
    """

    emissivity: float
    distance: float
    reflected: float
    atmosphere: float
    window: float
    humidity: float
    transmission: float


@dataclass(frozen=True)
class StoredAlignment:
    """Where the camera itself places the infrared image in its photograph. The size is often far off.

    Attributes:
        real_to_ir: how many times as wide as the infrared image the photograph's field of view is.
        offset_x, offset_y: how far the center of the infrared image lies to the right of that of the photograph, and
            below it, in pixels of the photograph.
    """

    real_to_ir: float
    offset_x: int
    offset_y: int


@dataclass(frozen=True)
class ThermalFile:
    """What a thermal file holds.

    At least one of `counts` and `celsius` is there.

    Attributes:
        maker: the maker of the camera; empty for an image of counts or temperatures.
        counts: what the sensor measured, (H, W).
        celsius: temperatures in °C, (H, W).
        no_celsius: why there are no temperatures; empty if there are.
        visible: the embedded photograph, as the content of a JPEG or PNG file; empty if there is none.
        no_visible: why there is no photograph; empty if there is one.
        camera: the camera's name; empty if unknown.
        scene: what lies before the camera; None if the file does not say.
        alignment: where the camera places the infrared image in the photograph; None if it does not say.
    """

    maker: str
    counts: NDArray[Any] | None
    celsius: Celsius | None
    no_celsius: str = ""
    visible: bytes = b""
    no_visible: str = ""
    camera: str = ""
    scene: Scene | None = None
    alignment: StoredAlignment | None = None

    @property
    def values(self) -> NDArray[Any]:
        """The temperatures in °C if there are any, else the counts."""
        values = self.celsius if self.celsius is not None else self.counts
        assert values is not None
        return values


Reader: TypeAlias = Callable[[Header, bytes], ThermalFile | None]
"""Reads the thermal files of one maker, from the header of a JPEG file and its whole content.

It returns None for the files of others and for ordinary photographs. It raises an ImageError, which does not name the
file, if there is thermal data that cannot be read.
"""
