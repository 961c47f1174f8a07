"""NRRD, MetaImage and NIfTI files that hold one slice, along whichever axis."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import RadiographError
from ..gray import Polarity
from ..radiograph import Radiograph, Spacing
from .common import (
    Header,
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

_READERS = {
    "NRRD": ("NrrdImageIO", (".nrrd", ".nhdr")),
    "MetaImage": ("MetaImageIO", (".mha", ".mhd")),
    "NIfTI": ("NiftiImageIO", (".nii", ".nii.gz")),
}
_SAYS_SPACING = {
    "NRRD": re.compile(rb"^\s*(spacings|space directions)\s*:", re.MULTILINE),
    "MetaImage": re.compile(rb"^\s*(ElementSpacing|ElementSize)\s*=", re.MULTILINE),
}
_DETACHED = re.compile(rb"^\s*(data ?file\s*:|ElementDataFile\s*=\s*(?!LOCAL))", re.MULTILINE)
_HEADER_BYTES = 65536
_DEFLATE_RATIO = 1100  # deflate shrinks by 1032 at most: a file that claims more pixels is damaged or a trap


def read_volume(path: Path, kind: str, polarity: str = "auto") -> Radiograph:
    """Read a NRRD, MetaImage or NIfTI file (`kind`) with two axes longer than 1; vectors become luminance.

    The geometry is the file's, its axes permuted to (column, row, slice). The spacing is the header's, None where the
    header gives none. `polarity` as in read_radiograph. Raises RadiographError.
    """
    image_io, suffixes = _READERS[kind]
    with open(path, "rb") as file:
        head = file.read(_HEADER_BYTES)
    if kind == "NIfTI":  # ITK tells a compressed file by its name
        suffixes = (".nii.gz",) if head.startswith(b"\x1f\x8b") else (".nii",)
    text = re.split(rb"\n\r?\n", head)[0] if kind != "NIfTI" else b""
    with named(path, suffixes) as file:
        header = read_header(file, image_io)
        column, row = _slice_axes(header, path.name)
        if not _DETACHED.search(text):
            _check_claim(path, header)
        values = read_array(file, image_io)
    has_components = header.components > 1
    shape = (header.size[row], header.size[column])
    values = values.reshape(shape + ((header.components,) if has_components else ()))
    notes = []
    if has_components:
        scale = np.iinfo(values.dtype).max if np.issubdtype(values.dtype, np.integer) else np.nanmax(values)
        values, notes = luminance(values, path.name, max(float(scale), 1e-30))
    values, more = tidy(values, path.name)
    notes += more
    axes = (column, row, 3 - column - row)
    if axes != (0, 1, 2):
        notes.append(f"the image lies in the axes {'xyz'[column]} and {'xyz'[row]} of the file")
    chosen = choose_polarity(polarity, False, Polarity().reason, natural_pivot(values))
    return finish(values, chosen, path=path, geometry=header.geometry(axes), notes=notes,
                  spacing=_spacing(kind, text, header, column, row, notes))


def _slice_axes(header: Header, name: str) -> tuple[int, int]:
    """The two axes of the image, checked before anything is allocated."""
    size = header.size
    long_axes = [axis for axis, length in enumerate(size) if length > 1]
    if len(long_axes) > 2 or any(axis > 2 for axis in long_axes):
        raise RadiographError(f"{name} has {' x '.join(map(str, size))} voxels; a radiograph is a single slice, "
                              f"so export that slice alone.")
    for axis in range(min(len(size), 3)):  # a line or a point has too few; check_size says so
        if len(long_axes) < 2 and axis not in long_axes:
            long_axes.append(axis)
    column, row = sorted(long_axes)
    check_size(name, size[column], size[row])
    return column, row


def _check_claim(path: Path, header: Header) -> None:
    if int(np.prod(header.size, dtype=np.int64)) * header.components > _DEFLATE_RATIO * path.stat().st_size:
        raise RadiographError(f"{path.name} claims {' x '.join(map(str, header.size))} pixels, more than it can hold; "
                              f"it is damaged, so copy or export it again.")


def _spacing(kind: str, text: bytes, header: Header, column: int, row: int, notes: list[str]) -> Spacing | None:
    if kind in _SAYS_SPACING and not _SAYS_SPACING[kind].search(text):
        return None
    spacing = header.spacing[row], header.spacing[column]
    if not all(np.isfinite(value) and value > 0 for value in spacing):
        notes.append("the spacing in the header is not a positive number and is ignored")
        return None
    return Spacing(spacing[0], spacing[1], "header")
