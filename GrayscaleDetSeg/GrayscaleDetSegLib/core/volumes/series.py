"""A folder with the slices of one DICOM series as a volume."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import RadiographError
from ..radiograph import Geometry, Source
from ..reading.common import Undecodable, decoding
from ..reading.decode import Layout, element, stored_values
from ..reading.dicom import read_dataset
from ..reading.dicom_file import is_dicom, refuse_real_pixels
from .checks import check_size, finished
from .volume import Volume

UNEVEN = 0.01
"""Share of the distance of two slices by which others may differ from it."""
PARALLEL = 1e-3
"""By how much direction cosines of slices of one volume may differ."""
SQUARE = 1e-2
"""By how much the directions of a slice's rows and columns may miss length 1 and the right angle."""


@dataclass(frozen=True)
class Slice:
    """What is known of a slice before its pixels are decoded.

    Parameters
    ----------
    path : Path
    series : str
        UID of its series.
    rows, columns : int
    orientation : tuple of 6 float
        Directions along a row and along a column, LPS.
    position : tuple of 3 float
        Centre of its first pixel in mm.
    spacing : tuple of 2 float
        Of its rows and of its columns in mm.
    number : int or None
        Its place in the series, as the file says; most count from 1.
    of : int or None
        How many slices were taken together with it, as the file says.
    """

    path: Path
    series: str
    rows: int
    columns: int
    orientation: tuple[float, ...]
    position: tuple[float, ...]
    spacing: tuple[float, float]
    number: int | None = None
    of: int | None = None


def _files(folder: Path) -> list[Path]:
    """What may be slices right in a folder, by name; a link that leads nowhere may be a slice that is missing."""
    with os.scandir(folder) as entries:
        shown = [entry for entry in entries if not entry.name.startswith(".")]
        found = [Path(entry.path) for entry in shown if entry.is_file() or not os.path.exists(entry.path)]
    return sorted(path for path in found if path.name.upper() != "DICOMDIR")


def _slices_of(files: list[Path], name: str) -> list[Path]:
    """The DICOM files of a folder.

    Raises
    ------
    RadiographError
        If there are none, or a file that is no DICOM file is called as they are, but for its number.
    OSError
        If there are none, and a file cannot be read.
    """
    slices: list[Path] = []
    others: dict[Path, OSError | None] = {}
    for path in files:
        try:
            if is_dicom(path):
                slices.append(path)
            else:
                others[path] = None
        except OSError as error:
            others[path] = error
    unreadable = [error for error in others.values() if error is not None]
    if not slices and unreadable:
        raise unreadable[0]
    if not slices:
        raise RadiographError(f"The folder {name} holds no DICOM slices; choose the folder of one series.")

    def kind(path: Path) -> str:
        return re.sub(r"[0-9]+", "0", path.name.lower())

    kinds = {kind(path) for path in slices}
    for path, unread in others.items():
        if kind(path) in kinds:
            if unread is not None:
                state = f"cannot be read ({unread.strerror})"
            else:
                state = f"is {'damaged' if path.stat().st_size else 'empty (0 bytes)'}"
            raise RadiographError(
                f"{path.name} {state}, though it is called as the slices in {name} are; copy the series again, or take "
                "the file away if it is none."
            )
    return slices


