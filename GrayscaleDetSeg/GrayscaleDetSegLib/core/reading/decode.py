"""Stored pixel values of a DICOM data set, decoded the same way whether or not pydicom has plugins.

Uncompressed values are unpacked here, RLE by pydicom, all else by the GDCM inside SimpleITK, the one decoder that is
there in every Slicer; it is given a bare copy of the image (see bare.py). Older ones do not know high-throughput JPEG
2000 (HTJ2K), which Pillow reads since its OpenJPEG is version 2.5.
"""

from __future__ import annotations

import io
import struct

import numpy as np

from ..errors import RadiographError
from . import codestream
from .bare import SECONDARY_CAPTURE, BareFile
from .common import Undecodable, ascii_folder, check_length, decoding, read_array

IMPLICIT_LITTLE, EXPLICIT_LITTLE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, EXPLICIT_BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
_NATIVE = (IMPLICIT_LITTLE, EXPLICIT_LITTLE, DEFLATED, EXPLICIT_BIG)
_HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")
_JPEG2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", *_HTJ2K)
_JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 52, 53, 54, 55, 56, 57, 58, 70, 80, 81))


def element(dataset, keyword: str):
    """The value of a tag, None where it is absent; Undecodable where it is malformed.

    pydicom converts values when they are asked for, and raises all sorts of things then.
    """
    with decoding(Exception):
        return dataset.get(keyword)


def whole(dataset, keyword: str, default: int = 0) -> int:
    """The value of a tag as an int, `default` where it is absent, empty or 0; Undecodable where it is no number."""
    value = element(dataset, keyword) or default
    with decoding(TypeError, ValueError, OverflowError):
        return int(value)


class Layout:
    """How the pixels of a data set are stored: the Image Pixel module, checked.

    Raises RadiographError for layouts that no radiograph has, and Undecodable for malformed tags.
    """

    def __init__(self, dataset, name: str) -> None:
        self.rows, self.columns = whole(dataset, "Rows"), whole(dataset, "Columns")
        self.samples = whole(dataset, "SamplesPerPixel", 1)
        self.allocated = whole(dataset, "BitsAllocated")
        self.stored = whole(dataset, "BitsStored", self.allocated)
        self.signed = whole(dataset, "PixelRepresentation") == 1
        self.planar = whole(dataset, "PlanarConfiguration") == 1
        self.photometric = str(element(dataset, "PhotometricInterpretation") or "MONOCHROME2").strip().upper()
        if self.allocated not in (8, 16, 32) or not 1 <= self.stored <= self.allocated:
            raise RadiographError(f"{name} stores {self.stored} of {self.allocated} bits a pixel, which is not read "
                                  f"here; export it with 8 or 16 bits.")
        if self.samples not in (1, 3):
            raise RadiographError(f"{name} has {self.samples} samples a pixel; export it as a grayscale image.")
        high = whole(dataset, "HighBit", -1)
        # a HighBit that does not fit the other two is a common slip of converters: the usual place is meant
        self.high = high if self.stored - 1 <= high < self.allocated else self.stored - 1
        self.resigned = ""
        """What was done about a code stream of another sign than this says, for the user; empty where nothing was."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns), with samples other than one appended."""
        return (self.rows, self.columns) + ((self.samples,) if self.samples > 1 else ())

    @property
    def limits(self) -> tuple[int, int]:
        """Lowest and highest value that the stored bits can hold."""
        return (-(2 ** (self.stored - 1)), 2 ** (self.stored - 1) - 1) if self.signed else (0, 2**self.stored - 1)

    def as_stored(self, value: float) -> float:
        """A value of a tag as the pixels have it, where it is written with the other sign: the same bits."""
        bits = 2**self.allocated
        if self.signed and value >= bits // 2:
            return value - bits
        return (value + bits) % 2**self.stored if not self.signed and value < 0 else value

    def values(self, words: np.ndarray) -> np.ndarray:
        """Values of unsigned words of `allocated` bits: the stored bits, cut out and given their sign."""
        shift = self.high + 1 - self.stored
        if shift or self.stored < self.allocated:
            words = (words >> words.dtype.type(shift)) & words.dtype.type(2**self.stored - 1)
        if not self.signed:
            return words
        signed = np.dtype(f"i{self.allocated // 8}")
        unused = self.allocated - self.stored  # shift the sign bit to the top and back
        return (words << words.dtype.type(unused)).view(signed) >> signed.type(unused)


