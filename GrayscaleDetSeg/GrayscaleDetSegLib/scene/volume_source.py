"""What the file of a volume says of its values and its spacing, and how Slicer has already applied it.

Slicer's default reader (GDCM, through ITK) inverts the values of MONOCHROME1 files when it loads them. Its other reader
(DCMTK), which is used if the first one fails, does not, and exchanges row and column spacing. The node does not say
which of them was used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core import codec
from ..core.errors import GrayscaleDetSegError, RadiographError
from ..core.gray import Polarity
from ..core.lie import UNSAID, Lie, by_dicom
from ..core.radiograph import Geometry, Source, Spacing
from ..core.reading.common import Undecodable, choose_polarity, natural_pivot
from ..core.reading.dicom import RADIOGRAPHS
from ..core.reading.rasters import lie_of_picture
from ..core.reading.spacings import SCALE_TAGS, SPACING_TAGS, believed, pair, weighed
from ..core.reading.text_headers import read_metaimage_header, read_nrrd_header

_IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
VIEW_CODE, TABLE_FALLS, SERIES_SPACINGS = "ViewCodeMeaning", "VOILUTDescends", "SeriesSpacings"
"""The meaning of the first view code; "YES" where the VOI LUT inverts the picture; the spacings of the other instances
of a volume, as text with semicolons between them."""
TURNED, PICTURE, PICTURE_LIE = "TurnedOnLoading", "IsPicture", "PictureLie"
"""Whether Slicer turned MONOCHROME1 values over when it loaded them, "YES", "NO" or "" for not known; "YES" of a volume
that was opened from a picture file, and how its picture lies, as JSON."""
FILE_AWAY = "FileAway"
""""YES" of a volume from a DICOM file of which nothing is known here."""
KEYWORDS = (
    "PhotometricInterpretation",
    "PresentationLUTShape",
    "BitsStored",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "Modality",
    *SPACING_TAGS,
    *SCALE_TAGS,
    "PatientOrientation",
    "ViewPosition",
    "ImageLaterality",
    "Laterality",
    "FieldOfViewRotation",
    "FieldOfViewHorizontalFlip",
    "ImageOrientationPatient",
    *_IDENTIFIERS,
    "FilePath",
    VIEW_CODE,
    TABLE_FALLS,
    SERIES_SPACINGS,
)
"""What is used of a DICOM context: DICOM keywords, and what is found out otherwise."""
KEPT = (*(each for each in KEYWORDS if each not in (*_IDENTIFIERS, "FilePath")), TURNED, PICTURE, PICTURE_LIE)
"""What of a context is kept on a volume: how it is read, but neither whose it is nor where its file lies."""

_RASTERS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def source_of(file: Path | None, modality: str | None, context: Mapping[str, object]) -> Source | None:
    """The source of a volume's image: the DICOM file that `context` describes, else the file of the node, else None."""
    path = Path(_text(context, "FilePath")) if _text(context, "FilePath") else file
    if path is None:
        return None
    return Source(path, modality, *(_text(context, keyword) or None for keyword in _IDENTIFIERS))


def polarity_of(
    values: np.ndarray, choice: str, context: Mapping[str, object]
) -> tuple[Polarity, list[str]]:
    """How to make a volume's values (rows, columns) bone bright, and notes on that.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
    choice : str
        ``"auto"``; or, for the volume's values, ``"as-is"`` or ``"inverted"``.
    context : mapping of str
        Values by DICOM keyword.
    """
    photometric = _text(context, "PhotometricInterpretation").upper()
    shape = _text(context, "PresentationLUTShape").upper()
    inverted, reason, notes = False, Polarity().reason, []
    if photometric == "MONOCHROME1":
        turned = {"YES": True, "NO": False}.get(_text(with_loading(values, context), TURNED))
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
    if _text(context, TABLE_FALLS) == "YES":
        inverted, reason = not inverted, f"{reason}, and a VOI LUT that descends"
        notes.append("the file's VOI LUT descends, which inverts the picture; Slicer shows it without")
    chosen = choose_polarity(choice, inverted, reason, _pivot(values, context))
    if inverted and choice == "as-is":
        notes.append(f"{reason}, but the values are kept as they are on request")
    return chosen, notes


