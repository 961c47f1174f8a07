"""Headers of compressed images, read before a native decoder sees them: size, components, and whether they end.

The decoders fill what is missing with gray and trust the sizes in the stream; both are checked here first.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Codestream:
    """Size in pixels, number of components, bits a component, whether the end marker is there; and whether values are
    signed, None where the format does not know."""

    rows: int
    columns: int
    components: int
    bits: int
    complete: bool
    signed: bool | None = None


def jpeg(data: bytes) -> Codestream | None:
    """The header of a JPEG or JPEG-LS stream; None where there is none, or a marker does not fit."""
    if data[:2] != b"\xff\xd8":
        return None
    position, frame = 2, None
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        length = int.from_bytes(data[position + 2:position + 4], "big")
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            if frame is not None or position + 10 > len(data):  # a second frame header: hierarchical, or damage
                return None
            frame = struct.unpack(">BHHB", data[position + 4:position + 10])
        elif marker == 0xDA:
            break
        position += 2 + length
    else:
        return None
    if frame is None:
        return None
    bits, rows, columns, components = frame
    return Codestream(rows, columns, components, bits, data.rfind(b"\xff\xd9") > position)


def jpeg2000(data: bytes) -> Codestream | None:
    """The header of a JPEG 2000 code stream, bare or in a JP2 file; None where there is none."""
    start = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0 or len(data) < start + 43:
        return None
    right, bottom, left, top = struct.unpack(">IIII", data[start + 8:start + 24])
    components, depth = struct.unpack(">HB", data[start + 40:start + 43])
    return Codestream(bottom - top, right - left, components, (depth & 0x7F) + 1, data.rfind(b"\xff\xd9") > start,
                      bool(depth & 0x80))


@dataclass(frozen=True)
class Png:
    """A PNG file taken apart: its IHDR fields and its chunks as (type, content)."""

    columns: int
    rows: int
    depth: int
    colour: int
    chunks: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def parse(cls, data: bytes) -> Png:
        """Take a file apart; raises ValueError where it is cut short or a chunk's checksum is wrong."""
        position, chunks = 8, []
        while True:
            length, kind = int.from_bytes(data[position:position + 4], "big"), data[position + 4:position + 8]
            content = data[position + 8:position + 8 + length]
            checksum = data[position + 8 + length:position + 12 + length]
            if len(kind) < 4 or len(content) < length or len(checksum) < 4:
                raise ValueError("cut short")
            if int.from_bytes(checksum, "big") != zlib.crc32(content, zlib.crc32(kind)):
                raise ValueError("a wrong checksum")
            chunks.append((kind, content))
            position += 12 + length
            if kind == b"IEND":
                break
        if chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
            raise ValueError("no header")
        columns, rows, depth, colour = struct.unpack(">IIBB", chunks[0][1][:10])
        return cls(columns, rows, depth, colour, tuple(chunks))

    def relabelled(self, depth: int, colour: int) -> bytes:
        """The same pixel bytes under another depth and colour type, transparency left out."""
        parts = [b"\x89PNG\r\n\x1a\n"]
        for kind, content in self.chunks:
            if kind == b"IHDR":
                content = content[:8] + bytes((depth, colour)) + content[10:]
            if kind in (b"IHDR", b"IDAT", b"IEND"):
                parts += [struct.pack(">I", len(content)), kind, content,
                          struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))]
        return b"".join(parts)


def exif_orientation(tiff: bytes) -> int | None:
    """The orientation, 1 to 8, in the first directory of EXIF data, a small TIFF; None where there is none."""
    try:
        directory = directories(tiff)[0]
    except (IndexError, ValueError, struct.error):
        return None
    value = directory.fields.get(ORIENTATION)
    return value if value is not None and 1 <= value <= 8 else None


def jpeg_orientation(data: bytes) -> int | None:
    """The EXIF orientation of a JPEG file; None where it has none."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        if data[position + 1] == 0xFF:
            position += 1
            continue
        length = int.from_bytes(data[position + 2:position + 4], "big")
        content = data[position + 4:position + 2 + length]
        if data[position + 1] == 0xE1 and content[:6] == b"Exif\0\0":
            return exif_orientation(content[6:])
        position += 2 + length
    return None


WIDTH, HEIGHT, ORIENTATION, PLANES, TILE_WIDTH, SAMPLE_FORMAT = 256, 257, 274, 284, 322, 339
# NewSubfileType, ImageWidth, ImageLength, BitsPerSample, PhotometricInterpretation, Orientation, SamplesPerPixel,
# PlanarConfiguration, TileWidth, SampleFormat
_TIFF_TAGS = (254, WIDTH, HEIGHT, 258, 262, ORIENTATION, 277, PLANES, TILE_WIDTH, SAMPLE_FORMAT)
UNSIGNED, SIGNED, REAL, UNDEFINED = 1, 2, 3, 4
"""What TIFF's SampleFormat says of the values; what follows are complex numbers."""
_MAX_PAGES = 1000
PREVIEW = 0.6
"""Share of the sides of the largest page up to which a page of the same proportions is a preview of it."""


