"""What a training case is, for both sides: the module in Slicer that saves it and the training that reads it.

A case is two files in one folder: ``NAME.nrrd``, one slice in the image's own units, bone bright, and
``NAME.seg.nrrd``, Slicer's file of a segmentation, in which every segment has the name of its class. Both lie over
each other in patient coordinates. The image's header says in :data:`POLARITY` what makes its values bone bright.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from .labels import TISSUE, anatomy

IMAGE_EXTENSION, SEGMENTATION_EXTENSION = ".nrrd", ".seg.nrrd"

MARK = "GrayscaleDetSeg.Case"
"""Key in the header of an image that was saved as a case; its value is the version of this form."""
POLARITY, PIVOT = "GrayscaleDetSeg.Polarity", "GrayscaleDetSeg.PolarityPivot"
"""Keys: ``"as is"`` or ``"inverted"``, and the pivot: bone-bright value = pivot - value in the file."""

_LONGEST_NAME = 80
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_ENDINGS = re.compile(r"(\.seg|\.nrrd)+$", re.IGNORECASE)
_NUMBERED = re.compile(r"(.*\S)[ _-]+\d+")
_UNNAMED = re.compile(r"segment[ _-]?\d*", re.IGNORECASE)


def class_of(name: str, known: Iterable[str] = ()) -> str | None:
    """The class that a segment called `name` stands for; None where the name does not say what it shows.

    A known class counts in any capitals and with a number behind ("Femur 2" is a femur). Any other name is a class of
    its own, as it is written. Names that Slicer makes up ("Segment_1") say nothing.

    Parameters
    ----------
    known : iterable of str
        Classes that are known besides those of ``labels``.
    """
    text = " ".join(name.split())
    if not text or _UNNAMED.fullmatch(text):
        return None
    spelled = {label.casefold(): label for label in known}
    numbered = _NUMBERED.fullmatch(text)
    for candidate in (text, numbered.group(1) if numbered else text):
        folded = candidate.casefold()
        if folded in spelled:
            return spelled[folded]
        if anatomy(folded).structure != TISSUE:
            return folded
    return text


def safe_name(name: str) -> str:
    """`name` as every file system takes it: letters, digits, ``_``, ``-`` and dots inside, at most 80 characters."""
    text = _ENDINGS.sub("", unicodedata.normalize("NFC", name).strip())
    text = re.sub(r"[^\w.-]+", "_", text)[:_LONGEST_NAME].strip("._- ")
    text = _ENDINGS.sub("", text)  # the end may be another one now: NAME.seg.nrrd would pass for a segmentation
    return f"_{text}" if _RESERVED.match(text) else text or "case"
