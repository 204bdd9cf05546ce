"""The errors and warnings of irfuse. Each has a message of one line that names the cause and the way out."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

_OUT_OF_MEMORY = re.compile(
    r"out of memory|not enough memory|insufficient memory|can.?t allocate memory|cannot allocate memory"
    r"|failed to allocate|bad_?alloc|ALLOC_FAILED|failed to map segment|can't start new thread",
    re.IGNORECASE,
)
"""What the libraries say, most of which have no exception class for it."""


class IrfuseError(Exception):
    """The base of all errors of irfuse. The command prints the message and exits with status 2."""


class ImageError(IrfuseError, ValueError):
    """An image or array that cannot be read, written or fused."""


class PairError(IrfuseError, ValueError):
    """An infrared and a visible image, or two folders of them, that do not belong together."""


class CalibrationError(IrfuseError, ValueError):
    """A calibration of two cameras that cannot be read or applied, or points that determine none."""


class RegistrationError(PairError):
    """Two images that cannot be registered with confidence."""


class SpecError(IrfuseError, ValueError):
    """An unknown method, or a parameter that the method does not take."""


class MethodError(IrfuseError):
    """A method, of a file or a package of the user's, that fails or does not return what the contract demands."""


class ParameterError(IrfuseError, ValueError):
    """An argument whose value is impossible."""


class WeightsError(IrfuseError):
    """A weights file that is missing, damaged or made for something else."""


class OutputError(IrfuseError, OSError):
    """A file or folder that cannot be written."""


class MissingDependencyError(IrfuseError, ImportError):
    """An optional package that a call needs and that is not installed."""


class ExportError(IrfuseError):
    """A model file whose results differ from its method's, or a file that is not a model of irfuse."""


class TrainingError(IrfuseError):
    """Training that cannot start or continue."""


class DivergedError(TrainingError):
    """Training that diverged: its result is useless."""


class StoppedError(IrfuseError):
    """Long work that was interrupted, lost nothing and can be resumed. The command exits with status 130."""


class DeviceError(IrfuseError):
    """A device that this machine, or this build of PyTorch, does not have."""


class SuspiciousPairWarning(UserWarning):
    """A pair that can be fused or scored but looks wrong, such as one whose images seem to be swapped."""


class ImageFileWarning(UserWarning):
    """An image file that can be read, but looks damaged, or holds more than irfuse reads or writes."""


class PrecisionWarning(UserWarning):
    """A computation that is less exact than requested."""


class DatasetError(IrfuseError):
    """A data set that cannot be found, or whose files are not those of its list."""


class DatasetWarning(UserWarning):
    """Files or folders of a data set that are left out, such as a folder that cannot be read."""


class BenchmarkError(IrfuseError):
    """A benchmark in which everything failed."""


class UndefinedScoreWarning(UserWarning):
    """Scores that are NaN because they are undefined for these images.

    Attributes:
        metrics: the names of the metrics.
        cause: why they are undefined.
    """

    def __init__(self, message: str, metrics: tuple[str, ...] = (), cause: str = "") -> None:
        # All are arguments of the base class, so that the warning can be pickled.
        super().__init__(message, metrics, cause)
        self.metrics, self.cause = metrics, cause

    def __str__(self) -> str:
        return str(self.args[0])


class PluginWarning(UserWarning):
    """A method of another package that cannot be used."""


class BenchmarkWarning(UserWarning):
    """What the user of a benchmark should know, such as pairs that a method was trained on, or on which it failed."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error of Python, NumPy, OpenCV, PyTorch or an engine says that memory ran out.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("CUDA out of memory"))
    (True, True)
    """
    if isinstance(error, MemoryError):
        return True
    # An image may be named "out of memory", so the errors of irfuse are not searched.
    return not isinstance(error, IrfuseError) and bool(_OUT_OF_MEMORY.search(str(error)))


@contextmanager
def naming(name: str, *kinds: type[IrfuseError]) -> Iterator[None]:
    """Put a name, such as that of a file or a pair, before what errors of these kinds say; an empty one adds nothing.

    >>> with naming("a.png", ImageError):
    ...     raise ImageError("no pixels")
    Traceback (most recent call last):
    irfuse.errors.ImageError: a.png: no pixels
    """
    try:
        yield
    except kinds as error:
        raise type(error)(f"{name}: {error}" if name else str(error)) from None


def reason(error: BaseException) -> str:
    """Describe an error in one line, for the terminal or beside the name of a pair.

    >>> reason(ParameterError("jobs cannot be 0"))
    'jobs cannot be 0'
    >>> reason(KeyError("gain"))
    "KeyError: 'gain'"
    """
    if isinstance(error, IrfuseError):
        text = str(error)
    elif is_out_of_memory(error):
        text = "out of memory; use smaller images, fewer processes at once, or a device or machine with more memory"
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())
