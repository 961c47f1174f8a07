"""Which readers there are: those that come with the software, and those of other installed packages.

Packages of others name theirs under the entry points ``grayscale_detseg.readers``; they are asked after those that come
with the software, so that no package changes how a common format is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ..plugins import Plugins, plugins_of
from .base import Reader
from .dicom import BareDicomReader, DicomReader
from .rasters import BmpReader, JpegReader, PngReader, TiffReader
from .volumes import MetaImageReader, NiftiReader, NrrdReader

GROUP = "grayscale_detseg.readers"
BUILT_IN: tuple[Reader, ...] = (
    DicomReader(),  # first: the preamble may hold the head of a TIFF file
    PngReader(),
    JpegReader(),
    TiffReader(),
    BmpReader(),
    NrrdReader(),
    MetaImageReader(),
    NiftiReader(),
    BareDicomReader(),  # last: it is told by four bytes alone
)


@lru_cache(maxsize=1)
def readers() -> Plugins[Reader]:
    """The readers of this process, in the order in which they are asked.

    ``readers.cache_clear()`` looks for installed packages anew.
    """
    return plugins_of(GROUP, "reader", BUILT_IN, problem_of)


def problem_of(reader: Any, before: Sequence[Reader]) -> str:
    """Why an object cannot be a reader, as the rest of a sentence; empty if it can."""
    if not isinstance(getattr(reader, "name", None), str) or not reader.name:
        return "it has no name"
    missing = [name for name in ("recognises", "read") if not callable(getattr(reader, name, None))]
    if missing:
        return f"it lacks {' and '.join(missing)}"
    endings = getattr(reader, "extensions", None)
    if not isinstance(endings, tuple) or not all(isinstance(each, str) and each.startswith(".") for each in endings):
        return "its extensions are no tuple of texts with a dot"
    if reader.name in [each.name for each in before]:
        return f"there is a reader called '{reader.name}' already"
    return ""


def extensions() -> tuple[str, ...]:
    """The endings of the names of files that can be read, the longest first, so that ``.nii.gz`` is found whole."""
    found = {extension.lower() for reader in readers().parts for extension in reader.extensions}
    return tuple(sorted(found, key=lambda extension: (-len(extension), extension)))
