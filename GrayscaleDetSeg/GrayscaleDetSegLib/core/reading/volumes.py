"""NRRD, MetaImage and NIfTI files that hold one slice, along whichever axis."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import RadiographError
from ..gray import Polarity
from ..pixel_values import tidy
from ..radiograph import Radiograph, Source, Spacing
from .base import ReadOptions
from .common import (
    Header,
    Undecodable,
    ascii_folder,
    check_claim,
    check_length,
    check_size,
    choose_polarity,
    finish,
    luminance,
    named,
    natural_pivot,
    read_array,
    read_header,
)
from .nifti import has_sound_placement, nifti_forms, nifti_notes, without_placement
from .spacings import believed
from .text_headers import TextHeader, read_metaimage_header, read_nrrd_header

_META_IMAGE = re.compile(rb"\s*(ObjectType|NDims|Comment|ObjectSubType)\s*=", re.ASCII)


@dataclass(frozen=True)
class Volume:
    """What is in a file.

    Parameters
    ----------
    header : Header
        As Slicer sees it.
    values : ndarray
        In numpy's order of axes.
    says_spacing : bool
        Whether the file gives the spacing.
    millimetres : float or None
        The unit of its lengths in mm; None where that cannot be told.
    units : tuple of str
        What the file calls it.
    notes : tuple of str
    """

    header: Header
    values: np.ndarray
    says_spacing: bool = True
    millimetres: float | None = 1.0
    units: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class _VolumeReader:
    """Reads files with two axes longer than 1; vectors become luminance.

    The geometry is the file's, its axes permuted to (column, row, slice). The spacing is the header's, None where the
    header gives none.
    """

    name: str
    extensions: tuple[str, ...]

    def decode(self, path: Path) -> Volume:
        """What is in a file; sizes are checked before anything is allocated."""
        raise NotImplementedError

    def read(self, path: Path, options: ReadOptions) -> Radiograph:
        """See ``base.Reader``."""
        volume = self.decode(path)
        header, values, notes = volume.header, volume.values, [*volume.notes]
        column, row = _slice_axes(header, path.name)
        shape = (header.size[row], header.size[column])
        if header.components > 1:
            values = values.reshape(shape + (header.components,))
            scale = np.iinfo(values.dtype).max if np.issubdtype(values.dtype, np.integer) else np.nanmax(values)
            values, more = luminance(values, path.name, max(float(scale), 1e-30))
            notes += more
        values, more = tidy(values.reshape(shape), path.name)
        notes += more
        axes = (column, row, 3 - column - row)
        if axes != (0, 1, 2):
            notes.append(f"the image lies in the axes {'xyz'[column]} and {'xyz'[row]} of the file")
        spacing = _spacing(volume, column, row, notes) if volume.says_spacing else None
        chosen = choose_polarity(options.polarity, False, Polarity().reason, natural_pivot(values))
        geometry = header.geometry(axes)
        return finish(values, chosen, source=Source(path), geometry=geometry, notes=notes, spacing=spacing)


class NrrdReader(_VolumeReader):
    """NRRD files, their pixels in the same file or in another."""

    name, extensions = "NRRD", (".nrrd", ".nhdr")

    def recognises(self, head: bytes) -> bool:
        """See ``base.Reader``."""
        return head.startswith(b"NRRD000")

    def decode(self, path: Path) -> Volume:
        """See ``_VolumeReader``."""
        return _decoded(read_nrrd_header(path), path)


class MetaImageReader(_VolumeReader):
    """MetaImage files, their pixels in the same file or in another."""

    name, extensions = "MetaImage", (".mha", ".mhd")

    def recognises(self, head: bytes) -> bool:
        """See ``base.Reader``."""
        return bool(_META_IMAGE.match(head))

    def decode(self, path: Path) -> Volume:
        """See ``_VolumeReader``."""
        return _decoded(read_metaimage_header(path), path)


class NiftiReader(_VolumeReader):
    """NIfTI files of both versions, compressed or not."""

    name, extensions = "NIfTI", (".nii", ".nii.gz")

    def recognises(self, head: bytes) -> bool:
        """See ``base.Reader``."""
        return _is_nifti(head) or (head.startswith(b"\x1f\x8b") and _is_nifti(_gunzipped(head)))

    def decode(self, path: Path) -> Volume:
        """See ``_VolumeReader``."""
        return _read_nifti(path)


def _decoded(stored: TextHeader, path: Path) -> Volume:
    _slice_axes(stored.header, path.name)
    return Volume(stored.header, stored.values(), stored.says_spacing, stored.millimetres, stored.units)


def _slice_axes(header: Header, name: str) -> tuple[int, int]:
    """The two axes of the image, checked before anything is allocated."""
    size = header.size
    long_axes = [axis for axis, length in enumerate(size) if length > 1]
    if len(long_axes) > 2 or any(axis > 2 for axis in long_axes):
        raise RadiographError(f"{name} has {' x '.join(map(str, size))} voxels; a radiograph is a single slice, "
                              f"so export that slice alone.")
    if header.components > 4:
        raise RadiographError(f"{name} has {header.components} values a pixel; export it as a grayscale image.")
    for axis in range(min(len(size), 3)):  # a line or a point has too few; check_size says so
        if len(long_axes) < 2 and axis not in long_axes:
            long_axes.append(axis)
    if len(long_axes) < 2:
        check_size(name, size[0], 1)
    column, row = sorted(long_axes)
    check_size(name, size[column], size[row])
    return column, row


def _read_nifti(path: Path) -> Volume:
    with open(path, "rb") as file:  # ITK tells a compressed file by its name
        suffix = ".nii.gz" if file.read(2) == b"\x1f\x8b" else ".nii"
    notes = nifti_notes(path)
    with named(path, (suffix,)) as copy:
        try:
            header = read_header(copy, "NiftiImageIO") if has_sound_placement(path) else None
        except Undecodable:
            if nifti_forms(path) is None:
                raise
            header = None
        if header is not None:
            return _nifti_values(path, copy, header, notes)
    # ITK takes no placement but one that it can trust; the pixels and their distances are there all the same
    with ascii_folder() as folder:
        copy = folder / "image.nii"
        without_placement(path, copy)
        header = read_header(copy, "NiftiImageIO")
        notes.append("the placement in the header (sform, qform) cannot be used; the spacing is that of pixdim")
        return _nifti_values(path, copy, header, notes)


def _nifti_values(path: Path, copy: Path, header: Header, notes: list[str]) -> Volume:
    _slice_axes(header, path.name)
    check_claim(path, int(np.prod(header.size, dtype=np.int64)) * header.components)
    check_nifti_length(path, header)
    return Volume(header, read_array(copy, "NiftiImageIO"), notes=tuple(notes))


def check_nifti_length(path: Path, header: Header) -> None:
    """Count the bytes of a NIfTI file, because ITK fills with zeros what is missing.

    Raises
    ------
    RadiographError
        If the file is shorter than its header says, or damaged.
    """
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        source = gzip.open(file) if packed else file
        try:
            head, length = source.read(540), 0
            order = "<" if int.from_bytes(head[:4], "little") in (348, 540) else ">"
            (bits_format, bits_at), (start_format, start_at) = (
                (("h", 14), ("q", 168)) if head[4:8] == b"n+2\0" else (("h", 72), ("f", 108)))
            bits = struct.unpack_from(order + bits_format, head, bits_at)[0]
            start = struct.unpack_from(order + start_format, head, start_at)[0]
            expected = int(start) + int(np.prod(header.size, dtype=np.int64)) * bits // 8
            piece = head
            while piece:
                length += len(piece)
                piece = source.read(2**20)
        except (EOFError, OSError, OverflowError, ValueError, struct.error, zlib.error) as error:
            raise RadiographError(f"{path.name} is cut short or damaged; copy or export it again.") from error
    check_length(path.name, length, expected, "bytes")


def _spacing(volume: Volume, column: int, row: int, notes: list[str]) -> Spacing | None:
    placed = volume.header.spacing[row], volume.header.spacing[column]
    if not all(np.isfinite(value) and value > 0 for value in placed):
        notes.append("the spacing in the header is not a positive number and is ignored")
        return None
    unit = " and ".join(dict.fromkeys(volume.units))
    if volume.millimetres is None:
        notes.append(f"the spacing in the header is in {unit if unit.isprintable() else 'a unit'}, which is no known "
                     f"unit of length, and is ignored")
        return None
    spacing = tuple(value * volume.millimetres for value in placed)
    if volume.millimetres != 1:
        notes.append(f"the spacing in the header is in {unit}, so it is {spacing[0]:g} x {spacing[1]:g} mm; Slicer "
                     f"places the pixels {placed[0]:g} x {placed[1]:g} mm apart (row x column)")
    return believed(Spacing(spacing[0], spacing[1], "header"), notes)


def _is_nifti(head: bytes) -> bool:
    return head[344:348] == b"n+1\0" or head[4:8] == b"n+2\0"


def _gunzipped(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, 1024)
    except zlib.error:
        return b""
