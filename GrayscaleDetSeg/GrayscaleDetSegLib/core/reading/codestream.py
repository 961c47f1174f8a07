"""Headers of compressed images, read before a native decoder sees them: size, components, and whether they end.

The decoders fill what is missing with gray and trust the sizes in the stream; both are checked here first.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Codestream:
    """Size in pixels, number of components, bits a component, and whether the end marker is there."""

    rows: int
    columns: int
    components: int
    bits: int
    complete: bool


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
    return Codestream(bottom - top, right - left, components, (depth & 0x7F) + 1, data.rfind(b"\xff\xd9") > start)


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


# NewSubfileType, ImageWidth, ImageLength, BitsPerSample, PhotometricInterpretation, SamplesPerPixel
_TIFF_TAGS = (254, 256, 257, 258, 262, 277)
_MAX_PAGES = 1000


@dataclass(frozen=True)
class Tiff:
    """What the first directory of a TIFF file says: size, PhotometricInterpretation, bits, samples; number of pages."""

    columns: int
    rows: int
    photometric: int
    bits: int
    samples: int
    pages: int

    @classmethod
    def parse(cls, data: bytes) -> Tiff:
        """Read the directories of a TIFF or BigTIFF file; raises ValueError or struct.error where they are damaged."""
        order = "<" if data[:2] == b"II" else ">"
        big = struct.unpack(order + "H", data[2:4])[0] == 43
        count_format, offset_format, entry, at = ("Q", "Q", "HHQ8s", 8) if big else ("H", "I", "HHI4s", 4)
        entry_size, count_size = struct.calcsize("<" + entry), struct.calcsize("<" + count_format)
        first, pages, seen = None, 0, set()
        position = struct.unpack_from(order + offset_format, data, at)[0]
        while position and position not in seen and pages < _MAX_PAGES:
            seen.add(position)
            count = struct.unpack_from(order + count_format, data, position)[0]
            position += count_size
            if position + count * entry_size > len(data):
                raise ValueError("a directory beyond the end")
            fields = {}
            for index in range(count):
                tag, kind, number, value = struct.unpack_from(order + entry, data, position + entry_size * index)
                if tag in _TIFF_TAGS and kind in (3, 4):
                    size = 2 if kind == 3 else 4
                    if number * size > len(value):  # the values are elsewhere
                        value = data[struct.unpack(order + offset_format, value)[0]:][:size]
                    fields[tag] = struct.unpack(order + ("H" if kind == 3 else "I"), value[:size])[0]
            if not fields.get(254, 0) & 5:  # reduced copies and transparency masks are no pages of their own
                pages += 1
                first = first or fields
            position = struct.unpack_from(order + offset_format, data, position + entry_size * count)[0]
        if first is None or 256 not in first or 257 not in first:
            raise ValueError("no size")
        return cls(first[256], first[257], first.get(262, 1), first.get(258, 1), first.get(277, 1), pages)
