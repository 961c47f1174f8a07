"""Volumes in NRRD, MetaImage and NIfTI files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import RadiographError
from ..radiograph import Source
from ..reading.common import Header, Undecodable, check_claim, named, read_array, read_header
from ..reading.nifti import is_askew
from ..reading.text_headers import TextHeader, read_metaimage_header, read_nrrd_header
from ..reading.volumes import MetaImageReader, NiftiReader, NrrdReader, check_nifti_length
from .checks import check_size, finished
from .volume import Volume

EXTENSIONS = (*NrrdReader.extensions, *MetaImageReader.extensions, *NiftiReader.extensions)


def reader_of(head: bytes):
    """What reads a file that begins so, or None: a callable (path) -> header, whether it says the spacing, values."""
    if NrrdReader().recognises(head):
        return lambda path: _of_text(read_nrrd_header(path), path)
    if MetaImageReader().recognises(head):
        return lambda path: _of_text(read_metaimage_header(path), path)
    if NiftiReader().recognises(head):
        return _of_nifti
    return None


def read_file(path: Path, head: bytes) -> Volume:
    """The volume in a file of one of the three kinds.

    Raises
    ------
    RadiographError, Undecodable
        If it is damaged or holds no single gray volume.
    """
    if b"Segment0_ID:=" in head:
        raise RadiographError(f"{path.name} holds a segmentation, not an image; choose the volume that it belongs to.")
    header, says_spacing, values = reader_of(head)(path)
    notes = _doubts(header, says_spacing)
    geometry = header.geometry()
    return finished(
        values.reshape(header.size[2::-1]), geometry, path.name, source=Source(path), notes=notes,
        says_spacing=says_spacing,
    )  # fmt: skip


def _doubts(header: Header, says_spacing: bool) -> tuple[str, ...]:
    """Sentences on a placement that is not there or makes no sense; see ``Header.geometry`` for what is taken then."""
    if not says_spacing:
        return ("the file does not say its spacing: 1 mm is taken",)
    notes = []
    wrong = [axis for axis, value in zip("xyz", header.spacing) if not (np.isfinite(value) and value > 0)]
    if wrong:
        notes.append(
            f"the spacing in the header is not a positive number along {' and '.join(wrong)}: 1 mm is taken there"
        )
    matrix = np.reshape(header.direction, (len(header.size), -1))
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-6:
        notes.append("the directions in the header are none: left, posterior and superior are taken")
    return tuple(notes)


def _of_text(stored: TextHeader, path: Path) -> tuple[Header, bool, np.ndarray]:
    _check_header(stored.header, path.name)
    return stored.header, stored.says_spacing, stored.values()


def _of_nifti(path: Path) -> tuple[Header, bool, np.ndarray]:
    with open(path, "rb") as file:  # ITK tells a compressed file by its name
        suffix = ".nii.gz" if file.read(2) == b"\x1f\x8b" else ".nii"
    with named(path, (suffix,)) as copy:
        try:
            header = read_header(copy, "NiftiImageIO")
        except Undecodable as error:
            if not is_askew(path):
                raise
            raise RadiographError(
                f"{path.name} has a placement (sform or qform) with axes that are not at right angles, or none; "
                "resample it, or mend its header."
            ) from error
        _check_header(header, path.name)
        check_claim(path, int(np.prod(header.size, dtype=np.int64)))
        check_nifti_length(path, header)
        return header, True, read_array(copy, "NiftiImageIO")


def _check_header(header: Header, name: str) -> None:
    """Raise RadiographError, before anything is allocated, for what is no single gray volume."""
    size = header.size
    if header.components > 1:
        raise RadiographError(
            f"{name} has {header.components} values a voxel (colour, vectors or points in time); "
            "export one gray volume of it."
        )
    if len(size) > 3 and max(size[3:]) > 1:
        raise RadiographError(
            f"{name} has four dimensions ({' x '.join(map(str, size))}); export the volume of one point in time."
        )
    check_size(name, (*size, 1, 1)[:3])
