"""What DICOM says of a volume: from Slicer's database, or from the file that the volume was loaded from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..scene.origin import KEYWORDS

if TYPE_CHECKING:
    from slicer import vtkMRMLVolumeNode


def facts_of(volume: vtkMRMLVolumeNode) -> dict[str, str]:
    """DICOM keywords and their values for ``scene.volumes.read_volume``; empty where nothing is known.

    A volume from Slicer's DICOM browser is looked up in the database by its instance; one that was opened from a file
    by the file's own header. Nothing here raises: a radiograph without its facts is read as a plain image.
    """
    for path in (_file_in_database(volume), _own_file(volume)):
        if path is not None:
            facts = _header(path)
            if facts:
                return facts
    return _tags_in_database(volume)


def _instances(volume: vtkMRMLVolumeNode) -> list[str]:
    return (volume.GetAttribute("DICOM.instanceUIDs") or "").split()


def _database():
    """Slicer's DICOM database, None where there is none (a build without DICOM, slicer-core)."""
    import slicer

    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and getattr(database, "isOpen", False) else None


def _file_in_database(volume: vtkMRMLVolumeNode) -> Path | None:
    database = _database()
    for instance in _instances(volume)[:1] if database is not None else ():
        path = database.fileForInstance(instance)
        if path and Path(path).is_file():
            return Path(path)
    return None


def _tags_in_database(volume: vtkMRMLVolumeNode) -> dict[str, str]:
    """What the database itself remembers of an instance whose file is gone."""
    database = _database()
    facts: dict[str, str] = {}
    if database is None or not _instances(volume):
        return facts
    from pydicom.datadict import tag_for_keyword

    for keyword in KEYWORDS:
        tag = tag_for_keyword(keyword)
        if tag is not None:
            value = database.instanceValue(_instances(volume)[0], f"{tag >> 16:04X},{tag & 0xFFFF:04X}")
            if value:
                facts[keyword] = str(value)
    return facts


def _own_file(volume: vtkMRMLVolumeNode) -> Path | None:
    storage = volume.GetStorageNode()
    if storage is None or not storage.GetFileName():
        return None
    path = Path(storage.GetFullNameFromFileName())
    try:
        with path.open("rb") as stream:
            return path if stream.read(132)[128:] == b"DICM" else None
    except OSError:
        return None


def _header(path: Path) -> dict[str, str]:
    """The facts in a DICOM file, its path included; empty where it cannot be read."""
    try:
        from pydicom import dcmread

        header = dcmread(path, stop_before_pixels=True)
    except Exception:  # pydicom has an error of its own for every kind of damage
        return {}
    facts = {}
    for keyword in KEYWORDS:
        try:
            value = header.get(keyword)
        except Exception:  # values are decoded only now, and one that is damaged takes no other with it
            continue
        if value is not None:
            many = not isinstance(value, str) and hasattr(value, "__iter__")
            facts[keyword] = "\\".join(map(str, value)) if many else str(value)
    return {**facts, "FilePath": str(path)} if facts else {}
