"""Segmentations as .seg.nrrd files, without Slicer; the content is what Slicer's storage node would write.

The header holds all that Slicer reads: for every segment its layer, label value, name, colour and terminology, and the
extent of its layer.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Union

import numpy as np

from ..core.labels import anatomy
from ..core.radiograph import Geometry
from ..core.result import SegmentationResult
from ..core.types import Window
from ..core.volumes.result import VolumeResult
from ..core.windowed import WindowedMask
from .geometry import ijk_to_ras
from .nodes import color_of
from .segmentation import segment_id, terminology_entry

AnyResult = Union[SegmentationResult, VolumeResult]

REPRESENTATION = "Binary labelmap"
AT_ONCE = 1 << 18
"""Bytes of label maps that are made at a time."""
LEVEL = 1
"""Of the compression: label maps are long runs, which more effort hardly makes smaller."""
_GZIP_TAIL = 4


def write(result: AnyResult, file: BinaryIO) -> None:
    """Write a result to a file: an image of the size and geometry of its radiograph (columns x rows x 1) or volume.

    It has as many layers as overlapping objects need. The objects of a layer have the values 1, 2, ...; if nothing was
    found, there is one layer of zeros. Only a few rows or slices are held in memory at a time.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    image = result.radiograph if isinstance(result, SegmentationResult) else result.volume
    masks, members = _masks(result), result.layer_members()
    kind = np.dtype("<u2") if any(len(layer) > 255 for layer in members) else np.dtype("u1")
    size = image.shape
    shape = (1, *size) if len(size) == 2 else size
    header = "\n".join(
        [*_fields(shape, len(members), kind, image.geometry), *_keys(result, image.geometry, shape, members)]
    )
    file.write(header.encode("utf-8") + b"\n\n")
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)  # gzip, without a date
    step = max(1, AT_ONCE // max(1, int(np.prod(size[1:])) * len(members) * kind.itemsize))
    for start in range(0, size[0], step):
        window = (slice(start, min(start + step, size[0])), *(slice(0, length) for length in size[1:]))
        part = np.zeros([len(range(size[0])[window[0]]), *size[1:], len(members)], kind)  # the layers innermost
        for layer, indices in enumerate(members):
            for value, index in enumerate(indices, start=1):
                masks[index].paint(part[..., layer], window, value)
        file.write(packer.compress(part.data))
    file.write(packer.flush())


def is_whole(path: Path) -> bool:
    """Whether a file is there to its end: one that was cut short is told by it, one that was edited is whole.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    fields: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        for line in file:
            name, _, value = line.partition(b":")
            fields[name.strip()] = value.strip()
            if not line.strip():
                break
        start, end = file.tell(), file.seek(0, os.SEEK_END)
        file.seek(max(start, end - _GZIP_TAIL))
        tail = file.read()
    try:
        count = math.prod(int(size) for size in fields[b"sizes"].split())
        encoding = fields[b"encoding"]
    except (KeyError, ValueError):
        return False
    if encoding in (b"gzip", b"gz"):  # its last four bytes count what was packed
        packed = int.from_bytes(tail, "little")
        return end - start > _GZIP_TAIL and packed in [count * width % 2**32 for width in (1, 2, 4, 8)]
    return end - start >= count or encoding != b"raw"


def _masks(result: AnyResult) -> list[WindowedMask]:
    if isinstance(result, SegmentationResult):
        return [item.windowed for item in result.objects]
    return [item.voxels for item in result.objects]


def _fields(shape: tuple[int, ...], count: int, kind: np.dtype, geometry: Geometry) -> Iterator[str]:
    """The lines that say how the data (slices, rows, columns, in `count` layers) are to be read and where they lie."""
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ijk_to_ras(geometry)  # LPS
    several = count > 1
    yield "NRRD0004"
    yield "# Complete NRRD file format specification at:"
    yield "# http://teem.sourceforge.net/nrrd/format.html"
    yield f"type: unsigned {'short' if kind.itemsize == 2 else 'char'}"
    yield f"dimension: {4 if several else 3}"
    yield "space: left-posterior-superior"
    yield f"sizes: {f'{count} ' if several else ''}{' '.join(map(str, shape[::-1]))}"
    yield "space directions: " + ("none " if several else "") + " ".join(_vector(matrix[:3, n]) for n in range(3))
    yield f"kinds: {'list ' if several else ''}domain domain domain"
    if kind.itemsize == 2:
        yield "endian: little"
    yield "encoding: gzip"
    yield f"space origin: {_vector(matrix[:3, 3])}"


def _keys(result: AnyResult, geometry: Geometry, shape: tuple[int, ...], members: list[tuple[int, ...]]) -> list[str]:
    """The lines ``key:=value``, in the order of the keys."""
    whole = [edge for size in shape[::-1] for edge in (0, size - 1)]
    keys = {
        "Segmentation_ContainedRepresentationNames": f"{REPRESENTATION}|",
        "Segmentation_MasterRepresentation": REPRESENTATION,
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    if result.objects:
        numbers = "".join(f"{_number(number)};" for number in [*ijk_to_ras(geometry).ravel(), *whole])
        keys["Segmentation_ConversionParameters"] = f"Reference image geometry|{numbers}|&"
    masks = _masks(result)
    for layer, indices in enumerate(members):
        extent = _filled([masks[index].window for index in indices]) if layer else whole
        for value, index in enumerate(indices, start=1):
            item = result.objects[index]
            kind = anatomy(item.label)
            own = {
                "Color": " ".join(f"{channel:g}" for channel in color_of(kind.color)),
                "ColorAutoGenerated": "0",
                "Extent": " ".join(map(str, extent)),
                "ID": segment_id(item.name),
                "LabelValue": str(value),
                "Layer": str(layer),
                "Name": item.name,
                "NameAutoGenerated": "0",
                "Tags": f"TerminologyEntry:{terminology_entry(kind)}|",
            }
            keys.update({f"Segment{index}_{name}": text for name, text in own.items()})
    return [f"{key}:={_escaped(keys[key])}" for key in sorted(keys)]


def _filled(windows: Sequence[Window]) -> list[int]:
    """First and last column, row and slice that hold something; Slicer keeps no more of every layer but the first."""
    edges = [(min(part.start for part in axis), max(part.stop for part in axis) - 1) for axis in zip(*windows)]
    return [edge for pair in [*edges[::-1], (0, 0)][:3] for edge in pair]


def _vector(numbers: np.ndarray) -> str:
    return f"({','.join(map(_number, numbers))})"


def _number(number: float) -> str:
    """A number with all its digits, a whole one without a point."""
    number = float(number) + 0.0  # no negative zero
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
