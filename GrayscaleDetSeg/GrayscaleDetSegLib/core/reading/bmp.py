"""BMP files, taken apart here: a handful of bytes of header, a palette, and rows of pixels without compression."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from ..errors import RadiographError
from .common import check_size

_PLAIN, _MASKED = 0, 3  # compression


def read_bmp(path: Path) -> np.ndarray:
    """The values of a BMP file: uint8 (rows, columns) where it is gray, (rows, columns, 3) in RGB where it is not.

    Raises RadiographError for what is damaged, compressed, or of a depth that is not read.
    """
    data = path.read_bytes()
    try:
        start, size = struct.unpack_from("<II", data, 10)
        form = "<HHHH" if size == 12 else "<iiHH"
        columns, rows, _, depth = struct.unpack_from(form, data, 18)
        compression = _PLAIN if size == 12 else struct.unpack_from("<I", data, 30)[0]
    except struct.error as error:
        raise _damaged(path, "its header is cut short") from error
    upwards, rows = rows >= 0, abs(rows)
    check_size(path.name, columns, rows)
    if depth not in (1, 4, 8, 24, 32) or compression not in ((_PLAIN, _MASKED) if depth == 32 else (_PLAIN,)):
        raise RadiographError(f"{path.name} is a BMP picture with {depth} bits a pixel"
                              f"{', compressed' if compression else ''}, which is not read here; save it as PNG.")
    stride = (columns * depth + 31) // 32 * 4
    if len(data) < start + stride * rows:
        raise _damaged(path, "it is cut short")
    lines = np.frombuffer(data, np.uint8, stride * rows, start).reshape(rows, stride)
    lines = lines[::-1] if upwards else lines
    if depth >= 24:
        pixels = lines[:, :columns * depth // 8].reshape(rows, columns, depth // 8)
        return np.ascontiguousarray(pixels[..., 2::-1])  # blue comes first
    if depth < 8:
        parts = [(lines >> shift) & (2**depth - 1) for shift in range(8 - depth, -1, -depth)]
        lines = np.stack(parts, -1).reshape(rows, -1)
    palette = _palette(data, 14 + size, start, 3 if size == 12 else 4, path)
    index = lines[:, :columns]
    if int(index.max()) >= len(palette):
        raise _damaged(path, "it has more colours than its palette")
    is_gray = (palette == palette[:, :1]).all()
    return palette[index][..., 0] if is_gray else palette[index]


def _palette(data: bytes, first: int, end: int, width: int, path: Path) -> np.ndarray:
    """The colours (n, 3) in RGB."""
    count = max(0, min(256, (min(end, len(data)) - first) // width))
    if not count:
        raise _damaged(path, "it has no palette")
    return np.frombuffer(data, np.uint8, count * width, first).reshape(count, width)[:, 2::-1]


def _damaged(path: Path, what: str) -> RadiographError:
    return RadiographError(f"{path.name} is a damaged BMP file ({what}); copy or export it again.")
