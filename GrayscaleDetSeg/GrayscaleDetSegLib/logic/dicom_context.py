"""The DICOM attributes of a volume, from Slicer's database or from the file that the volume was loaded from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import GrayscaleDetSegError
from ..core.reading import read_radiograph
from ..core.reading.dicom_file import is_dicom
from ..core.reading.spacings import SPACING_TAGS
from ..core.reading.windows import descends
from ..scene.geometry import PixelGrid
from ..scene.nodes import attribute, set_attribute
from ..scene.volume_source import (
    FILE_AWAY,
    KEPT,
    KEYWORDS,
    PICTURE,
    SERIES_SPACINGS,
    TABLE_FALLS,
    VIEW_CODE,
    correlation,
    picture_context,
)
from ..scene.volumes import file_of, values_of

if TYPE_CHECKING:
    from slicer import vtkMRMLVolumeNode

ALIKE = 0.99
"""Correlation from which two pictures are the same."""
_KEPT, _INSTANCE = "FileSays", "Instance"


def context_of(volume: vtkMRMLVolumeNode, grid: PixelGrid | None = None) -> dict[str, str]:
    """DICOM keywords and their values, for ``scene.volumes.read_volume``; empty if there is no DICOM file.

    For a volume from Slicer's DICOM browser, the database gives the file of its instance; for a volume that was opened
    from a file, that file's header is read. Where the file is away, as in a scene that was saved elsewhere, the context
    is what :func:`keep_context` kept of it, or says no more than that the file is away. Nothing is raised.

    Parameters
    ----------
    grid : PixelGrid, optional
        Grid of the slice, for a volume of several films, as Slicer makes one of two films of one series: the context is
        that of the slice's own file.
    """
    instance, others = _instance_of(volume, grid)
    for path in (_file_in_database(instance), _own_file(volume)):
        if path is not None:
            context = _header(path)
            if context:
                spacings = [text for other in others for text in _spacings(_file_in_database(other))]
                context[_INSTANCE] = instance or ""
                return {**context, SERIES_SPACINGS: ";".join(spacings)} if spacings else context
    found = _kept(volume, instance or "") or _tags_in_database(instance)
    if not found and instance is not None:
        found = {FILE_AWAY: "YES"}
    return {**found, _INSTANCE: instance or ""} if found else {}


def keep_context(volume: vtkMRMLVolumeNode, context: Mapping[str, object]) -> None:
    """Keep on a volume what its file says of how it is read, for when the file is away: scenes store volumes as NRRD.

    Parameters
    ----------
    context : mapping of str
        As :func:`context_of` gave it; of a volume from a picture file it is empty.
    """
    instance = str(context.get(_INSTANCE, ""))
    if FILE_AWAY in context:
        return
    if not any(context.get(keyword) for keyword in KEPT):
        context = picture_context(file_of(volume))
    said = {keyword: str(context[keyword]) for keyword in KEPT if context.get(keyword)}
    set_attribute(volume, _KEPT, json.dumps({**_all_kept(volume), instance: said}))


def _kept(volume: vtkMRMLVolumeNode, instance: str) -> dict[str, str]:
    """What :func:`keep_context` kept of the file of an instance."""
    said = _all_kept(volume).get(instance)
    if isinstance(said, dict):
        return {keyword: said[keyword] for keyword in KEPT if isinstance(said.get(keyword), str)}
    # former versions kept no more than that the spacing of a picture is not known
    return {PICTURE: "YES"} if instance == "" and attribute(volume, "SpacingSource") == "" else {}


def _all_kept(volume: vtkMRMLVolumeNode) -> dict[str, Any]:
    try:
        kept = json.loads(attribute(volume, _KEPT) or "{}")
    except ValueError:  # somebody wrote to the scene
        return {}
    return kept if isinstance(kept, dict) else {}


def _instance_of(volume: vtkMRMLVolumeNode, grid: PixelGrid | None) -> tuple[str | None, list[str]]:
    """The instance that a slice was loaded from, and the others of its volume.

    Slices are in the order of the instances, as a rule: the one with the slice's pixels counts, if there is one.
    """
    instances = _instances(volume)
    count = 1 if grid is None else grid.dimensions[grid.axes[2]]
    if grid is None or len(instances) != count or count == 1:
        return (instances[0] if instances else None), []
    plane = grid.plane(values_of(volume))
    first = instances[grid.index]
    order = [first, *(each for each in instances if each != first)]
    found = next((each for each in order if _shows(_file_in_database(each), plane)), first)
    return found, [each for each in instances if each != found]


def _shows(path: Path | None, plane: np.ndarray) -> bool:
    """Whether a file holds the pixels of a slice, turned over or not."""
    if path is None or plane.ndim != 2:
        return False
    try:
        pixels = read_radiograph(path, polarity="as-is").pixels
    except GrayscaleDetSegError:
        return False
    found = correlation(pixels, plane, 2**16)
    return found is not None and abs(found) > ALIKE


def _instances(volume: vtkMRMLVolumeNode) -> list[str]:
    return (volume.GetAttribute("DICOM.instanceUIDs") or "").split()


def _database():
    """Slicer's DICOM database, None where there is none (a build without DICOM, slicer-core)."""
    import slicer

    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and getattr(database, "isOpen", False) else None