def with_loading(values: np.ndarray, context: Mapping[str, object]) -> Mapping[str, object]:
    """A DICOM context with `TURNED`, where the file of MONOCHROME1 values (rows, columns) is there to be compared with
    them."""
    path = _text(context, "FilePath")
    if TURNED in context or not path or _text(context, "PhotometricInterpretation").upper() != "MONOCHROME1":
        return context
    turned = _turned_on_loading(values, path)
    return {**context, TURNED: "" if turned is None else "YES" if turned else "NO"}


def picture_context(file: Path | None) -> dict[str, str]:
    """What a picture file says, in the place of a DICOM context for when its volume lies in another file; else empty.
    """
    if file is None or not _is_raster(file):
        return {}
    return {PICTURE: "YES", PICTURE_LIE: json.dumps(codec.encode(lie_of_picture(file)))}


def absence_note(context: Mapping[str, object]) -> list[str]:
    """A note where nothing is known of the DICOM file of a volume."""
    if not _text(context, FILE_AWAY):
        return []
    return ["the DICOM file of the image is not here, so check spacing, polarity and sides"]


def spacing_of(
    geometry: Geometry, context: Mapping[str, object], file: Path | None, is_colour: bool = False
) -> tuple[Spacing | None, list[str]]:
    """The spacing of pixels in mm, and notes. It is None if it is not known: files and readers then say 1 mm or a
    resolution for printing.

    The spacing of the file is used, with the same priority of tags as for files. If the node has a spacing that none of
    Slicer's readers makes of the file, the user has set it, and it is used.

    Parameters
    ----------
    geometry : Geometry
        Geometry of the slice.
    file : Path or None
        File that the volume was loaded from or stored to.
    is_colour : bool
        Whether the volume has more than one value per pixel; Slicer loads photographs and exported pictures so.
    """
    column, row, _ = geometry.spacing
    weighing: list[str] = []
    spacing = weighed(lambda keyword: context.get(keyword) or None, weighing)
    if spacing is not None and is_a_readers((row, column), context):
        if _alike((spacing.row, spacing.column), (row, column)):
            return spacing, weighing
        return spacing, [
            f"Slicer places the pixels {row:g} x {column:g} mm apart (row x column) where {spacing.source} says "
            f"{spacing.row:g} x {spacing.column:g} mm",
            *weighing,
        ]
    is_picture = is_colour or _is_raster(file) or bool(_text(context, PICTURE))
    if _alike((row, column), (1.0, 1.0)) and (is_picture or (context and spacing is None)):
        return None, weighing
    if is_picture and file is not None and _is_printers(row, column):
        return None, [f"the {25.4 / row:.0f} dpi in the file are a printer's resolution and not used"]
    found, more = _in_millimetres(Spacing(row, column, "volume"), geometry, file)
    notes = [*(weighing if spacing is None else ()), *more]
    return (None if found is None else believed(found, notes)), notes


def is_a_readers(placed: tuple[float, float], context: Mapping[str, object]) -> bool:
    """Whether one of Slicer's readers makes this spacing (row, column), in mm, of the file or of another file of its
    series.

    Readers use any of the tags, exchange rows and columns, correct for magnification, or set 1 mm.
    """
    if _alike(placed, (1.0, 1.0)):
        return True
    known = [pair(context.get(tag)) for tag in SPACING_TAGS]
    known += [pair(text) for text in _text(context, SERIES_SPACINGS).split(";")]
    factor = _number(context, "EstimatedRadiographicMagnificationFactor") or 1.0
    for row, column in filter(None, known):
        for made in ((row, column), (column, row), (row / factor, column / factor)):
            if _alike(made, placed):
                return True
    return False


