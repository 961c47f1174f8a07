"""DICOM files of projection radiographs: modality LUT, polarity, gray window, padding and spacing from their tags."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RadiographError
from ..gray import Polarity
from ..lie import Lie, by_dicom
from ..pixel_values import tidy
from ..radiograph import Geometry, Radiograph, Source, Spacing
from .bare import SECONDARY_CAPTURE, BareFile
from .base import HEAD, ReadOptions
from .common import (
    MIN_SIDE,
    Undecodable,
    ascii_folder,
    check_size,
    choose_polarity,
    finish,
    luminance,
    read_header,
)
from .decode import (
    EXPLICIT_LITTLE,
    Layout,
    is_big_endian,
    stored_values,
)
from .dicom_file import file_bytes, has_signature, image_data_set, load, value_of
from .spacings import weighed
from .windows import Lut, descends, voi_mapping

RADIOGRAPHS = ("CR", "DX", "MG", "RF", "XA", "PX", "IO", "RG", "OT", "SC")
_GRAY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
_PLACEMENT = (  # the elements from which GDCM tells the placement of a single-frame image
    (0x0008, 0x0060, "CS", "Modality"),
    (0x0018, 0x0050, "DS", "SliceThickness"),
    (0x0018, 0x0088, "DS", "SpacingBetweenSlices"),
    (0x0018, 0x1114, "DS", "EstimatedRadiographicMagnificationFactor"),
    (0x0018, 0x1164, "DS", "ImagerPixelSpacing"),
    (0x0018, 0x2010, "DS", "NominalScannedPixelSpacing"),
    (0x0020, 0x0032, "DS", "ImagePositionPatient"),
    (0x0020, 0x0037, "DS", "ImageOrientationPatient"),
    (0x0028, 0x0030, "DS", "PixelSpacing"),
    (0x0028, 0x0034, "IS", "PixelAspectRatio"),
)


class DicomReader:
    """DICOM files with the preamble that the standard asks for."""

    name: str = "DICOM"
    extensions: tuple[str, ...] = (".dcm", ".dicom")

    def recognises(self, head: bytes) -> bool:
        """See ``base.Reader``."""
        return has_signature(head)

    def read(self, path: Path, options: ReadOptions) -> Radiograph:
        """See :func:`read_dicom`."""
        return read_dicom(path, options.window, options.polarity)


class BareDicomReader(DicomReader):
    """DICOM files without preamble: they start with a low element of group 2 or 8, in either byte order."""

    name = "DICOM without preamble"
    extensions = ()

    def recognises(self, head: bytes) -> bool:
        """See ``base.Reader``."""
        return head[:2] in (b"\x02\0", b"\x08\0") and head[3:4] == b"\0" or head[:3] == b"\0\x08\0"


def read_dicom(path: Path, window: str = "percentile", polarity: str = "auto") -> Radiograph:
    """Read a DICOM file with one frame; `window` and `polarity` as in read_radiograph.

    Pixels are the values after the modality LUT or rescale, inverted for MONOCHROME1 about the lowest plus the highest
    value that the stored bits can hold, so that they equal what Slicer (GDCM) shows. Raises RadiographError.
    """
    name = path.name
    dataset = image_data_set(*load(file_bytes(path), name), name)
    layout = Layout(dataset, name)
    check_size(name, layout.columns, layout.rows)
    if layout.photometric not in _GRAY + _COLOUR + ("PALETTE COLOR",):
        raise RadiographError(f"{name} has the photometric interpretation {layout.photometric}, "
                              f"which is not read here; export it as a grayscale image.")
    notes: list[str] = []
    modality = str(value_of(dataset, "Modality") or "").strip() or None
    if modality and modality not in RADIOGRAPHS:
        notes.append(f"the modality is {modality}: the method is made for projection radiographs")
    stored = stored_values(dataset, layout, name)
    if layout.resigned:
        notes.append(layout.resigned)
    counted = _counted(dataset, stored, layout, notes)
    values, ends = _own_units(dataset, stored, layout, name, notes)
    values, more = tidy(values, name)
    notes += more
    inverted, reason = _polarity(dataset, layout, notes)
    chosen = choose_polarity(polarity, inverted, reason, ends[0] + ends[1])
    if inverted and polarity == "as-is":
        notes.append(f"{reason}, but the values are kept as they are on request")
    mapping = voi_mapping(dataset, values, chosen, notes) if window == "voi" else None
    spacing = weighed(lambda keyword: value_of(dataset, keyword), notes)
    geometry = _geometry(dataset, spacing, notes)
    return finish(values, chosen, source=_source(path, dataset, modality), mapping=mapping, counted=counted,
                  spacing=spacing, geometry=geometry, notes=notes, lie=_lie(dataset, geometry, notes))


def read_dataset(path: Path, with_pixels: bool = False) -> Any:
    """The data set of a DICOM file, as pydicom has it, the pixel data left out or not.

    Raises
    ------
    RadiographError
        If it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
        if not (DicomReader().recognises(head) or BareDicomReader().recognises(head)):
            raise RadiographError(f"{path.name} is no DICOM file and has no data set.")
        dataset, _ = load(file_bytes(path), path.name)
    except OSError as error:
        raise RadiographError(f"{path.name} cannot be read ({error.strerror or error}).") from error
    except Undecodable as error:
        raise RadiographError(f"{path.name} seems to be damaged; export it again from where it came from.") from error
    if not with_pixels and "PixelData" in dataset:
        del dataset.PixelData
    return dataset