def _file_in_database(instance: str | None) -> Path | None:
    database = _database()
    if instance is not None and database is not None:
        path = database.fileForInstance(instance)
        if path and Path(path).is_file():
            return Path(path)
    return None


def _spacings(path: Path | None) -> list[str]:
    context = {} if path is None else _header(path)
    return [context[tag] for tag in SPACING_TAGS if context.get(tag)]


def _tags_in_database(instance: str | None) -> dict[str, str]:
    """What the database itself remembers of an instance whose file is gone."""
    database = _database()
    context: dict[str, str] = {}
    if database is None or instance is None:
        return context
    from pydicom.datadict import tag_for_keyword

    for keyword in KEYWORDS:
        tag = tag_for_keyword(keyword)
        if tag is not None:
            value = database.instanceValue(instance, f"{tag >> 16:04X},{tag & 0xFFFF:04X}")
            if value:
                context[keyword] = str(value)
    return context


def _own_file(volume: vtkMRMLVolumeNode) -> Path | None:
    storage = volume.GetStorageNode()
    if storage is None or not storage.GetFileName():
        return None
    path = Path(storage.GetFullNameFromFileName())
    try:
        return path if is_dicom(path) else None
    except OSError:
        return None


def _header(path: Path) -> dict[str, str]:
    """What a DICOM file says, its path included; empty where it cannot be read."""
    try:
        from pydicom import dcmread

        header = dcmread(path, stop_before_pixels=True)
    except Exception:  # pydicom has an error of its own for every kind of damage
        return {}
    context = {}
    for keyword in KEYWORDS:
        try:
            value = header.get(keyword)
        except Exception:  # values are decoded only now, and one that is damaged takes no other with it
            continue
        if value is not None:
            many = not isinstance(value, str) and hasattr(value, "__iter__")
            context[keyword] = "\\".join(map(str, value)) if many else str(value)
    context.update(_found_out(header))
    return {**context, "FilePath": str(path)} if context else {}


def _found_out(header: Any) -> dict[str, str]:
    """What is no plain value of the header."""
    context = {}
    try:
        code = header.get("ViewCodeSequence")
        if code and code[0].get("CodeMeaning"):
            context[VIEW_CODE] = str(code[0].CodeMeaning)
        if header.get("VOILUTSequence") and not header.get("WindowWidth"):
            if descends(header, header.get("PixelRepresentation") == 1):
                context[TABLE_FALLS] = "YES"
    except Exception:  # damaged, in one of pydicom's many ways
        return context
    return context
