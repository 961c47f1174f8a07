"""NRRD and MetaImage files, read without ITK, whose readers of both crash or hang on damaged headers and data.

Only what can hold a radiograph: any pixel type, uncompressed, gzip, bzip2 or text. Placement follows ITK's convention.
"""

from __future__ import annotations

import bz2
import re
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from ..errors import RadiographError
from .common import Header, check_claim, check_length, decoding

_HEADER_BYTES = _PIECE = 65536
_NRRD_TYPES = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1", "uchar": "u1", "unsigned char": "u1", "uint8": "u1",
    "uint8_t": "u1", "short": "i2", "short int": "i2", "signed short": "i2", "signed short int": "i2", "int16": "i2",
    "int16_t": "i2", "ushort": "u2", "unsigned short": "u2", "unsigned short int": "u2", "uint16": "u2",
    "uint16_t": "u2", "int": "i4", "signed int": "i4", "int32": "i4", "int32_t": "i4", "uint": "u4",
    "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4", "longlong": "i8", "long long": "i8", "long long int": "i8",
    "signed long long": "i8", "signed long long int": "i8", "int64": "i8", "int64_t": "i8", "ulonglong": "u8",
    "unsigned long long": "u8", "unsigned long long int": "u8", "uint64": "u8", "uint64_t": "u8", "float": "f4",
    "double": "f8",
}
_META_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_MILLIMETRES = {"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "millimetre": 1.0, "millimetres": 1.0,
                "um": 1e-3, "\u00b5m": 1e-3, "micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3, "micrometers": 1e-3,
                "micrometre": 1e-3, "micrometres": 1e-3, "nm": 1e-6, "cm": 10.0, "centimeter": 10.0,
                "centimeters": 10.0, "centimetre": 10.0, "centimetres": 10.0, "m": 1e3, "meter": 1e3, "meters": 1e3,
                "metre": 1e3, "metres": 1e3, "in": 25.4, "inch": 25.4, "inches": 25.4}
_DOMAIN_KINDS = ("domain", "space", "time", "none", "???", "")
# signs that bring an axis of these spaces to left, posterior, superior
_TO_LPS = {"right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1), "left-anterior-superior": (1, -1, 1),
           "las": (1, -1, 1)}


