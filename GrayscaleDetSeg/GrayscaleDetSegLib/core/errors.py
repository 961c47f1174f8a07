"""Every error a user can cause or meet, each carrying one sentence that says what is wrong and what to do."""


class GrayscaleDetSegError(Exception):
    """Base class of all errors with a message meant for the user."""


class RadiographError(GrayscaleDetSegError):
    """The input cannot be read, or is not a single grayscale radiograph."""


class WeightsError(GrayscaleDetSegError):
    """Model weights are missing, damaged, or do not fit the network."""


class UnknownClassError(GrayscaleDetSegError, ValueError):
    """A class was asked for that the model does not know."""


class MethodError(GrayscaleDetSegError, ValueError):
    """A method was asked for that there is not, that the model lacks, or whose package is broken."""


class OutputError(GrayscaleDetSegError):
    """A result cannot be written, for example because it exists already."""


class DeviceError(GrayscaleDetSegError):
    """The requested computing device cannot be used."""


class DependencyError(GrayscaleDetSegError):
    """A Python package that the method needs is missing, too old, or could not be installed."""
