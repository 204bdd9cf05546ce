"""The exceptions that irfuse raises on purpose: one clear line each, naming the thing and the way out."""


class IrfuseError(Exception):
    """Base of every error that irfuse raises on purpose; the command prints its message and exits with 2."""


class ImageError(IrfuseError, ValueError):
    """An image or array that cannot be read, written or fused."""


class PairError(IrfuseError, ValueError):
    """An infrared and a visible image, or two folders of them, that do not belong together."""


class SpecError(IrfuseError, ValueError):
    """An unknown method, or a parameter that the method does not take."""


class ParameterError(IrfuseError, ValueError):
    """An argument whose value is impossible."""


class WeightsError(IrfuseError):
    """A weights file that is missing, damaged or made for something else."""


class OutputError(IrfuseError, OSError):
    """A place that cannot be written to."""


class MissingDependencyError(IrfuseError, ImportError):
    """An optional package that the call needs and that is not installed."""


class ExportError(IrfuseError):
    """A model file that was made and does not compute what its method does, or a file that is no such model."""


class TrainingError(IrfuseError):
    """Training that cannot start, or cannot go on."""


class DivergedError(TrainingError):
    """Training whose result became worse and worse: what it made is of no use."""


class StoppedError(IrfuseError):
    """Long work that was asked to stop, has lost nothing, and can go on; the command exits with 130."""


class DeviceError(IrfuseError):
    """A device that this machine, or this build of PyTorch, does not have."""


class SuspiciousPairWarning(UserWarning):
    """A pair that can be fused or scored but looks wrong, such as one whose images seem to be swapped."""


class DatasetError(IrfuseError):
    """A data set that cannot be found, or is not the one that its list means."""


class UndefinedScoreWarning(UserWarning):
    """Scores that are undefined for the images given, and therefore NaN.

    Attributes:
        metrics: their names.
        cause: what about the images makes them so.
    """

    def __init__(self, message: str, metrics: tuple[str, ...] = (), cause: str = "") -> None:
        # All are arguments of the base, so that it travels between processes.
        super().__init__(message, metrics, cause)
        self.metrics, self.cause = metrics, cause

    def __str__(self) -> str:
        return str(self.args[0])


class PluginWarning(UserWarning):
    """A method of another package that cannot be used."""


class BenchmarkWarning(UserWarning):
    """What should be known before a benchmark starts, such as pairs that a method was trained on."""
