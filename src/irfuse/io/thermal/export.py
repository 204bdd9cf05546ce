"""What a thermal file holds, as numbers that other software reads."""

import io
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from irfuse import notices
from irfuse.errors import ImageError, ImageFileWarning
from irfuse.imaging.levels import THERMAL_ONLY
from irfuse.io.thermal.base import ZERO_CELSIUS, ThermalFile

Form = Literal["celsius", "counts", "centikelvin"]
"""Temperatures in °C, counts of the sensor, or hundredths of a kelvin."""

_MOST = 65535
"""The largest number of 16 bits."""


def numbers(file: ThermalFile, form: Form) -> NDArray[Any]:
    """Return the numbers of a thermal file.

    Args:
        file: the file.
        form: what to return.

    Returns:
        (H, W): ``float32`` in °C, NaN where there is no temperature; counts in their own dtype; or ``uint16`` in
        hundredths of a kelvin, 0 where there is no temperature.

    Raises:
        ImageError: the file does not hold them, or a temperature is above 382.2 °C, where 16 bits end. The message does
            not name the file.

    >>> file = ThermalFile("", None, np.float32([[20.0, np.nan]]))
    >>> numbers(file, "centikelvin").tolist()
    [[29315, 0]]
    """
    if form == "counts":
        if file.counts is None:
            raise ImageError("has no counts, but temperatures")
        return file.counts
    if file.celsius is None:
        raise ImageError(f"has no temperatures, since {file.no_celsius}; export its counts")
    if form == "celsius":
        return file.celsius
    kelvin = np.rint((file.celsius.astype(np.float64) + ZERO_CELSIUS) * 100)
    if np.nanmax(kelvin) > _MOST or np.nanmin(kelvin) < 0:
        raise ImageError(
            f"goes from {np.nanmin(file.celsius):.1f} to {np.nanmax(file.celsius):.1f} °C, and 16 bits of 1/100 K end "
            "at 382.2 °C: export the temperatures in °C"
        )
    return np.nan_to_num(kelvin, nan=0).astype(np.uint16)


def exact(values: NDArray[Any]) -> NDArray[Any]:
    """Give numbers a dtype in which TIFF files are written, without a change of any number.

    Args:
        values: an array of any dtype that infrared images have.

    Returns:
        The same numbers, those of ``int16`` and ``int32`` as ``uint16`` if they all fit, else as ``float32``.

    Raises:
        ImageError: numbers are beyond 16,777,216, above which ``float32`` lacks some.

    Warns:
        ImageFileWarning: counts become ``float32``.

    >>> exact(np.int16([[5, 7]])).dtype
    dtype('uint16')
    """
    if values.dtype.name not in THERMAL_ONLY:
        return values
    if values.min() >= 0 and values.max() <= _MOST:
        return values.astype(np.uint16)
    as_float = values.astype(np.float32)
    if (as_float != values).any():
        raise ImageError(f"numbers up to {np.abs(values).max()} cannot be written, since TIFF files get float32")
    notices.warn(
        ImageFileWarning(
            f"counts from {values.min()} to {values.max()} do not fit 16 bits and are written in floating point, "
            "which is read as °C"
        )
    )
    return as_float


def to_csv(values: NDArray[Any]) -> bytes:
    """Write numbers as text: a line for each row of pixels, with commas between, and nothing where there is no number.

    >>> to_csv(np.float32([[20.25, np.nan], [21, 22]]))
    b'20.250,\\n21.000,22.000\\n'
    """
    text = io.StringIO()
    np.savetxt(text, values, fmt="%.3f" if values.dtype.kind == "f" else "%d", delimiter=",")
    return text.getvalue().replace("nan", "").encode()
