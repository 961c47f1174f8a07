"""Every error a user can cause or meet, each carrying one sentence that says what is wrong and what to do."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(text: object) -> str:
    """`text` on one line: control characters, which names of files may hold, as Python writes them ("\\n")."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(text))


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