def stored_values(dataset, layout: Layout, name: str) -> np.ndarray:
    """The stored values of a data set with one frame: (rows, columns) or (rows, columns, 3), integer.

    Colours come as RGB whatever they are stored as. Raises RadiographError where the data are cut short or do not fit
    the layout, and Undecodable where they are damaged.
    """
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    if syntax in _NATIVE:
        return _to_rgb(layout.values(_native_words(dataset, layout, name)), layout)
    if syntax == RLE:
        if layout.samples > 1:
            dataset.PhotometricInterpretation = "RGB"  # pydicom 3 converts YBR, pydicom 2 does not: do it below
        with decoding(Exception):  # all sorts of things, depending on pydicom's version and plugins
            words = np.ascontiguousarray(dataset.pixel_array).reshape(layout.shape)
        return _to_rgb(layout.values(words.view(f"u{layout.allocated // 8}")), layout)
    frame = _frame(_pixel_data(dataset))
    _check_frame(frame, layout, syntax, name)
    values = _decoded(dataset, frame, layout, syntax, name)
    with decoding(ValueError):
        return _of_sign(values.reshape(layout.shape), layout, frame, syntax)


def _decoded(dataset, frame: bytes, layout: Layout, syntax: str, name: str) -> np.ndarray:
    """The values of a compressed frame by the first decoder that knows it."""
    try:
        return _through_gdcm(frame, layout, syntax)
    except Undecodable as error:
        reason = error  # GDCM lacks newer codecs
    for way in (lambda: _through_pillow(frame), lambda: np.asarray(dataset.pixel_array)):
        try:
            with decoding(Exception):  # plugins of both raise all sorts of things
                return way()
        except Undecodable:
            continue
    kind = getattr(dataset.file_meta.TransferSyntaxUID, "name", syntax)
    more = ", or install the Python package pylibjpeg-openjpeg" if syntax in _HTJ2K else ""
    raise RadiographError(f"{name} has pixel data ({kind}) that cannot be decoded, or they are damaged; "
                          f"export it uncompressed{more}.") from reason


def _through_pillow(frame: bytes) -> np.ndarray:
    """The values of a JPEG 2000 frame of one component, as the stream has them.

    Pillow gives unsigned words, with what has more than 8 bits shifted to their top, and signed values moved up by
    half the range.
    """
    from PIL import Image

    stream = codestream.jpeg2000(frame)
    if stream is None or stream.components > 1:
        raise Undecodable("no JPEG 2000 stream of one component")
    with Image.open(io.BytesIO(frame)) as image:
        values = np.asarray(image)
    if values.ndim != 2 or stream.bits > 16:
        raise Undecodable(f"{stream.bits} bits in an image of mode {image.mode}")
    plain = values.astype(np.int32) >> (8 * values.dtype.itemsize - stream.bits)
    return plain - 2 ** (stream.bits - 1) if stream.signed else plain


def _of_sign(values: np.ndarray, layout: Layout, frame: bytes, syntax: str) -> np.ndarray:
    """The values of a JPEG 2000 frame whose sign is not that of the header: of both readings the smoother one.

    Some writers put the bits of signed values into an unsigned stream; others write a wrong header.
    """
    stream = codestream.jpeg2000(frame) if syntax in _JPEG2000 else None
    if stream is None or stream.signed == layout.signed or layout.samples > 1:
        return values
    plain = values.astype(np.int64)
    span, half = 2**layout.stored, 2 ** (layout.stored - 1)
    other = (plain + half) % span - half if layout.signed else plain % span
    chosen = min((plain, other), key=lambda each: sum(int(np.abs(np.diff(each, axis=axis)).sum()) for axis in (0, 1)))
    how = "by its own sign" if chosen is plain else "as the same bits with the header's sign"
    layout.resigned = (f"the JPEG 2000 pixels are {'signed' if stream.signed else 'unsigned'}, where the header says "
                       f"{'signed' if layout.signed else 'unsigned'}; they are read {how}")
    return chosen.astype(np.int32)


def _pixel_data(dataset) -> bytes:
    data = element(dataset, "PixelData")
    if not isinstance(data, bytes):
        raise Undecodable(f"pixel data of type {type(data).__name__}")
    return data


