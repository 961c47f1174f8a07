"""A result kept on its segmentation node, so that a saved scene can be gone on with: all but the pixels."""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import codec, old_formats
from ..core.errors import RadiographError
from ..core.gray import GrayMapping, Polarity
from ..core.lie import UNSAID, Lie
from ..core.radiograph import Radiograph, Spacing, area_of
from ..core.result import SegmentationResult, SegmentedObject
from ..core.windowed import WindowedMask
from .geometry import PixelGrid
from .masks import mask_of
from .nodes import attribute, set_attribute
from .segmentation import segment_ids
from .volumes import grid_of, read_volume

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

VERSION = 2
_NAME = "result"
_SAMPLE = 250  # pixels kept, about, to tell the image again


@dataclass(frozen=True)
class StoredImage:
    """What is kept of the image beside its pixels, which the volume holds; see ``Radiograph``."""

    spacing: Spacing | None
    polarity: Polarity
    mapping: GrayMapping
    modality: str | None
    notes: tuple[str, ...]
    lie: Lie = UNSAID


@dataclass(frozen=True)
class Record:
    """What is kept on a segmentation node.

    Parameters
    ----------
    version : int
    slice : int
        Index of the slice that was segmented.
    shape : tuple of 2 int
        Of its pixels, (rows, columns).
    image : StoredImage
    segments : tuple of str
        The ids of the segments that show the objects, in their order.
    result : dict
        The result as ``core.codec`` stores it: all but image and masks.
    sample : tuple of float
        Some of the volume's values, to tell it again.
    fingerprint : str or None
        Of the image, see ``Radiograph``; None in records of earlier versions.
    """

    version: int
    slice: int
    shape: tuple[int, ...]
    image: StoredImage
    segments: tuple[str, ...]
    result: dict[str, Any]
    sample: tuple[float, ...] = ()
    fingerprint: str | None = None

    @property
    def names(self) -> list[str]:
        """The names of the objects, in their order."""
        return [entry["name"] for entry in self.result["objects"]]


def keep_result(
    node: vtkMRMLSegmentationNode,
    result: SegmentationResult,
    grid: PixelGrid,
    identities: Sequence[str] | None = None,
) -> None:
    """Store a result on the segmentation that shows it.

    Parameters
    ----------
    identities : sequence of str, optional
        The segments of the objects, in their order; those that ``segmentation.show_objects`` wrote if not given.
    """
    image = result.radiograph
    identities = segment_ids(node) if identities is None else identities
    kept = min(len(identities), len(result.objects))
    shown, without = result.objects[:kept], replace(result, objects=())
    record = Record(
        version=VERSION,
        slice=grid.index,
        shape=tuple(grid.shape),
        image=StoredImage(image.spacing, image.polarity, image.mapping, image.modality, image.notes, image.lie),
        segments=tuple(identities[:kept]),
        result={**codec.encode(without), "objects": [_entry(item) for item in shown]},
        sample=tuple(_sample(image.polarity.apply(image.pixels)).tolist()),
        fingerprint=image.fingerprint,
    )
    text = json.dumps(codec.encode(record), allow_nan=False)
    _PARSED.keep(text, record)
    set_attribute(node, _NAME, text)


def _entry(item: SegmentedObject) -> dict[str, Any]:
    """An object as it is stored, but for its explanation, which is large and seldom changes, and is encoded once."""
    plain = codec.encode(replace(item, explanation=None))
    if item.explanation is not None:
        held = _ENCODED.get(id(item.explanation))
        if held is None:
            held = item.explanation, codec.encode(item.explanation)
            _ENCODED.keep(id(item.explanation), held)
        plain["explanation"] = held[1]
    return plain


def _is_of(record: Record, plain: Radiograph, image: Radiograph) -> bool:
    """Whether a result was made from `plain`, the volume's own values, which are those of `image` turned bone-bright.

    All pixels are compared, by their fingerprint. An even choice of them is where the record has nothing else, as those
    of earlier versions, and where values that are no whole numbers were inverted twice, which costs some digits.
    """
    if record.fingerprint == image.fingerprint:
        return True
    is_exact = image.polarity.inverted or np.issubdtype(image.pixels.dtype, np.integer)
    if record.fingerprint is not None and is_exact:
        return False
    kept = np.asarray(record.sample, float)
    return kept.size == 0 or _alike(kept, _sample(plain.pixels))


