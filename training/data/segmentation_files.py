"""Slicer's files of segmentations (.seg.nrrd) as named masks on the pixels of an image; Slicer is not needed.

What Slicer writes: label maps in one or more layers, all of one grid, cropped to what the segments cover or not, and
for every segment its name, its layer and its value there. Where the pixels lie is told in patient coordinates, which
is what counts here: a file that was cropped, or whose axes run the other way, lies over its image all the same.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError
from GrayscaleDetSegLib.core.radiograph import Geometry, Radiograph
from GrayscaleDetSegLib.core.reading.text_headers import TextHeader, read_nrrd_header

_HEADER_BYTES = 2**16
_OFF_GRID = 0.1


class SegmentationError(GrayscaleDetSegError):
    """A file of a segmentation cannot be read, or does not belong to the image; the message is part of a sentence."""


def key_values(path: Path) -> dict[str, str]:
    """The keys and values (``key:=value``) in the header of a NRRD file; empty for any other file."""
    with open(path, "rb") as file:
        head = file.read(_HEADER_BYTES)
    if not head.startswith(b"NRRD000"):
        return {}
    text = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0].decode("utf-8", "replace")
    lines = [line.partition(":=") for line in text.splitlines() if not line.startswith("#")]
    return {key.strip(): value.strip() for key, sign, value in lines if sign}


def read_segments(path: Path, image: Radiograph) -> list[tuple[str, np.ndarray]]:
    """Name and mask, bool (rows, columns) of `image`, of every segment that has pixels, in the file's order.

    Raises
    ------
    SegmentationError
        If the file cannot be read, holds labels that nobody named, or does not lie on the pixels of the image.
    """
    try:
        keys = key_values(path)
        header = read_nrrd_header(path)
        values = header.values()
    except GrayscaleDetSegError as error:
        raise SegmentationError(str(error).rstrip(".")) from error
    except (ValueError, KeyError, IndexError, EOFError, OSError, zlib.error) as error:
        raise SegmentationError(f"{path.name} cannot be read and seems to be damaged") from error
    layers = _layers(header, values)
    _check_reference(keys, image)
    to_pixels = _pixels_of(header, image)
    found, named = [], [{0} for _ in layers]
    for number in sorted(int(match[1]) for match in map(re.compile(r"Segment(\d+)_ID").fullmatch, keys) if match):
        layer, value = (_number(keys, f"Segment{number}_{key}", missing)
                        for key, missing in (("Layer", number), ("LabelValue", 1)))
        if not 0 <= layer < len(layers):
            raise SegmentationError(f"{path.name} has no layer {layer} for its segment {number}; save it again")
        named[layer].add(value)
        name = keys.get(f"Segment{number}_Name", "")
        mask = _on_image(layers[layer] == value, to_pixels, image.shape, name)
        if mask.any():
            found.append((name, mask))
    for layer, names in zip(layers, named):
        nameless = sorted({int(value) for value in np.unique(layer)} - names)
        if nameless:
            shown = ", ".join(map(str, nameless[:5]))
            raise SegmentationError(f"{path.name} has pixels of the value {shown} that no segment names")
    return found


def _layers(header: TextHeader, values: np.ndarray) -> list[np.ndarray]:
    """The layers, each (slices, rows, columns) of the file."""
    size = [*header.header.size, 1, 1, 1][:3]
    if int(np.prod(header.header.size, dtype=np.int64)) != int(np.prod(size, dtype=np.int64)):
        raise SegmentationError(f"{header.file.name} has more than three directions in space")
    return list(np.moveaxis(values.reshape(*size[::-1], -1), -1, 0))


def _number(keys: dict[str, str], key: str, missing: int) -> int:
    try:
        return int(keys.get(key, missing))
    except ValueError as error:
        raise SegmentationError(f"what the segmentation says as {key} is no number; save it again") from error


def _check_reference(keys: dict[str, str], image: Radiograph) -> None:
    """Slicer notes the size of the image that was segmented: a file put beside another image mostly fails here."""
    noted = re.search(r"Reference image geometry\|([^|]*)\|", keys.get("Segmentation_ConversionParameters", ""))
    numbers = [part for part in noted.group(1).split(";") if part.strip()] if noted else []
    if len(numbers) != 22:
        return
    extent = [int(float(number)) for number in numbers[16:]]
    size = sorted((last - first + 1 for first, last in zip(extent[::2], extent[1::2])), reverse=True)
    if min(size) >= 1 and not set(image.shape) <= set(size):
        raise SegmentationError(
            f"sizes differ: the segmentation was made on an image of {' x '.join(map(str, size[:2]))} pixels, "
            f"this one has {' x '.join(map(str, sorted(image.shape, reverse=True)))}"
        )


def _lps(geometry: Geometry) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(geometry.direction, (3, 3)) * np.asarray(geometry.spacing)
    matrix[:3, 3] = geometry.origin
    return matrix


def _pixels_of(header: TextHeader, image: Radiograph) -> np.ndarray:
    """The matrix (4 x 4) from indices (i, j, k) of the segmentation to (column, row, slice) of the image."""
    matrix = np.linalg.inv(_lps(image.geometry)) @ _lps(header.header.geometry())
    size = np.array([*header.header.size, 1, 1, 1][:3])
    steps = matrix[:2, :3][:, size > 1]
    far = np.abs(steps - np.rint(steps)) * (size[size > 1] - 1)
    lengths = np.abs(np.rint(steps)).sum(0)
    first = matrix[:2, 3]
    if (far > _OFF_GRID).any() or (lengths > 1).any() or (np.abs(first - np.rint(first)) > _OFF_GRID).any():
        raise SegmentationError(
            "the segmentation does not lie on the pixels of the image: give it the image's geometry in Slicer "
            "(Segmentations, Specify geometry), then save it again"
        )
    return matrix


def _on_image(voxels: np.ndarray, to_pixels: np.ndarray, shape: tuple[int, int], name: str) -> np.ndarray:
    """Voxels (slices, rows, columns) of the segmentation as pixels (rows, columns) of the image's one slice."""
    indices = np.argwhere(voxels)[:, ::-1]
    places = indices @ to_pixels[:3, :3].T + to_pixels[:3, 3]
    column, row = np.rint(places[np.abs(places[:, 2]) < 0.5, :2]).astype(np.int64).T
    if len(row) and (min(row.min(), column.min()) < 0 or row.max() >= shape[0] or column.max() >= shape[1]):
        raise SegmentationError(f"sizes differ: pixels of {name} lie outside the image")
    mask = np.zeros(shape, bool)
    mask[row, column] = True
    return mask
