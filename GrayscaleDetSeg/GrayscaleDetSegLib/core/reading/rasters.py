"""PNG, JPEG and TIFF files, through ITK: what is certain to exist in Slicer, and what Slicer itself loads them with."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import RadiographError
from ..gray import Polarity
from ..lie import UNSAID, Lie, by_exif
from ..orientation import Orientation
from ..pixel_values import tidy
from ..radiograph import Radiograph, Source
from .base import ReadOptions
from .bmp import read_bmp
from .codestream import REAL, SIGNED, UNDEFINED, Png, Tiff, exif_orientation, jpeg, jpeg_orientation
from .common import (
    Header,
    Undecodable,
    ascii_folder,
    check_claim,
    check_size,
    choose_polarity,
    finish,
    luminance,
    natural_pivot,
    read_array,
    read_header,
)

_TIFF_RATIO = 4096  # LZW makes at best 4096 bytes of 12 bits
_GRAY, _GRAY_ALPHA, _RGBA = 0, 4, 6  # PNG colour types


@dataclass(frozen=True)
class Picture:
    """What is in a file.

    Parameters
    ----------
    values : ndarray, shape (rows, columns[, components])
        As Slicer loads it.
    header : Header
    white_is_zero : bool
        Whether 0 is white, and the values are not yet inverted.
    lie : Lie
        What the file says of how the picture lies.
    notes : tuple of str
    """

    values: np.ndarray
    header: Header
    white_is_zero: bool = False
    lie: Lie = UNSAID
    notes: tuple[str, ...] = ()


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

    def decode(self, path: Path) -> Picture:
        """What is in a file; sizes are checked before anything is allocated."""
        raise NotImplementedError

    def read(self, path: Path, options: ReadOptions) -> Radiograph:
        """See ``base.Reader``."""
        picture = self.decode(path)
        values, header, white_is_zero, notes = picture.values, picture.header, picture.white_is_zero, [*picture.notes]
        if values.ndim == 3:
            scale = np.iinfo(values.dtype).max if np.issubdtype(values.dtype, np.integer) else values.max()
            values, more = luminance(values, path.name, max(float(scale), 1e-30))
            notes += more
        values, more = tidy(values, path.name)
        notes += more
        geometry = header.geometry()
        if geometry.spacing[:2] != (1.0, 1.0):
            notes.append("the file's resolution is meant for printing and is not taken for a pixel spacing in mm")
        reason = "WhiteIsZero in the file" if white_is_zero else Polarity().reason
        chosen = choose_polarity(options.polarity, white_is_zero, reason, natural_pivot(values))
        if white_is_zero and chosen.inverted and picture.lie.turn is None:  # where rows begin elsewhere it looks at it
            notes.append("Slicer shows this file inverted: it does not look at WhiteIsZero")
        return finish(values, chosen, source=Source(path), geometry=geometry, notes=notes, lie=picture.lie)


class PngReader(_RasterReader):
    """PNG files."""

    name, extensions, signatures = "PNG", (".png",), (b"\x89PNG\r\n\x1a\n",)

    def decode(self, path: Path) -> Picture:
        """See ``_RasterReader``."""
        return _read_png(path)


class JpegReader(_RasterReader):
    """JPEG files."""

    name, extensions, signatures = "JPEG", (".jpg", ".jpeg"), (b"\xff\xd8\xff",)

    def decode(self, path: Path) -> Picture:
        """See ``_RasterReader``."""
        return _read_jpeg(path)


class TiffReader(_RasterReader):
    """TIFF and BigTIFF files."""

    name, extensions, signatures = "TIFF", (".tif", ".tiff"), (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

    def decode(self, path: Path) -> Picture:
        """See ``_RasterReader``."""
        return _read_tiff(path)


class BmpReader(_RasterReader):
    """BMP files without compression."""

    name, extensions, signatures = "BMP", (".bmp",), (b"BM",)

    def decode(self, path: Path) -> Picture:
        """See ``_RasterReader``."""
        values = read_bmp(path)
        return Picture(values, Header(values.shape[1::-1], (1.0, 1.0), (0.0, 0.0), (1.0, 0.0, 0.0, 1.0), 1, ""))


def _read_png(path: Path) -> Picture:
    data = path.read_bytes()
    try:
        png = Png.parse(data)
    except ValueError as error:
        raise _damaged(path, "PNG", str(error)) from error
    check_size(path.name, png.columns, png.rows)
    check_claim(path, png.columns * png.rows * png.depth // 8)
    lie = by_exif(next((exif_orientation(content) for kind, content in png.chunks if kind == b"eXIf"), None))
    transparent = any(kind == b"tRNS" for kind, _ in png.chunks)
    # SimpleITK knows no gray with alpha. Its bytes are those of a gray image of twice the depth, or of RGBA.
    if png.colour == _GRAY_ALPHA or (png.colour == _GRAY and transparent):
        labels = {(_GRAY_ALPHA, 8): (16, _GRAY), (_GRAY_ALPHA, 16): (8, _RGBA)}
        relabelled = png.relabelled(*labels.get((png.colour, png.depth), (png.depth, _GRAY)))
        with ascii_folder() as folder:
            copy = folder / "image.png"
            copy.write_bytes(relabelled)
            values, header = read_array(copy, "PNGImageIO"), read_header(copy, "PNGImageIO")
        if png.colour == _GRAY_ALPHA:
            values = (values >> 8).astype(np.uint8) if png.depth == 8 else _pairs(values)
        return Picture(values, header, lie=lie)
    return Picture(read_array(path, "PNGImageIO"), read_header(path, "PNGImageIO"), lie=lie)


def _pairs(values: np.ndarray) -> np.ndarray:
    """16 bit gray whose high and low bytes were read as red and green."""
    return (values[..., 0].astype(np.uint16) << 8) | values[..., 1]


def _read_jpeg(path: Path) -> Picture:
    data = path.read_bytes()
    stream = jpeg(data)
    if stream is None:
        raise _damaged(path, "JPEG", "no valid header")
    check_size(path.name, stream.columns, stream.rows)
    check_claim(path, stream.columns * stream.rows)
    if stream.components == 4:
        raise RadiographError(f"{path.name} is a picture in printing colours (CMYK); save it as a grayscale image.")
    if not stream.complete:
        raise _damaged(path, "JPEG", "cut short")
    return Picture(read_array(path, "JPEGImageIO"), read_header(path, "JPEGImageIO"),
                   lie=by_exif(jpeg_orientation(data)))


def _read_tiff(path: Path) -> Picture:
    """A file's picture as Slicer loads it, in all its bits (ITK turns WhiteIsZero over only where it goes by RGBA).

    Where the rows do not begin at the upper left, ITK falls back on 8 bits and mirrors the picture, but never turns it;
    previews before the picture it takes for the picture.
    """
    data = path.read_bytes()
    try:
        tiff = Tiff.parse(data)
    except (ValueError, struct.error) as error:
        raise _damaged(path, "TIFF", "no valid directory") from error
    check_size(path.name, tiff.columns, tiff.rows)
    if tiff.samples not in (1, 3, 4) or tiff.bits not in (1, 8, 16, 32):
        raise RadiographError(f"{path.name} has {tiff.samples} x {tiff.bits} bits a pixel, which is not "
                              f"read here; save it in gray with 8 or 16 bits and without transparency.")
    if tiff.sample_format > UNDEFINED or (tiff.sample_format == REAL and tiff.bits < 16):
        raise RadiographError(f"{path.name} holds complex numbers, or numbers of another kind that is not read here; "
                              f"save it in gray with 8 or 16 bits.")
    if tiff.pages > 1:
        raise RadiographError(f"{path.name} has {tiff.pages} pages; save the one radiograph as a file of its own.")
    if tiff.is_first and tiff.preview is None and tiff.orientation == 1:
        return _decoded_tiff(path, path, tiff)
    with ascii_folder() as folder:
        copy = folder / "image.tif"
        copy.write_bytes(tiff.alone(data))
        picture = _decoded_tiff(path, copy, tiff)
    notes = [*picture.notes]
    if tiff.preview is not None:
        notes.append(f"the file also holds a preview of {tiff.preview[0]} x {tiff.preview[1]} pixels, "
                     f"which is left out")
    shown, flips = _tiff_lie(tiff)
    return replace(picture, values=np.ascontiguousarray(flips.view(picture.values)), lie=shown, notes=tuple(notes))


ITK_FLIPS = {  # what ITK's reader mirrors, by the orientation
    2: Orientation(flip_columns=True),
    3: Orientation(flip_rows=True, flip_columns=True),
    4: Orientation(flip_rows=True),
    6: Orientation(flip_columns=True),
    7: Orientation(flip_rows=True, flip_columns=True),
    8: Orientation(flip_rows=True),
}


def _decoded_tiff(path: Path, copy: Path, tiff: Tiff) -> Picture:
    try:
        header = read_header(copy, "TIFFImageIO")
        values = _tiff_values(path, copy, tiff, header)
    except Undecodable as error:  # ITK's way out, 8 bit colours, is none for 32 bits
        if tiff.bits > 8 and (tiff.is_tiled or tiff.is_planar):
            raise _unread_layout(path, tiff) from error
        raise
    notes: tuple[str, ...] = ()
    if tiff.sample_format == REAL and values.dtype == np.uint16:
        values = values.view(np.float16)
        notes = ("the values are half-precision numbers; Slicer shows their bits as whole numbers",)
    return Picture(values, header, tiff.photometric == 0 and values.ndim == 2, notes=notes)


def _tiff_values(path: Path, copy: Path, tiff: Tiff, header: Header) -> np.ndarray:
    """The values as ITK has them; half-precision numbers are their bits."""
    check_size(path.name, *header.size[:2])
    check_claim(path, header.size[0] * header.size[1] * tiff.bits // 8, _TIFF_RATIO)
    if len(header.size) > 2 and max(header.size[2:]) > 1:
        raise RadiographError(f"{path.name} has {max(header.size[2:])} pages; "
                              f"save the one radiograph as a file of its own.")
    values = read_array(copy, "TIFFImageIO")
    if len(header.size) > 2:
        values = values[0]
    is_unsigned = np.issubdtype(values.dtype, np.unsignedinteger)
    if 8 * values.dtype.itemsize < tiff.bits or (tiff.sample_format == SIGNED and is_unsigned):
        raise _unread_layout(path, tiff)
    return values


def _unread_layout(path: Path, tiff: Tiff) -> RadiographError:
    """What to say where ITK falls back on colours of 8 unsigned bits."""
    how, instead = ("tiles", "without tiles") if tiff.is_tiled else (
        ("a plane for each colour", "in gray, or with its colours side by side") if tiff.is_planar else
        ("a rare form", "in gray without compression"))
    kind = "signed bits" if tiff.sample_format == SIGNED else "bits"
    return RadiographError(f"{path.name} has {tiff.bits} {kind} a pixel in {how}, of which only 8 unsigned ones can be "
                           f"read; save it {instead}.")


def _damaged(path: Path, kind: str, what: str) -> RadiographError:
    return RadiographError(f"{path.name} is a damaged {kind} file ({what}); copy or export it again.")


def lie_of_picture(path: Path) -> Lie:
    """How the picture in a PNG, JPEG or TIFF file lies in the grid that Slicer loads; nothing of it is decoded.

    Says nothing where the file is another one, damaged or gone.
    """
    try:
        data = path.read_bytes()
        if data.startswith(PngReader.signatures):
            chunks = Png.parse(data).chunks
            return by_exif(next((exif_orientation(content) for kind, content in chunks if kind == b"eXIf"), None))
        if data.startswith(JpegReader.signatures):
            return by_exif(jpeg_orientation(data))
        return _tiff_lie(Tiff.parse(data))[0] if data.startswith(TiffReader.signatures) else UNSAID
    except (OSError, ValueError, struct.error):
        return UNSAID


def _tiff_lie(tiff: Tiff) -> tuple[Lie, Orientation]:
    """How a TIFF file's picture lies as Slicer loads it, and what Slicer's reader mirrors."""
    shown, flips = by_exif(tiff.orientation, "TIFF orientation"), ITK_FLIPS.get(tiff.orientation, Orientation())
    return (shown if shown.turn is None else replace(shown, turn=shown.turn.of_flipped(flips))), flips
