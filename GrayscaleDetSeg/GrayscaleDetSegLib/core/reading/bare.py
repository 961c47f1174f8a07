"""DICOM files with a handful of chosen elements, for GDCM to read.

GDCM never gets a file of the user's: it inverts MONOCHROME1 and rescales on load, and a damaged length in an element
that nobody needs makes it take gigabytes. Written by hand because pydicom 2 and 3 differ in how files are saved.
"""

from __future__ import annotations

import struct

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_LONG = ("OB", "OW")  # value representations with a length of 4 bytes


class BareFile:
    """A file of one SOP class, size and transfer syntax (explicit little endian), with the elements added to it."""

    def __init__(self, sop_class: str, rows: int, columns: int, syntax: str) -> None:
        self._syntax, self._sop_class = syntax, sop_class
        self._elements: dict[tuple[int, int], bytes] = {}
        self.add(0x0008, 0x0016, "UI", sop_class)
        self.add(0x0008, 0x0018, "UI", "2.25.1")
        self.add(0x0028, 0x0010, "US", rows)
        self.add(0x0028, 0x0011, "US", columns)

    def add(self, group: int, number: int, representation: str, value: str | int | bytes) -> None:
        """Add an element: a US number, text, or the bytes of OB."""
        self._elements[group, number] = _element(group, number, representation, value)

    def encapsulating(self, frame: bytes) -> bytes:
        """The file with one compressed frame for pixel data."""
        frame += b"\0" * (len(frame) % 2)
        head = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
        items = [struct.pack("<HHI", 0xFFFE, 0xE000, 0), struct.pack("<HHI", 0xFFFE, 0xE000, len(frame)), frame,
                 struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)]
        return self._before_pixels() + head + b"".join(items)

    def holding(self, pixels: bytes) -> bytes:
        """The file with uncompressed pixel data."""
        return self._before_pixels() + _element(0x7FE0, 0x0010, "OB", pixels)

    def _before_pixels(self) -> bytes:
        meta = b"".join([
            _element(0x0002, 0x0001, "OB", b"\0\1"), _element(0x0002, 0x0002, "UI", self._sop_class),
            _element(0x0002, 0x0003, "UI", "2.25.1"), _element(0x0002, 0x0010, "UI", self._syntax),
            _element(0x0002, 0x0012, "UI", "2.25.2")])
        length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(meta))
        return b"\0" * 128 + b"DICM" + length + meta + b"".join(self._elements[tag] for tag in sorted(self._elements))


def _element(group: int, number: int, representation: str, value: str | int | bytes) -> bytes:
    if isinstance(value, int):
        value = struct.pack("<H", value)
    elif isinstance(value, str):
        value = value.encode("ascii", "replace")
    if len(value) % 2:
        value += b"\0" if representation in ("UI", "OB") else b" "
    length = struct.pack("<HI", 0, len(value)) if representation in _LONG else struct.pack("<H", len(value))
    return struct.pack("<HH", group, number) + representation.encode() + length + value
