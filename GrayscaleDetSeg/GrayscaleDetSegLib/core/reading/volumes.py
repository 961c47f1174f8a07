"""NRRD, MetaImage and NIfTI files that hold one slice, along whichever axis."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from ..errors import RadiographError
from ..gray import Polarity
from ..radiograph import Radiograph, Spacing
from .common import (
    Header,
    check_claim,
    check_size,
    choose_polarity,
    finish,
    luminance,
    named,
    natural_pivot,
    read_array,
    read_header,
    tidy,
)
from .text_headers import read_metaimage_header, read_nrrd_header


def read_volume(path: Path, kind: str, polarity: str = "auto") -> Radiograph:
    """Read a NRRD, MetaImage or NIfTI file (`kind`) with two axes longer than 1; vectors become luminance.

    The geometry is the file's, its axes permuted to (column, row, slice). The spacing is the header's, None where the
    header gives none. `polarity` as in read_radiograph. Raises RadiographError.
    """
    notes: list[str] = []
    if kind == "NIfTI":
        header, values = _read_nifti(path)
        says_spacing = True
    else:
        stored = read_nrrd_header(path) if kind == "NRRD" else read_metaimage_header(path)
        header, says_spacing = stored.header, stored.says_spacing
        _slice_axes(header, path.name)
        values = stored.values()
    column, row = _slice_axes(header, path.name)
    shape = (header.size[row], header.size[column])
    if header.components > 1:
        values = values.reshape(shape + (header.components,))
        scale = np.iinfo(values.dtype).max if np.issubdtype(values.dtype, np.integer) else np.nanmax(values)
        values, notes = luminance(values, path.name, max(float(scale), 1e-30))
    values, more = tidy(values.reshape(shape), path.name)
    notes += more
    axes = (column, row, 3 - column - row)
    if axes != (0, 1, 2):
        notes.append(f"the image lies in the axes {'xyz'[column]} and {'xyz'[row]} of the file")
    spacing = _spacing(header, column, row, notes) if says_spacing else None
    chosen = choose_polarity(polarity, False, Polarity().reason, natural_pivot(values))
    return finish(values, chosen, path=path, geometry=header.geometry(axes), notes=notes, spacing=spacing)


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


def _read_nifti(path: Path) -> tuple[Header, np.ndarray]:
    with open(path, "rb") as file:  # ITK tells a compressed file by its name
        suffix = ".nii.gz" if file.read(2) == b"\x1f\x8b" else ".nii"
    with named(path, (suffix,)) as copy:
        header = read_header(copy, "NiftiImageIO")
        _slice_axes(header, path.name)
        check_claim(path, int(np.prod(header.size, dtype=np.int64)) * header.components)
        _check_nifti_length(path, header)
        return header, read_array(copy, "NiftiImageIO")


def _check_nifti_length(path: Path, header: Header) -> None:
    """ITK fills what is missing in a NIfTI file with zeros, so count the bytes here."""
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
    if length < expected:
        raise RadiographError(f"{path.name} is cut short: it holds {length / expected:.0%} of its bytes; "
                              f"copy or export it again.")


def _spacing(header: Header, column: int, row: int, notes: list[str]) -> Spacing | None:
    spacing = header.spacing[row], header.spacing[column]
    if not all(np.isfinite(value) and value > 0 for value in spacing):
        notes.append("the spacing in the header is not a positive number and is ignored")
        return None
    return Spacing(spacing[0], spacing[1], "header")