def _sample(values: np.ndarray) -> np.ndarray:
    flat = values.ravel()
    return flat[:: max(1, flat.size // _SAMPLE)].astype(float)


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    if first.shape != second.shape:
        return False
    # inverting twice costs some digits of values that are no whole numbers
    return bool(np.abs(first - second).max() <= 1e-3 * max(np.ptp(first), 1e-30))


def kept_slice(node: vtkMRMLSegmentationNode) -> int | None:
    """The index of the slice that a segmentation belongs to; None where it holds none of our results."""
    try:
        record = _record(node)
    except RadiographError:
        return None
    return None if record is None else record.slice


def kept_document(node: vtkMRMLSegmentationNode) -> str | None:
    """What a segmentation says of its result, as text: another text means another result."""
    return attribute(node, _NAME)


def set_document(node: vtkMRMLSegmentationNode, document: str | None) -> None:
    """Let a segmentation say what :func:`kept_document` gave."""
    set_attribute(node, _NAME, document)


def kept_segments(node: vtkMRMLSegmentationNode) -> list[str]:
    """The ids of the segments that the objects of :func:`kept_result` have, in their order."""
    record = _record(node)
    identities = () if record is None else record.segments
    return [identity for identity in identities if node.GetSegmentation().GetSegment(identity) is not None]


def objects_by_segment(node: vtkMRMLSegmentationNode, result: SegmentationResult) -> dict[str, SegmentedObject]:
    """The objects of a result by the ids of the segments that show them, in the order of the objects.

    Objects are told by their names, as :func:`keep_result` stored them, because segments may have been deleted since;
    where nothing is stored, by their order.
    """
    record = _record(node)
    if record is None:
        return dict(zip(segment_ids(node), result.objects))
    identities = dict(zip(record.names, record.segments))
    return {identities[item.name]: item for item in result.objects if item.name in identities}


def kept_result(node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode) -> SegmentationResult | None:
    """The result that a segmentation shows, its masks as the segments have them now, hand edits included.

    Objects whose segment is gone are left out. None where the node holds no result of ours, or one of a later version.

    Raises
    ------
    RadiographError
        If the volume is not the one that was segmented, or holds no pixels, or others, any more.
    """
    record = _record(node)
    if record is None:
        return None
    with _understood(node):
        return _restored(node, volume, record)


def _restored(node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode, record: Record) -> SegmentationResult:
    grid = grid_of(volume, record.slice)
    if tuple(grid.shape) != record.shape:
        rows, columns = record.shape
        raise RadiographError(
            f"{node.GetName()} belongs to an image of {columns} x {rows} pixels, which {volume.GetName()} is not; "
            "segment again."
        )
    plain = read_volume(volume, grid.index, "as-is")
    kept = record.image
    image = replace(
        plain,
        pixels=kept.polarity.apply(plain.pixels),
        mapping=kept.mapping,
        polarity=kept.polarity,
        spacing=kept.spacing,
        modality=kept.modality,
        notes=kept.notes,
        lie=kept.lie,
    )
    if not _is_of(record, plain, image):
        raise RadiographError(
            f"{volume.GetName()} shows other pixels than those that {node.GetName()} was made from; segment again."
        )
    objects = []
    for identity, entry in zip(record.segments, record.result["objects"]):
        if node.GetSegmentation().GetSegment(identity) is not None:
            objects.append(_restored_object(entry, WindowedMask.of(mask_of(node, identity, volume, grid)), image))
    stored = {name: value for name, value in record.result.items() if name != "objects"}
    return codec.decode(SegmentationResult, stored, radiograph=image, objects=tuple(objects))


def _restored_object(entry: dict[str, Any], mask: WindowedMask, image: Radiograph) -> SegmentedObject:
    return codec.decode(SegmentedObject, entry, windowed=mask, area_mm2=area_of(mask.count, image.spacing))


@contextmanager
def _understood(node: vtkMRMLSegmentationNode) -> Iterator[None]:
    """RadiographError for what a record lacks or holds that no version of ours has written."""
    try:
        yield
    except (
        AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError, zlib.error
    ) as error:  # fmt: skip
        raise RadiographError(f"What {node.GetName()} says of its result is damaged; segment again.") from error


def _record(node: vtkMRMLSegmentationNode) -> Record | None:
    """What a segmentation says of its result; None where it says nothing, or something of a later version."""
    with _understood(node):
        return _parsed(attribute(node, _NAME) or "null")


def _parsed(text: str) -> Record | None:
    known = _PARSED.get(text)
    if known is not None:
        return known
    document = json.loads(text)
    if isinstance(document, dict) and document.get("version") == 1:
        document = old_formats.record_of_version_1(document)
    if not isinstance(document, dict) or document.get("version") != VERSION:
        return None
    record = codec.decode(Record, document)
    if len(record.segments) != len(record.names):
        raise ValueError("there are not as many segments as objects")
    if not all(isinstance(name, str) for name in record.names):
        raise TypeError("name")
    _PARSED.keep(text, record)
    return record


class _Last:
    """The last few values by their keys."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable) -> Any:
        return self._values.get(key)

    def keep(self, key: Hashable, value: Any) -> None:
        self._values[key] = value
        while len(self._values) > self._most:
            self._values.popitem(last=False)


_PARSED = _Last(16)
"""Records by the documents that say them."""
_ENCODED = _Last(128)
"""Explanations and their stored forms, by the ids of the explanations: these stay taken as long as they are held."""