@dataclass(frozen=True)
class Directory:
    """One directory of a TIFF file: where it begins and where it names the next one, the values of its tags, and the
    place of the orientation's value."""

    start: int
    next_at: int
    fields: dict[int, int]
    orientation_at: int | None

    def is_preview_of(self, other: Directory) -> bool:
        """Whether this page is a small copy of the other, by their sizes."""
        (width, height), (wide, high) = ((each.fields[WIDTH], each.fields[HEIGHT]) for each in (self, other))
        is_small = width <= PREVIEW * wide and height <= PREVIEW * high
        return is_small and abs(width * high - height * wide) <= 1.5 * max(wide, high)  # a pixel of rounding


def directories(data: bytes) -> list[Directory]:
    """The directories of a TIFF or BigTIFF file; raises ValueError or struct.error where they are damaged."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack(order + "H", data[2:4])[0] == 43
    count_format, offset_format, entry, at = ("Q", "Q", "HHQ8s", 8) if big else ("H", "I", "HHI4s", 4)
    entry_size, count_size = struct.calcsize("<" + entry), struct.calcsize("<" + count_format)
    found: list[Directory] = []
    seen: set[int] = set()
    position = struct.unpack_from(order + offset_format, data, at)[0]
    while position and position not in seen and len(found) < _MAX_PAGES:
        seen.add(position)
        start = position
        count = struct.unpack_from(order + count_format, data, position)[0]
        position += count_size
        if position + count * entry_size > len(data):
            raise ValueError("a directory beyond the end")
        fields, orientation_at = {}, None
        for index in range(count):
            tag, kind, number, value = struct.unpack_from(order + entry, data, position + entry_size * index)
            if tag in _TIFF_TAGS and kind in (3, 4):
                size = 2 if kind == 3 else 4
                if number * size > len(value):  # the values are elsewhere
                    value = data[struct.unpack(order + offset_format, value)[0]:][:size]
                elif tag == ORIENTATION and kind == 3:
                    orientation_at = position + entry_size * index + entry_size - len(value)
                fields[tag] = struct.unpack(order + ("H" if kind == 3 else "I"), value[:size])[0]
        next_at = position + entry_size * count
        found.append(Directory(start, next_at, fields, orientation_at))
        position = struct.unpack_from(order + offset_format, data, next_at)[0]
    return found


@dataclass(frozen=True)
class Tiff:
    """What a TIFF file says of its one picture: size, PhotometricInterpretation, bits, samples; number of pages.

    A reduced copy or a transparency mask is no page of its own, and neither is one that by its size is a preview;
    `preview` is the (columns, rows) of such a one. `orientation` is 1 to 8, see EXIF.
    """

    columns: int
    rows: int
    photometric: int
    bits: int
    samples: int
    pages: int
    orientation: int
    preview: tuple[int, int] | None
    main: Directory
    is_first: bool

    @classmethod
    def parse(cls, data: bytes) -> Tiff:
        """Read the directories of a TIFF or BigTIFF file; raises ValueError or struct.error where they are damaged."""
        every = directories(data)
        sized = [each for each in every if WIDTH in each.fields and HEIGHT in each.fields]
        pages = [each for each in sized if not each.fields.get(254, 0) & 5]
        if not pages:
            raise ValueError("no size")
        main = max(pages, key=lambda each: each.fields[WIDTH] * each.fields[HEIGHT])
        others = [each for each in pages if each is not main and not each.is_preview_of(main)]
        small = [each for each in sized if each is not main and each.is_preview_of(main)]
        preview = (small[0].fields[WIDTH], small[0].fields[HEIGHT]) if small else None
        main = main if not others else pages[0]
        fields = main.fields
        orientation = fields.get(ORIENTATION, 1)
        return cls(fields[WIDTH], fields[HEIGHT], fields.get(262, 1), fields.get(258, 1), fields.get(277, 1),
                   1 + len(others), orientation if 1 <= orientation <= 8 else 1, preview, main, main is every[0])

    @property
    def sample_format(self) -> int:
        """What kind of numbers the values are: ``UNSIGNED``, ``SIGNED``, ``REAL``, ``UNDEFINED`` or another one."""
        return self.main.fields.get(SAMPLE_FORMAT, UNSIGNED)

    @property
    def is_tiled(self) -> bool:
        """Whether the pixels lie in tiles, and not in rows."""
        return TILE_WIDTH in self.main.fields

    @property
    def is_planar(self) -> bool:
        """Whether each colour has a plane of its own."""
        return self.samples > 1 and self.main.fields.get(PLANES, 1) == 2

    def alone(self, data: bytes) -> bytes:
        """The file with this picture alone, and as its rows are stored: without previews and orientation."""
        order, big = "<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+")
        changed = bytearray(data)
        offset, at = (order + "Q", 8) if big else (order + "I", 4)
        struct.pack_into(offset, changed, at, self.main.start)
        struct.pack_into(offset, changed, self.main.next_at, 0)
        if self.main.orientation_at is not None:
            struct.pack_into(order + "H", changed, self.main.orientation_at, 1)
        return bytes(changed)
