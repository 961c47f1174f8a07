"""Whether a file is DICOM, the data set in its bytes, and whether that is one of an image."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

from ..errors import RadiographError
from .common import Undecodable, decoding
from .decode import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, element, whole

MAX_BYTES = 2 * 1024**3
"""Of a file, and of what it inflates to."""
_REAL_PIXELS = ("FloatPixelData", "DoubleFloatPixelData")
_PIXEL_DATA = (b"\xe0\x7f\x10\0", b"\x7f\xe0\0\x10")  # the tag, in either byte order


def has_signature(head: bytes) -> bool:
    """Whether the first bytes of a file are those that the standard asks for."""
    return head[128:132] == b"DICM"


def is_dicom(path: Path) -> bool:
    """Whether a file has the signature of DICOM; raises OSError if it cannot be read."""
    with path.open("rb") as stream:
        return has_signature(stream.read(132))


def file_bytes(path: Path) -> bytes:
    """The file, of bounded size, so that damaged lengths cannot ask for more than it holds."""
    if path.stat().st_size > MAX_BYTES:
        raise RadiographError(f"{path.name} is larger than {MAX_BYTES // 1024**3} GiB, more than any radiograph; "
                              f"choose a file with a single image.")
    return path.read_bytes()


def load(data: bytes, name: str) -> tuple[Any, bytes]:
    """The data set, always with a transfer syntax in its meta information, and its bytes (inflated)."""
    import pydicom
    from pydicom.filereader import read_dataset as parsed
    from pydicom.uid import UID

    meta, end = _meta(data)
    syntax = str(element(meta, "TransferSyntaxUID") or "")
    if syntax and UID(syntax).is_private:
        raise RadiographError(f"{name} is in the private transfer syntax {syntax[:64]}, which only its maker's "
                              f"software reads; export it with that, uncompressed.")
    if syntax == DEFLATED:
        data = _inflated(data[end:], name)
        with decoding(Exception):
            dataset = parsed(io.BytesIO(data), is_implicit_VR=False, is_little_endian=True)
        dataset.file_meta = meta
        return dataset, data
    with decoding(Exception):  # pydicom raises all sorts of things for damaged files
        dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    meta = getattr(dataset, "file_meta", None)
    if meta is None:
        from pydicom.dataset import FileMetaDataset

        dataset.file_meta = meta = FileMetaDataset()
    if not element(meta, "TransferSyntaxUID"):  # a bare data set: pydicom found out by trying
        implicit, little = dataset.is_implicit_VR, dataset.is_little_endian
        meta.TransferSyntaxUID = UID(IMPLICIT_LITTLE if implicit else EXPLICIT_LITTLE if little else EXPLICIT_BIG)
    return dataset, data


def _meta(data: bytes):
    """The meta information, empty where there is none, and where it ends.

    That is where its last element ends, whatever length the group claims.
    """
    from pydicom.dataset import FileMetaDataset
    from pydicom.filereader import read_dataset as parsed
    from pydicom.filereader import read_preamble

    stream = io.BytesIO(data)
    with decoding(Exception):
        read_preamble(stream, force=True)
        meta = FileMetaDataset(parsed(
            stream, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, *_: int(tag) >> 16 != 2))
    return meta, stream.tell()


def _inflated(deflated: bytes, name: str) -> bytes:
    """The inflated bytes; never more than `MAX_BYTES` of them are held."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    with decoding(zlib.error):
        data = stream.decompress(deflated, MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RadiographError(f"{name} inflates to more than {MAX_BYTES / 1024**3:g} GiB; it is damaged or a trap, "
                              f"so export it again.")
    if not stream.eof:
        raise RadiographError(f"{name} is cut short: its compressed data set has no end; copy or export it again.")
    return data


def image_data_set(dataset, data: bytes, name: str):
    """The data set itself; RadiographError where it is no image, or does not say its size."""
    if "DirectoryRecordSequence" in dataset:
        raise RadiographError(f"{name} is a DICOMDIR, a list of images; choose one of the images it lists.")
    if "PixelData" not in dataset:
        refuse_real_pixels(dataset, name)
        kind = getattr(value_of(dataset, "SOPClassUID"), "name", "") or "unknown"
        if "Rows" in dataset or any(tag in data for tag in _PIXEL_DATA):  # pydicom drops what does not end
            raise RadiographError(f"{name} has no whole pixel data, it seems to be cut short; copy or export it again.")
        raise RadiographError(f"{name} is a DICOM file without an image ({kind}); choose one with an image.")
    frames = whole(dataset, "NumberOfFrames", 1)
    if frames > 1:
        raise RadiographError(f"{name} has {frames} frames, but a radiograph is a single image; "
                              f"export one frame as a file of its own.")
    missing = [keyword for keyword in ("Rows", "Columns", "BitsAllocated") if not element(dataset, keyword)]
    if missing:
        raise RadiographError(f"{name} does not say its {' and '.join(missing)}; it is damaged, so export it again.")
    return dataset


def refuse_real_pixels(dataset, name: str) -> None:
    """Raise RadiographError where the pixels are floating-point numbers, which are in elements of their own."""
    if any(keyword in dataset for keyword in _REAL_PIXELS):
        raise RadiographError(f"{name} holds floating-point pixels (Float Pixel Data), which are not read here; "
                              f"export it with whole numbers of 16 bits, or as NRRD.")


def value_of(dataset, keyword: str):
    """The value of a tag; None where it is absent, empty or cannot be understood."""
    try:
        value = element(dataset, keyword)
    except Undecodable:
        return None
    return None if value is None or value == "" else value