def is_big_endian(dataset) -> bool:
    """Whether words in the data set's binary values have their high byte first."""
    return str(dataset.file_meta.TransferSyntaxUID) == EXPLICIT_BIG


def _native_words(dataset, layout: Layout, name: str) -> np.ndarray:
    data = _pixel_data(dataset)
    half_chroma = layout.photometric == "YBR_FULL_422"
    count = layout.rows * layout.columns * (2 if half_chroma else layout.samples)
    expected = count * layout.allocated // 8
    check_length(name, len(data), expected, "pixel data")
    big = is_big_endian(dataset)
    words = np.frombuffer(data, f"{'>' if big else '<'}u{layout.allocated // 8}", count)
    if big and layout.allocated == 8 and dataset["PixelData"].VR == "OW":  # bytes in pairs, each pair swapped
        words = np.frombuffer(data, ">u2", (count + 1) // 2).astype("<u2").view(np.uint8)[:count]
    words = words.astype(words.dtype.newbyteorder("="), copy=False)
    if layout.samples == 1:
        return words.reshape(layout.shape)
    if half_chroma:  # Y Y Cb Cr for each two pixels
        pairs = words.reshape(-1, 4)
        pixels = np.stack([pairs[:, :2], np.repeat(pairs[:, 2:3], 2, 1), np.repeat(pairs[:, 3:], 2, 1)], -1)
        return pixels.reshape(layout.shape)
    if layout.planar:
        return np.moveaxis(words.reshape((3, layout.rows, layout.columns)), 0, -1)
    return words.reshape(layout.shape)


def _to_rgb(values: np.ndarray, layout: Layout) -> np.ndarray:
    if not layout.photometric.startswith("YBR_FULL") or layout.samples != 3:
        return values
    top = 2**layout.stored - 1
    luma = values[..., 0].astype(np.float32)
    blue, red = (values[..., index].astype(np.float32) - (top + 1) / 2 for index in (1, 2))
    rgb = np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], -1)
    return np.clip(np.rint(rgb), 0, top).astype(values.dtype)


def _frame(data: bytes) -> bytes:
    """The code stream of a single encapsulated frame: all fragments but the first item, which is the offset table."""
    position, fragments = 0, []
    while position + 8 <= len(data) and data[position:position + 4] == b"\xfe\xff\x00\xe0":
        length = struct.unpack("<I", data[position + 4:position + 8])[0]
        fragments.append(data[position + 8:position + 8 + length])
        position += 8 + length
    return b"".join(fragments[1:])


def _check_frame(frame: bytes, layout: Layout, syntax: str, name: str) -> None:
    """Refuse a stream of another size than the data set says, or without its end, before a native decoder gets it."""
    if syntax in _JPEG:
        stream = codestream.jpeg(frame)
    elif syntax in _JPEG2000:
        stream = codestream.jpeg2000(frame)
    else:
        return
    if stream is None or (stream.rows, stream.columns, stream.components) != (
            layout.rows, layout.columns, layout.samples) or stream.bits > layout.allocated:
        raise RadiographError(f"{name} has compressed pixels that do not fit its header; copy or export it again.")
    if not stream.complete:
        raise RadiographError(f"{name} is cut short: its compressed pixels have no end; copy or export it again.")


def _through_gdcm(frame: bytes, layout: Layout, syntax: str) -> np.ndarray:
    file = BareFile(SECONDARY_CAPTURE, layout.rows, layout.columns, syntax)
    file.add(0x0028, 0x0002, "US", layout.samples)
    file.add(0x0028, 0x0004, "CS", layout.photometric if layout.samples > 1 else "MONOCHROME2")
    if layout.samples > 1:
        file.add(0x0028, 0x0006, "US", int(layout.planar))
    file.add(0x0028, 0x0100, "US", layout.allocated)
    file.add(0x0028, 0x0101, "US", layout.stored)
    file.add(0x0028, 0x0102, "US", layout.high)
    stream = codestream.jpeg2000(frame) if syntax in _JPEG2000 else None
    file.add(0x0028, 0x0103, "US", int(layout.signed if stream is None else bool(stream.signed)))
    with ascii_folder() as folder:
        path = folder / "image.dcm"
        path.write_bytes(file.encapsulating(frame))
        return read_array(path, "GDCMImageIO")
