"""What the file behind a volume says of its values and its spacing, and what Slicer has already made of that.

Slicer's default reader (GDCM, through ITK) turns the values of MONOCHROME1 files over when it loads them; its other
one (DCMTK), which steps in where the first fails, does not, and exchanges row and column spacing. Neither leaves a
trace on the node.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import RadiographError
from ..core.gray import Polarity
from ..core.radiograph import Geometry, Source, Spacing
from ..core.reading.common import choose_polarity, natural_pivot
from ..core.reading.dicom import RADIOGRAPHS, SPACING_TAGS

_IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
KEYWORDS = (
    "PhotometricInterpretation",
    "PresentationLUTShape",
    "BitsStored",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "Modality",
    *SPACING_TAGS,
    *_IDENTIFIERS,
    "FilePath",
)
"""The facts that are used: DICOM keywords, and the path of the file itself."""

_RASTERS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def source_of(file: Path | None, modality: str | None, facts: Mapping[str, object]) -> Source | None:
    """Where a volume's image comes from: the DICOM file that the facts are of, else the file of the node; None if from
    neither."""
    path = Path(_text(facts, "FilePath")) if _text(facts, "FilePath") else file
    if path is None:
        return None
    return Source(path, modality, *(_text(facts, keyword) or None for keyword in _IDENTIFIERS))


def polarity_of(
    values: np.ndarray, choice: str, facts: Mapping[str, object]
) -> tuple[Polarity, list[str]]:
    """How to bring a volume's values (rows, columns) to bone-bright, and notes.

    Parameters
    ----------
    choice : str
        ``"auto"``, ``"as-is"`` or ``"inverted"``, of the volume's values.
    """
    photometric = _text(facts, "PhotometricInterpretation").upper()
    shape = _text(facts, "PresentationLUTShape").upper()
    inverted, reason, notes = False, Polarity().reason, []
    if photometric == "MONOCHROME1":
        turned = _turned_on_loading(values, _text(facts, "FilePath"))
        inverted = turned is False
        reason = "MONOCHROME1 in the file, turned over by Slicer when it was loaded"
        if inverted:
            reason = "MONOCHROME1 in the file, and Slicer loaded its values as they are"
        elif turned is None:
            notes.append("MONOCHROME1 in the file: Slicer is taken to have turned the values over when loading it")
    elif photometric == "MONOCHROME2" and shape == "INVERSE":
        inverted, reason = True, "Presentation LUT Shape INVERSE in the file"
    elif photometric == "MONOCHROME2":
        reason = "MONOCHROME2 in the file"
    chosen = choose_polarity(choice, inverted, reason, _pivot(values, facts))
    if inverted and choice == "as-is":
        notes.append(f"{reason}, but the values are kept as they are on request")
    return chosen, notes


def spacing_of(
    geometry: Geometry, facts: Mapping[str, object], file: Path | None, is_colour: bool = False
) -> tuple[Spacing | None, list[str]]:
    """Distance of neighbouring pixels, and notes; None where 1 mm or a printer's resolution stands for not known.

    The spacing that someone set on the node counts before all. Where the node has what one of the file's tags says, the
    tags are weighed as for files: calibrated, at the detector, of the scanned film.

    Parameters
    ----------
    geometry : Geometry
        Of the slice.
    file : Path or None
        That the volume was loaded from or stored to.
    is_colour : bool
        Whether the volume has more than one value a pixel: so Slicer loads photographs and exported pictures.
    """
    column, row, _ = geometry.spacing
    tags = [Spacing(*pair, tag) for tag in SPACING_TAGS for pair in [_pair(facts, tag)] if pair is not None]
    for tag in tags:
        if _alike((tag.row, tag.column), (row, column)) or _alike((tag.column, tag.row), (row, column)):
            first = tags[0]
            if _alike((first.row, first.column), (row, column)):
                return first, []
            return first, [
                f"Slicer places the pixels {row:g} x {column:g} mm apart (row x column) where {first.source} says "
                f"{first.row:g} x {first.column:g} mm"
            ]
    is_picture = is_colour or (file is not None and file.suffix.lower() in _RASTERS)
    if _alike((row, column), (1.0, 1.0)) and (is_picture or (facts and not tags)):
        return None, []
    if is_picture and file is not None and _is_printers(row, column):
        return None, [f"the {25.4 / row:.0f} dpi in the file are a printer's resolution and not used"]
    return Spacing(row, column, "volume"), []


def modality_note(facts: Mapping[str, object]) -> tuple[str | None, list[str]]:
    """The modality, if known, and a note where it is not one of projection radiographs."""
    modality = _text(facts, "Modality") or None
    if modality is None or modality in RADIOGRAPHS:
        return modality, []
    return modality, [f"the modality is {modality}: the method is made for projection radiographs"]


def _turned_on_loading(values: np.ndarray, path: str) -> bool | None:
    """Whether a volume's values run against those of its file; None where the file cannot be compared with them."""
    from ..core.reading import read_radiograph

    if not path:
        return None
    try:
        in_file = read_radiograph(path, polarity="as-is").pixels
    except RadiographError:
        return None
    if in_file.shape != values.shape:
        return None
    step = max(1, values.size // 2**18)
    first, second = (array.ravel()[::step].astype(float) for array in (values, in_file))
    if not (np.ptp(first) and np.ptp(second)):
        return None
    agreement = np.corrcoef(first, second)[0, 1]
    return None if abs(agreement) < 0.9 else bool(agreement < 0)


def _pivot(values: np.ndarray, facts: Mapping[str, object]) -> float:
    """The lowest plus the highest value that the file's stored bits can hold, after its rescale."""
    bits, signed = _number(facts, "BitsStored"), _number(facts, "PixelRepresentation")
    if bits is None or not 1 <= bits <= 32:
        return natural_pivot(values)
    slope, intercept = _number(facts, "RescaleSlope") or 1.0, _number(facts, "RescaleIntercept") or 0.0
    return slope * (-1.0 if signed else 2.0**bits - 1.0) + 2.0 * intercept


def _is_printers(row: float, column: float) -> bool:
    dpi = 25.4 / row
    return _alike((row, row), (row, column)) and dpi >= 30 and abs(dpi - round(dpi)) < 0.01


def _alike(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return bool(np.allclose(first, second, rtol=1e-3, atol=0.0))


def _text(facts: Mapping[str, object], keyword: str) -> str:
    return str(facts.get(keyword) or "").strip()


def _number(facts: Mapping[str, object], keyword: str) -> float | None:
    try:
        number = float(_text(facts, keyword))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _pair(facts: Mapping[str, object], keyword: str) -> tuple[float, float] | None:
    """Two positive numbers, (row, column), from ``"0.15\\0.2"`` or a sequence."""
    value = facts.get(keyword)
    parts: Any = value.split("\\") if isinstance(value, str) else value
    try:
        row, column = (float(part) for part in parts)
    except (TypeError, ValueError):
        return None
    return (row, column) if all(math.isfinite(part) and part > 0 for part in (row, column)) else None