def read_series(folder: Path) -> Volume:
    """The volume of the slices in a folder.

    Raises
    ------
    RadiographError
        If they are not the evenly spaced, parallel and gray slices of one series.
    """
    name = folder.name or str(folder)
    slices = [_slice(path) for path in _slices_of(_files(folder), name)]
    several = Counter(each.series for each in slices)
    if len(several) > 1:
        counts = ", ".join(str(count) for _, count in several.most_common(5))
        raise RadiographError(
            f"The folder {name} holds {len(several)} series ({counts} slices); put the one that is meant into a "
            "folder of its own."
        )
    if len(slices) == 1:
        raise RadiographError(f"The folder {name} holds a single slice; this model needs a whole volume.")
    first = slices[0]
    if len({(each.rows, each.columns) for each in slices}) > 1:
        raise RadiographError(f"The slices in {name} differ in size; they are no volume, so export the series anew.")
    check_size(name, (first.columns, first.rows, len(slices)))
    if any(np.abs(np.subtract(each.orientation, first.orientation)).max() > PARALLEL for each in slices):
        raise RadiographError(
            f"The slices in {name} have different orientations (a scout, or several stacks); keep those of one stack."
        )
    if any(np.abs(np.subtract(each.spacing, first.spacing)).max() > UNEVEN * min(first.spacing) for each in slices):
        raise RadiographError(f"The slices in {name} differ in pixel spacing; export the series anew.")
    ordered, distance, notes = _ordered(slices, name)
    values, modality = _values(ordered)
    along_row, along_column = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    normal = np.subtract(ordered[-1].position, ordered[0].position)
    direction = np.column_stack([along_row, along_column, normal / np.linalg.norm(normal)])
    x, y, z = ordered[0].position
    spacing = first.spacing[1], first.spacing[0], distance
    geometry = Geometry(spacing, (x, y, z), tuple(direction.reshape(-1).tolist()))
    source = Source(folder, modality=modality, series_instance_uid=first.series or None)
    missing = _missing(ordered)
    return finished(values, geometry, name, source=source, modality=modality, notes=notes, missing=missing)


def _ordered(slices: list[Slice], name: str) -> tuple[list[Slice], float, tuple[str, ...]]:
    """The slices along their normal, their distance in mm, and notes; RadiographError where one is missing."""
    normal = np.cross(slices[0].orientation[:3], slices[0].orientation[3:])
    keyed = sorted(((float(np.dot(each.position, normal)), each) for each in slices), key=lambda item: item[0])
    steps = np.diff([place for place, _ in keyed])
    usual = float(np.median(steps))
    if steps.min() < 1e-3 or usual <= 0:
        count = int(np.count_nonzero(steps < 1e-3))
        raise RadiographError(
            f"{count} slices in {name} lie where another one does (a series over time, or copies); "
            "keep one slice for each place."
        )
    uneven = np.abs(steps - usual) > UNEVEN * usual
    if uneven.any():
        whole = np.rint(steps / usual)
        missing = int((whole[uneven] - 1).sum())
        if missing > 0 and (np.abs(steps - whole * usual) <= 2 * UNEVEN * usual * whole).all():
            place = int(np.flatnonzero(uneven)[0]) + 1
            raise RadiographError(
                f"{name} lacks {missing} slices (the first behind slice {place} of {len(slices)}); copy the series "
                "again."
            )
        raise RadiographError(
            f"The slices in {name} are unevenly spaced ({steps.min():.3g} to {steps.max():.3g} mm); export them at one "
            "distance."
        )
    ordered = [each for _, each in keyed]
    shift = np.subtract(ordered[-1].position, ordered[0].position)
    line = np.linspace(ordered[0].position, ordered[-1].position, len(ordered))
    beside = float(np.linalg.norm([each.position for each in ordered] - line, axis=1).max())
    if beside > max(0.5 * min(ordered[0].spacing), 2 * UNEVEN * usual):
        raise RadiographError(
            f"The slices in {name} lie up to {beside:.3g} mm beside the line through the first and the last one; they "
            "are no straight stack, so export the series anew."
        )
    lean = np.degrees(np.arccos(np.clip(abs(np.dot(shift / np.linalg.norm(shift), normal)), 0.0, 1.0)))
    notes = (f"the gantry was tilted by {lean:.1f} degrees",) if lean > 0.5 else ()
    return ordered, float(np.linalg.norm(shift) / (len(ordered) - 1)), notes


def _missing(slices: list[Slice]) -> str | None:
    """A sentence where the files say that there are more slices at an end: no distance between slices can tell it."""
    claimed, numbers = max(each.of or 0 for each in slices), [each.number for each in slices]
    if claimed > len(slices):
        return f"The files say that there are {claimed} slices and {len(slices)} are here: some may be missing."
    known = [number for number in numbers if number is not None]
    if len(known) == len(slices) and min(known) > 1:
        return f"The slices are numbered from {min(known)} on: those before may be missing."
    return None