def dataset_of(source: Source, with_pixels: bool = False) -> Any:
    """The whole DICOM data set (a pydicom Dataset) that a radiograph comes from, read anew from its file.

    Parameters
    ----------
    source : Source
    with_pixels : bool
        False leaves the pixel data out.

    Raises
    ------
    RadiographError
        If the file is gone, is no DICOM file, or holds another image by now.
    """
    dataset = read_dataset(source.path, with_pixels)
    instance = str(dataset.get("SOPInstanceUID") or "") or None
    if instance != source.sop_instance_uid:
        raise RadiographError(f"{source.name} holds another image than when it was read; read it again.")
    return dataset


def _source(path: Path, dataset, modality: str | None) -> Source:
    def uid(keyword: str) -> str | None:
        return str(value_of(dataset, keyword) or "").strip() or None

    return Source(path, modality, uid("SOPClassUID"), uid("SOPInstanceUID"), uid("SeriesInstanceUID"),
                  uid("StudyInstanceUID"), str(dataset.file_meta.TransferSyntaxUID))


def _number(dataset, keyword: str) -> float | None:
    """A finite number, or None."""
    try:
        number = float(value_of(dataset, keyword))
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _counted(dataset, stored: np.ndarray, layout: Layout, notes: list[str]) -> np.ndarray | None:
    """Which pixels are no padding (bool), by Pixel Padding Value and its Range Limit; None where all count.

    A value that is written with the other sign than the pixels have is that of the same bits.
    """
    padding = _number(dataset, "PixelPaddingValue")
    if padding is None or stored.ndim != 2:
        return None
    limit = _number(dataset, "PixelPaddingRangeLimit")
    low, high = sorted(map(layout.as_stored, (padding, padding if limit is None else limit)))
    padded = (stored >= low) & (stored <= high)
    share = float(padded.mean())
    if not 0 < share < 1:
        return None
    notes.append(f"{share:.1%} of the pixels are padding and left out of the percentiles")
    return ~padded


def _own_units(dataset, stored: np.ndarray, layout: Layout, name: str,
               notes: list[str]) -> tuple[np.ndarray, tuple[float, float]]:
    """The values after palette, luminance, and modality LUT or rescale, and the least and greatest they can be."""
    low, high = layout.limits
    big = is_big_endian(dataset)
    if layout.photometric == "PALETTE COLOR":
        found = [Lut.of(dataset, f"{colour}PaletteColorLookupTable", layout.signed, big)
                 for colour in ("Red", "Green", "Blue")]
        tables = [table for table in found if table is not None]
        if len(tables) < len(found):
            raise RadiographError(f"{name} has a colour palette that cannot be read; export it as a grayscale image.")
        stored = np.stack([table.apply(stored) for table in tables], -1)
        low, high = 0, 2 ** tables[0].bits - 1
    if stored.ndim == 3:
        stored, more = luminance(stored, name, high - low)
        notes += more
        return stored, (low, high)
    table = None
    if value_of(dataset, "ModalityLUTSequence"):
        table = Lut.of(value_of(dataset, "ModalityLUTSequence")[0], "LUT", layout.signed, big)
        if table is None:
            notes.append("the modality LUT cannot be read and is ignored")
    if table is not None:
        notes.append("values are those after the modality LUT; Slicer shows them without it")
        return table.apply(stored), (float(table.data.min()), float(table.data.max()))
    slope, intercept = _number(dataset, "RescaleSlope"), _number(dataset, "RescaleIntercept") or 0.0
    if slope == 0:
        notes.append("the rescale slope is 0 and ignored")
    if not slope:
        slope = 1.0
    if (slope, intercept) == (1.0, 0.0):
        return stored, (low, high)
    ends = sorted((slope * low + intercept, slope * high + intercept))
    if slope.is_integer() and intercept.is_integer() and max(map(abs, ends)) < 2**31:
        whole = stored.astype(np.int64) * int(slope) + int(intercept)
        types = (np.uint8, np.int16, np.uint16, np.int32)
        fitting = next(kind for kind in types if np.iinfo(kind).min <= ends[0] and ends[1] <= np.iinfo(kind).max)
        return whole.astype(fitting), (ends[0], ends[1])
    return stored * slope + intercept, (ends[0], ends[1])


