"""Compressed NRRD files of one slice, the same bytes for the same content."""

from __future__ import annotations

import gzip

import numpy as np

_TYPES = {"uint8": "unsigned char", "uint16": "unsigned short"}


def nrrd(array: np.ndarray, spacing: tuple[float, float], comment: str, fields: dict[str, str]) -> bytes:
    """An NRRD file of a radiograph or a label map, placed as ITK places a DICOM radiograph.

    Parameters
    ----------
    array : ndarray of uint8 or uint16, shape (rows, columns)
    spacing : tuple of 2 float
        (row, column) in mm.
    fields : dict of str to str
        Key and value pairs of the header.
    """
    rows, columns = array.shape
    row, column = spacing
    header = [
        "NRRD0004",
        f"# {comment}",
        f"type: {_TYPES[array.dtype.name]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {columns} {rows} 1",
        f"space directions: ({column:g},0,0) (0,{row:g},0) (0,0,1)",
        "kinds: domain domain domain",
        *([] if array.dtype.itemsize == 1 else ["endian: little"]),
        "encoding: gzip",
        "space origin: (0,0,0)",
        *(f"{key}:={value}" for key, value in fields.items()),
    ]
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return ("\n".join(header) + "\n\n").encode() + gzip.compress(little.tobytes(), 9, mtime=0)