def _slice(path: Path) -> Slice:
    import pydicom

    with decoding(Exception):  # whatever pydicom raises of damaged bytes
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=False)
    frames = element(dataset, "NumberOfFrames")
    if frames and int(frames) > 1:
        raise RadiographError(
            f"{path.name} holds {frames} frames in one file (multi-frame DICOM), which is not read here; "
            "convert it to NRRD, or to single slices."
        )
    if int(element(dataset, "SamplesPerPixel") or 1) > 1:
        raise RadiographError(f"{path.name} is in colour; choose a series of gray slices.")
    orientation = _numbers(dataset, "ImageOrientationPatient", 6)
    position = _numbers(dataset, "ImagePositionPatient", 3)
    spacing = _numbers(dataset, "PixelSpacing", 2)
    if orientation is None or position is None or not _square(orientation):
        raise RadiographError(f"{path.name} does not say where it lies; it is no slice of a volume.")
    if spacing is None or min(spacing) <= 0:
        raise RadiographError(f"{path.name} does not say its pixel spacing; export the series anew.")
    rows, columns = (int(element(dataset, keyword) or 0) for keyword in ("Rows", "Columns"))
    return Slice(
        path, str(element(dataset, "SeriesInstanceUID") or ""), rows, columns, orientation, position,
        (spacing[0], spacing[1]), _count(dataset, "InstanceNumber"), _count(dataset, "ImagesInAcquisition"),
    )  # fmt: skip


def _square(orientation: tuple[float, ...]) -> bool:
    """Whether these are the directions of rows and columns: of length 1, at a right angle."""
    rows, columns = np.array(orientation[:3]), np.array(orientation[3:])
    return bool(np.abs([rows @ rows - 1.0, columns @ columns - 1.0, rows @ columns]).max() <= SQUARE)


def _count(dataset, keyword: str) -> int | None:
    try:
        return int(element(dataset, keyword))
    except (TypeError, ValueError, Undecodable):  # it is told a note by, no more
        return None


def _numbers(dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    value = element(dataset, keyword)
    try:
        found = tuple(float(each) for each in value)
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and np.isfinite(found).all() else None


def _values(slices: list[Slice]) -> tuple[np.ndarray, str | None]:
    """All voxels in own units, int16 where they fit, else float32; and the modality. One slice is decoded at a time."""
    volume, modality = np.empty((len(slices), slices[0].rows, slices[0].columns), np.int16), None
    for index, each in enumerate(slices):
        dataset = read_dataset(each.path, with_pixels=True)
        refuse_real_pixels(dataset, each.path.name)
        if "PixelData" not in dataset:
            raise RadiographError(f"{each.path.name} has no whole pixel data, it seems to be cut short; copy it again.")
        layout = Layout(dataset, each.path.name)
        if layout.samples > 1:
            raise RadiographError(f"{each.path.name} is in colour; choose a series of gray slices.")
        stored = stored_values(dataset, layout, each.path.name)
        slope, intercept = (element(dataset, keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
        with decoding(TypeError, ValueError):
            slope, intercept = float(slope or 1.0), float(intercept or 0.0)
        if layout.photometric == "MONOCHROME1":
            low, high = layout.limits
            stored = (low + high) - stored.astype(np.int32)
        if slope.is_integer() and intercept.is_integer():
            values = stored.astype(np.int64) * int(slope) + int(intercept)
        else:
            values = (stored * slope + intercept).astype(np.float32)
        if index == 0:
            modality = str(element(dataset, "Modality") or "").strip() or None
        if values.shape != volume.shape[1:]:
            raise Undecodable(f"{each.path.name} has another size than it says")
        fits = values.dtype.kind == "i" and -32768 <= values.min() and values.max() <= 32767
        if volume.dtype == np.int16 and not fits:
            volume = volume.astype(np.float32)
        volume[index] = values
    return volume, modality