def _polarity(dataset, layout: Layout, notes: list[str]) -> tuple[bool, str]:
    """Whether low values are shown bright, and by which tags; several that say the same are one inversion."""
    inverted, reason = _by_photometric(dataset, layout, notes)
    if not descends(dataset, layout.signed):
        return inverted, reason
    if value_of(dataset, "WindowWidth") is not None:
        notes.append("the file's VOI LUT descends, and its VOI window does not: these contradict each other, so check "
                     "the polarity")
        return inverted, reason
    notes.append("the file's VOI LUT descends, which inverts the picture; Slicer shows it without")
    return not inverted, f"{reason}, and a VOI LUT that descends"


def _by_photometric(dataset, layout: Layout, notes: list[str]) -> tuple[bool, str]:
    shape = str(value_of(dataset, "PresentationLUTShape") or "").strip().upper()
    if layout.photometric == "MONOCHROME1":
        if shape == "IDENTITY":
            notes.append("MONOCHROME1 and Presentation LUT Shape IDENTITY contradict each other; the first counts")
        return True, "MONOCHROME1 in the file"
    if layout.photometric == "MONOCHROME2" and shape == "INVERSE":
        notes.append("MONOCHROME2 with Presentation LUT Shape INVERSE; Slicer looks at the first alone")
        return True, "Presentation LUT Shape INVERSE in the file"
    return False, f"{layout.photometric} in the file" if layout.photometric in _GRAY else Polarity().reason


def _lie(dataset, geometry: Geometry, notes: list[str]) -> Lie:
    """How the picture lies, by the tags that say so."""

    def said(keyword: str) -> object:
        if keyword != "ViewCodeMeaning":
            return value_of(dataset, keyword)
        views = value_of(dataset, "ViewCodeSequence")
        return value_of(views[0], "CodeMeaning") if views and not isinstance(views, (str, bytes)) else None

    is_placed = value_of(dataset, "ImageOrientationPatient") is not None
    return by_dicom(said, notes, geometry.direction if is_placed else None)


def _geometry(dataset, spacing: Spacing | None, notes: list[str]) -> Geometry:
    """Where Slicer puts the file: what ITK's GDCM reader makes of its tags (ImagerPixelSpacing before PixelSpacing)."""
    file = BareFile(str(value_of(dataset, "SOPClassUID") or SECONDARY_CAPTURE), MIN_SIDE, MIN_SIDE, EXPLICIT_LITTLE)
    for group, number, representation, keyword in _PLACEMENT:
        value = value_of(dataset, keyword)
        if value is not None:
            parts = [value] if isinstance(value, (str, int, float)) or not hasattr(value, "__len__") else value
            file.add(group, number, representation, "\\".join(str(part) for part in parts))
    for number, value in ((0x0002, 1), (0x0100, 8), (0x0101, 8), (0x0102, 7), (0x0103, 0)):
        file.add(0x0028, number, "US", value)
    file.add(0x0028, 0x0004, "CS", "MONOCHROME2")
    try:
        with ascii_folder() as folder:
            copy = folder / "image.dcm"
            copy.write_bytes(file.holding(bytes(MIN_SIDE * MIN_SIDE)))
            geometry = read_header(copy, "GDCMImageIO").geometry()
    except Undecodable:
        notes.append("ITK cannot tell the placement of the file, so it is put at the origin with 1 mm spacing")
        return Geometry()
    if spacing is not None and not np.allclose(geometry.spacing[:2], (spacing.column, spacing.row), rtol=1e-3):
        notes.append(f"Slicer places the pixels {geometry.spacing[1]:g} x {geometry.spacing[0]:g} mm apart "
                     f"(row x column) where {spacing.source} says {spacing.row:g} x {spacing.column:g} mm")
    return geometry