def _in_millimetres(spacing: Spacing, geometry: Geometry, file: Path | None) -> tuple[Spacing | None, list[str]]:
    """The spacing of a volume from a NRRD or MetaImage file, whose unit of length Slicer does not look at."""
    readers = {".nrrd": read_nrrd_header, ".nhdr": read_nrrd_header, ".mha": read_metaimage_header,
               ".mhd": read_metaimage_header}  # fmt: skip
    reader = readers.get("" if file is None else file.suffix.lower())
    if reader is None or file is None or not file.is_file():
        return spacing, []
    try:
        stored = reader(file)
    except (GrayscaleDetSegError, Undecodable, OSError):
        return spacing, []
    if stored.millimetres == 1 or not _alike(stored.header.spacing[:2], geometry.spacing[:2]):
        return spacing, []
    unit = stored.units[0]
    if stored.millimetres is None:
        return None, [f"the spacing in the file is in {unit}, which is no known unit of length, and is ignored"]
    return (
        replace(spacing, row=spacing.row * stored.millimetres, column=spacing.column * stored.millimetres),
        [f"the spacing in the file is in {unit}; Slicer takes it for mm"],
    )


def lie_of(context: Mapping[str, object], file: Path | None, geometry: Geometry, notes: list[str]) -> Lie:
    """The orientation of a volume's picture, by the tags of its DICOM file or of its picture file; adds to `notes`."""
    if file is not None and _is_raster(file) and (not context or _text(context, PICTURE)):
        return lie_of_picture(file)
    if _text(context, PICTURE_LIE):
        try:
            return codec.decode(Lie, json.loads(_text(context, PICTURE_LIE)))
        except (TypeError, ValueError):  # somebody wrote to the scene
            return UNSAID
    if context:
        is_placed = bool(_text(context, "ImageOrientationPatient"))
        return by_dicom(context.get, notes, geometry.direction if is_placed else None)
    return UNSAID


def modality_note(context: Mapping[str, object]) -> tuple[str | None, list[str]]:
    """The modality, or None if it is not known, and a note if it is not one of projection radiographs."""
    modality = _text(context, "Modality") or None
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
    found = correlation(values, in_file, 2**18)
    return None if found is None or abs(found) < 0.9 else found < 0


def correlation(first: np.ndarray, second: np.ndarray, samples: int) -> float | None:
    """The correlation coefficient of two images, -1..1, from about `samples` evenly spaced pixels.

    Returns
    -------
    float or None
        None if the shapes differ, or one image is constant or not finite.
    """
    if first.shape != second.shape:
        return None
    step = max(1, first.size // samples)
    some, others = (values.ravel()[::step].astype(float) for values in (first, second))
    if not (np.ptp(some) and np.ptp(others)):
        return None
    found = float(np.corrcoef(some, others)[0, 1])
    return found if math.isfinite(found) else None


def _pivot(values: np.ndarray, context: Mapping[str, object]) -> float:
    """The lowest plus the highest value that the file's stored bits can hold, after its rescale."""
    bits, signed = _number(context, "BitsStored"), _number(context, "PixelRepresentation")
    if bits is None or not 1 <= bits <= 32:
        return natural_pivot(values)
    slope, intercept = _number(context, "RescaleSlope") or 1.0, _number(context, "RescaleIntercept") or 0.0
    return slope * (-1.0 if signed else 2.0**bits - 1.0) + 2.0 * intercept


def _is_raster(file: Path | None) -> bool:
    return file is not None and file.suffix.lower() in _RASTERS


def _is_printers(row: float, column: float) -> bool:
    dpi = 25.4 / row
    return _alike((row, row), (row, column)) and dpi >= 30 and abs(dpi - round(dpi)) < 0.01


def _alike(first: Sequence[float], second: Sequence[float]) -> bool:
    return bool(np.allclose(first, second, rtol=1e-3, atol=0.0))


def _text(context: Mapping[str, object], keyword: str) -> str:
    return str(context.get(keyword) or "").strip()


def _number(context: Mapping[str, object], keyword: str) -> float | None:
    try:
        number = float(_text(context, keyword))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
