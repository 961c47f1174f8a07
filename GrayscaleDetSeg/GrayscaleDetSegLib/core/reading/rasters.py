"""PNG, JPEG and TIFF files, through ITK: what is certain to exist in Slicer, and what Slicer itself loads them with."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import numpy as np

from ..errors import RadiographError
from ..gray import Polarity
from ..radiograph import Radiograph, Source
from .base import ReadOptions
from .codestream import Png, Tiff, jpeg
from .common import (
    Header,
    check_claim,
    check_size,
    choose_polarity,
    finish,
    luminance,
    natural_pivot,
    read_array,
    read_header,
    tidy,
)

_TIFF_RATIO = 4096  # LZW makes at best 4096 bytes of 12 bits
_GRAY, _GRAY_ALPHA, _RGBA = 0, 4, 6  # PNG colour types


class _RasterReader:
    """Reads pictures: gray, palette, or colour that is gray in truth; alpha is ignored.

    There is no spacing: the resolution in such a file (pHYs, JFIF density, TIFF resolution) is a printer's, commonly
    72 dpi.
    """

    name: str
    extensions: tuple[str, ...]
    signatures: tuple[bytes, ...]

    def recognises(self, head: bytes) -> bool:
        """See ``base.Reader``."""
        return head.startswith(self.signatures)

    def decode(self, path: Path) -> tuple[np.ndarray, Header, bool]:
        """Values (rows, columns[, components]), header, and whether 0 is white and the values are not yet inverted."""
        raise NotImplementedError

    def read(self, path: Path, options: ReadOptions) -> Radiograph:
        """See ``base.Reader``."""
        values, header, white_is_zero = self.decode(path)
        notes: list[str] = []
        if values.ndim == 3:
            scale = np.iinfo(values.dtype).max if np.issubdtype(values.dtype, np.integer) else values.max()
            values, notes = luminance(values, path.name, max(float(scale), 1e-30))
        values, more = tidy(values, path.name)
        notes += more
        geometry = header.geometry()
        if geometry.spacing[:2] != (1.0, 1.0):
            notes.append("the file's resolution is meant for printing and is not taken for a pixel spacing in mm")
        reason = "WhiteIsZero in the file" if white_is_zero else Polarity().reason
        chosen = choose_polarity(options.polarity, white_is_zero, reason, natural_pivot(values))
        if white_is_zero and chosen.inverted:
            notes.append("Slicer shows this file inverted: it does not look at WhiteIsZero")
        return finish(values, chosen, source=Source(path), geometry=geometry, notes=notes)


class PngReader(_RasterReader):
    """PNG files."""

    name, extensions, signatures = "PNG", (".png",), (b"\x89PNG\r\n\x1a\n",)

    def decode(self, path: Path) -> tuple[np.ndarray, Header, bool]:
        """See ``_RasterReader``."""
        return (*_read_png(path), False)


class JpegReader(_RasterReader):
    """JPEG files."""

    name, extensions, signatures = "JPEG", (".jpg", ".jpeg"), (b"\xff\xd8\xff",)

    def decode(self, path: Path) -> tuple[np.ndarray, Header, bool]:
        """See ``_RasterReader``."""
        return (*_read_jpeg(path), False)


class TiffReader(_RasterReader):
    """TIFF and BigTIFF files."""

    name, extensions, signatures = "TIFF", (".tif", ".tiff"), (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

    def decode(self, path: Path) -> tuple[np.ndarray, Header, bool]:
        """See ``_RasterReader``."""
        return _read_tiff(path)


def _read_png(path: Path) -> tuple[np.ndarray, Header]:
    data = path.read_bytes()
    try:
        png = Png.parse(data)
    except ValueError as error:
        raise _damaged(path, "PNG", str(error)) from error
    check_size(path.name, png.columns, png.rows)
    check_claim(path, png.columns * png.rows * png.depth // 8)
    transparent = any(kind == b"tRNS" for kind, _ in png.chunks)
    # SimpleITK knows no gray with alpha. Its bytes are those of a gray image of twice the depth, or of RGBA.
    if png.colour == _GRAY_ALPHA or (png.colour == _GRAY and transparent):
        labels = {(_GRAY_ALPHA, 8): (16, _GRAY), (_GRAY_ALPHA, 16): (8, _RGBA)}
        relabelled = png.relabelled(*labels.get((png.colour, png.depth), (png.depth, _GRAY)))
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "image.png"
            copy.write_bytes(relabelled)
            values, header = read_array(copy, "PNGImageIO"), read_header(copy, "PNGImageIO")
        if png.colour == _GRAY_ALPHA:
            values = (values >> 8).astype(np.uint8) if png.depth == 8 else _pairs(values)
        return values, header
    return read_array(path, "PNGImageIO"), read_header(path, "PNGImageIO")


def _pairs(values: np.ndarray) -> np.ndarray:
    """16 bit gray whose high and low bytes were read as red and green."""
    return (values[..., 0].astype(np.uint16) << 8) | values[..., 1]


def _read_jpeg(path: Path) -> tuple[np.ndarray, Header]:
    stream = jpeg(path.read_bytes())
    if stream is None:
        raise _damaged(path, "JPEG", "no valid header")
    check_size(path.name, stream.columns, stream.rows)
    check_claim(path, stream.columns * stream.rows)
    if stream.components == 4:
        raise RadiographError(f"{path.name} is a picture in printing colours (CMYK); save it as a grayscale image.")
    if not stream.complete:
        raise _damaged(path, "JPEG", "cut short")
    return read_array(path, "JPEGImageIO"), read_header(path, "JPEGImageIO")


def _read_tiff(path: Path) -> tuple[np.ndarray, Header, bool]:
    """Values, header, and whether 0 is white and not yet black (ITK turns it over only where it goes through RGBA)."""
    try:
        tiff = Tiff.parse(path.read_bytes())
    except (ValueError, struct.error) as error:
        raise _damaged(path, "TIFF", "no valid directory") from error
    check_size(path.name, tiff.columns, tiff.rows)
    if tiff.samples not in (1, 3, 4) or tiff.bits not in (1, 8, 16, 32):
        raise RadiographError(f"{path.name} has {tiff.samples} x {tiff.bits} bits a pixel, which is not "
                              f"read here; save it in gray with 8 or 16 bits and without transparency.")
    if tiff.pages > 1:
        raise RadiographError(f"{path.name} has {tiff.pages} pages; save the one radiograph as a file of its own.")
    header = read_header(path, "TIFFImageIO")
    check_size(path.name, *header.size[:2])
    check_claim(path, header.size[0] * header.size[1] * tiff.bits // 8, _TIFF_RATIO)
    if len(header.size) > 2 and max(header.size[2:]) > 1:
        raise RadiographError(f"{path.name} has {max(header.size[2:])} pages; "
                              f"save the one radiograph as a file of its own.")
    values = read_array(path, "TIFFImageIO")
    if len(header.size) > 2:
        values = values[0]
    if 8 * values.dtype.itemsize < tiff.bits:  # ITK falls back on 8 bit colours, for tiles for example
        raise RadiographError(f"{path.name} has {tiff.bits} bits a pixel in a layout of which only 8 can be read; "
                              f"save it without tiles.")
    return values, header, tiff.photometric == 0 and values.ndim == 2


def _damaged(path: Path, kind: str, what: str) -> RadiographError:
    return RadiographError(f"{path.name} is a damaged {kind} file ({what}); copy or export it again.")