@dataclass(frozen=True)
class TextHeader:
    """A header, and where and how its pixels are stored.

    Parameters
    ----------
    header : Header
        As ITK would say it.
    says_spacing : bool
        Whether the file gives the spacing, which is 1 otherwise.
    dtype : numpy.dtype
        Of the stored values, with their byte order.
    encoding : str
        ``"raw"``, ``"deflate"`` (with the head of zlib or gzip), ``"bzip2"`` or ``"text"``.
    file, start : Path, int
        The file with the pixels, and their first byte; -1 for as many bytes as are needed from its end.
    component_axis : int or None
        Which stored axis (the fastest first) counts components; None where there is one component.
    units : tuple of str
        In which the file gives the spacing along the axes of the header; empty where it does not say.
    """

    header: Header
    says_spacing: bool
    dtype: np.dtype
    encoding: str
    file: Path
    start: int
    component_axis: int | None
    units: tuple[str, ...] = ()

    @property
    def millimetres(self) -> float | None:
        """The file's unit of length in mm; None where it is no length, or the axes have several."""
        found = {unit.strip().lower().replace("\u03bc", "\u00b5") for unit in self.units if unit.strip()}
        if not found:
            return 1.0
        return _MILLIMETRES.get(found.pop()) if len(found) == 1 else None

    def values(self) -> np.ndarray:
        """The values, axes in numpy's order with components last; RadiographError where some are missing."""
        shape = list(self.header.size)
        if self.component_axis is not None:
            shape.insert(self.component_axis, self.header.components)
        count = int(np.prod(shape, dtype=np.int64))
        size = count * self.dtype.itemsize
        check_claim(self.file, count if self.encoding == "text" else size)
        data = self.file.read_bytes()
        data = data[max(0, len(data) - size):] if self.start < 0 else data[self.start:]
        if self.encoding == "text":
            with decoding(ValueError):
                values = np.array(data.split(None, count)[:count], np.float64).astype(self.dtype)
        else:
            data = self._inflated(data, size)
            values = np.frombuffer(data, self.dtype, min(count, len(data) // self.dtype.itemsize))
        check_length(self.file.name, len(values), count, "pixels")
        values = values.astype(self.dtype.newbyteorder("="), copy=False).reshape(shape[::-1])
        if self.component_axis is not None:
            values = np.moveaxis(values, len(shape) - 1 - self.component_axis, -1)
        return values

    def _inflated(self, data: bytes, size: int) -> bytes:
        """The first `size` bytes of all members: parallel packers, and those that append, write several."""
        if self.encoding == "raw":
            return data
        next_begins = b"\x1f\x8b" if self.encoding == "deflate" else b"BZh"
        pieces: list[bytes] = []
        held = position = 0
        with decoding(zlib.error, OSError, ValueError):  # the second and third are bz2's
            while held < size and position < len(data) and (not pieces or data.startswith(next_begins, position)):
                member = zlib.decompressobj(32 + zlib.MAX_WBITS) if self.encoding == "deflate" \
                    else bz2.BZ2Decompressor()
                while held < size and position < len(data) and not member.eof:
                    packed = data[position:position + _PIECE]
                    pieces.append(member.decompress(packed, size - held))
                    held += len(pieces[-1])
                    position += len(packed) - len(member.unused_data)
        return b"".join(pieces)


_FAULTS = (ValueError, KeyError, IndexError, OverflowError)  # of numbers and names that are none


def read_metaimage_header(path: Path) -> TextHeader:
    """The header of a MetaImage file. Raises RadiographError or Undecodable where it is damaged."""
    with decoding(*_FAULTS):
        return _metaimage_header(path)


def read_nrrd_header(path: Path) -> TextHeader:
    """The header of a NRRD file. Raises RadiographError or Undecodable where it is damaged."""
    with decoding(*_FAULTS):
        return _nrrd_header(path)


def _metaimage_header(path: Path) -> TextHeader:
    head = _head(path)
    end = re.search(rb"^[ \t]*ElementDataFile[ \t]*=[^\n]*(\n|\Z)", head, re.MULTILINE)
    if end is None:
        raise RadiographError(f"{path.name} has a damaged header without ElementDataFile; copy or export it again.")
    fields = {}
    for line in head[:end.end()].decode("utf-8", "replace").splitlines():
        key, _, value = line.partition("=")
        fields[key.strip()] = value.strip()
    ndim = int(fields["NDims"])
    size = tuple(int(number) for number in fields["DimSize"].split())
    if not 1 <= ndim <= 4 or len(size) != ndim or min(size) < 1:
        raise ValueError("dimensions")

    def numbers(keys: tuple[str, ...], count: int, default: np.ndarray) -> tuple[float, ...]:
        text = next((fields[key] for key in keys if key in fields), None)
        found = default.reshape(-1).tolist() if text is None else [float(number) for number in text.split()]
        if len(found) != count:
            raise ValueError(keys[0])
        return tuple(found)

    def true(key: str) -> bool:
        return fields.get(key, "False").upper() in ("TRUE", "1", "T")

    spacing_keys = ("ElementSpacing", "ElementSize")
    spacing = numbers(spacing_keys, ndim, np.ones(ndim))
    origin = numbers(("Offset", "Position", "Origin"), ndim, np.zeros(ndim))
    matrix = numbers(("TransformMatrix", "Orientation", "Rotation"), ndim * ndim, np.eye(ndim))
    components = int(fields.get("ElementNumberOfChannels", "1"))
    kind = fields["ElementType"]
    if kind.endswith("_ARRAY"):
        kind = kind[:-6]
    big = true("BinaryDataByteOrderMSB") or true("ElementByteOrderMSB")
    dtype = np.dtype((">" if big else "<") + _META_TYPES[kind])
    local = fields["ElementDataFile"].upper() == "LOCAL"
    file = path if local else _data_file(path, fields["ElementDataFile"])
    start = end.end() if local else int(fields.get("HeaderSize", "0"))
    encoding = "deflate" if true("CompressedData") else "raw" if fields.get("BinaryData", "True").upper() != "FALSE" \
        else "text"
    direction = tuple(np.reshape(matrix, (ndim, ndim)).T.reshape(-1).tolist())
    header = Header(size, spacing, origin, direction, components, dtype.name)
    units = (fields["DistanceUnits"],) if fields.get("DistanceUnits", "?") != "?" else ()
    return TextHeader(header, any(key in fields for key in spacing_keys), dtype, encoding, file, start,
                      0 if components > 1 else None, units)


def _nrrd_header(path: Path) -> TextHeader:
    head = _head(path)
    end = re.search(rb"\r?\n\r?\n", head)
    text = head[:end.start()] if end else head
    fields = {}
    for line in text.decode("utf-8", "replace").splitlines()[1:]:
        key, colon, value = line.partition(":")
        if colon and not line.startswith("#") and not value.startswith("="):
            fields[key.strip().lower().replace("datafile", "data file")] = value.strip()
    sizes = [int(number) for number in fields["sizes"].split()]
    if len(sizes) != int(fields["dimension"]) or not 1 <= len(sizes) <= 5 or min(sizes) < 1:
        raise ValueError("dimensions")
    vectors = re.findall(r"none|\([^)]*\)", fields.get("space directions", ""), re.IGNORECASE) or [""] * len(sizes)
    kinds = (fields.get("kinds", "").lower().split() or [""] * len(sizes))
    if len(vectors) != len(sizes) or len(kinds) != len(sizes):
        raise ValueError("space directions or kinds")
    other = [axis for axis in range(len(sizes)) if vectors[axis].lower() == "none" or kinds[axis] not in _DOMAIN_KINDS]
    if len(other) > 1:
        raise RadiographError(f"{path.name} has {len(other)} axes that are no directions in space; "
                              f"export the radiograph as a single slice.")
    domain = [axis for axis in range(len(sizes)) if axis not in other]
    spacing, origin, direction = _nrrd_placement(fields, [vectors[axis] for axis in domain], domain)
    size = [sizes[axis] for axis in domain] + [1] * (len(spacing) - len(domain))
    components = sizes[other[0]] if other else 1
    encoding = {"raw": "raw", "gz": "deflate", "gzip": "deflate", "bz2": "bzip2", "bzip2": "bzip2", "txt": "text",
                "text": "text", "ascii": "text"}[fields["encoding"].lower()]
    dtype = np.dtype(_NRRD_TYPES[" ".join(fields["type"].lower().split())])
    if dtype.itemsize > 1 and encoding != "text":
        dtype = dtype.newbyteorder("<" if {"little": True, "big": False}[fields["endian"].lower()] else ">")
    detached = fields.get("data file")
    if detached is None and end is None:
        raise ValueError("no data")
    start = int(fields.get("byte skip", "0")) + (end.end() if detached is None and end is not None else 0)
    if "byte skip" in fields and int(fields["byte skip"]) < 0:
        start = -1
    if int(fields.get("line skip", "0")):
        raise RadiographError(f"{path.name} skips lines before its pixels, which is not read here; save it plainly.")
    header = Header(tuple(size), spacing, origin, direction, components, dtype.name)
    return TextHeader(header, "spacings" in fields or "space directions" in fields, dtype, encoding,
                      path if detached is None else _data_file(path, detached), start,
                      other[0] if other else None, _nrrd_units(fields, len(sizes), domain))


def _nrrd_units(fields: dict[str, str], dimension: int, domain: list[int]) -> tuple[str, ...]:
    """The units of lengths: those of the space that the axes lie in, or of the axes themselves."""
    if "space directions" in fields:
        return tuple(re.findall(r'"([^"]*)"', fields.get("space units", "")))
    units = re.findall(r'"([^"]*)"', fields.get("units", ""))
    return tuple(units[axis] for axis in domain) if len(units) == dimension else ()


def _nrrd_placement(fields: dict[str, str], vectors: list[str],
                    domain: list[int]) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Spacing, origin and direction in LPS of the domain axes; two axes in three dimensions get a third."""
    ndim = len(domain)
    if not vectors or not vectors[0]:
        spacings = [float(number) for number in fields.get("spacings", "").split()]
        spacing = [spacings[axis] for axis in domain] if spacings else [1.0] * ndim
        return tuple(spacing), (0.0,) * ndim, tuple(np.eye(ndim).reshape(-1).tolist())
    columns = np.array([[float(number) for number in vector.strip("()").split(",")] for vector in vectors]).T
    dimension = len(columns)
    if columns.ndim != 2 or dimension < ndim or dimension > 4:
        raise ValueError("space directions")
    text = fields.get("space origin", "").strip("()")
    origin = np.array([float(number) for number in text.split(",")]) if text else np.zeros(dimension)
    if len(origin) != dimension:
        raise ValueError("space origin")
    signs = np.ones(dimension)
    signs[:3] = _TO_LPS.get(fields.get("space", "").lower().replace("-time", ""), (1, 1, 1))[:min(dimension, 3)]
    if (dimension, ndim) == (3, 2):
        normal = np.cross(columns[:, 0], columns[:, 1])
        columns = np.column_stack([columns, normal / np.linalg.norm(normal)])
    spacing = np.linalg.norm(columns, axis=0)
    direction = signs[:, None] * columns / spacing
    if direction.shape[0] != direction.shape[1]:
        raise ValueError("space dimension")
    return tuple(spacing.tolist()), tuple((signs * origin).tolist()), tuple(direction.reshape(-1).tolist())


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(_HEADER_BYTES)


def _data_file(path: Path, value: str) -> Path:
    """The file beside a header, or below its folder, that holds the pixels; no header may name any other."""
    if "%" in value or value.upper().startswith("LIST"):
        raise RadiographError(f"{path.name} has its pixels in several files; save the one radiograph as a single file.")
    shown = value if value.isprintable() and len(value) < 100 else "unreadable"
    outside = RadiographError(f"{path.name} names a file with its pixels ({shown}) outside its own folder, which is "
                              f"not read; put both into one folder and correct the name in the header.")
    for kind in (PurePosixPath, PureWindowsPath):  # before the name is looked up: that alone can reach a network
        named = kind(value)
        if named.anchor or ".." in named.parts:
            raise outside
    try:
        file = path.parent / value
        exists = file.is_file()
        inside = not exists or file.resolve().is_relative_to(path.parent.resolve())
    except (OSError, ValueError):
        exists = inside = False
    if not exists:
        raise RadiographError(f"{path.name} names a file with its pixels ({shown}) that does not exist; "
                              f"put it beside this one.")
    if not inside:  # by a link
        raise outside
    return file
