"""A result stored on its segmentation node, so that a saved scene can be edited further: everything but the pixels."""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..core import codec, old_formats
from ..core.errors import RadiographError
from ..core.gray import GrayMapping, Polarity
from ..core.lie import UNSAID, Lie
from ..core.radiograph import Radiograph, Spacing, area_of
from ..core.result import SegmentationResult, SegmentedObject
from ..core.results import AnyObject, AnyResult, image_of, objects_of, with_objects
from ..core.volumes.result import VolumeMask, VolumeObject, VolumeResult
from ..core.volumes.volume import Volume
from ..core.windowed import WindowedMask
from .geometry import PixelGrid
from .masks import mask_of
from .nodes import attribute, set_attribute
from .placement import Placement
from .recognition import is_of, sample_of
from .segmentation import segment_ids
from .volumes import grid_of, read_volume
from .whole_volumes import StoredVolume, restored

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

VERSION, OF_VOLUMES = 2, 3
"""Of records of radiographs, and of volumes, which earlier versions of the software leave alone."""
_NAME = "result"


@dataclass(frozen=True)
class StoredImage:
    """What is stored of an image besides its pixels, which the volume node holds; see ``Radiograph``."""

    spacing: Spacing | None
    polarity: Polarity
    mapping: GrayMapping
    modality: str | None
    notes: tuple[str, ...]
    lie: Lie = UNSAID


@dataclass(frozen=True)
class Record:
    """What is stored on a segmentation node.

    Parameters
    ----------
    version : int
    slice : int
        Index of the slice that was segmented; ``geometry.WHOLE`` for a whole volume.
    shape : tuple of 2 or 3 int
        Shape of the masks, (rows, columns) or (slices, rows, columns).
    image : StoredImage or None
        None for a whole volume.
    segments : tuple of str
        The ids of the segments that show the objects, in their order.
    result : dict
        The result as ``core.codec`` encodes it, without image and masks.
    sample : tuple of float
        Some of the volume's values, by which the volume is recognised.
    fingerprint : str or None
        Fingerprint of the image, see ``Radiograph``; None in records of earlier versions.
    volume : StoredVolume or None
        For a whole volume, instead of `image`.
    placement : Placement or None
        Where the volume lay; None in records of former versions.
    """

    version: int
    slice: int
    shape: tuple[int, ...]
    image: StoredImage | None
    segments: tuple[str, ...]
    result: dict[str, Any]
    sample: tuple[float, ...] = ()
    fingerprint: str | None = None
    volume: StoredVolume | None = None
    placement: Placement | None = None

    @property
    def names(self) -> list[str]:
        """The names of the objects, in their order."""
        return [entry["name"] for entry in self.result["objects"]]


def keep_result(
    node: vtkMRMLSegmentationNode,
    result: AnyResult,
    grid: PixelGrid,
    identities: Sequence[str] | None = None,
    placement: Placement | None = None,
) -> None:
    """Store a result on the segmentation that shows it.

    Parameters
    ----------
    identities : sequence of str, optional
        The segments of the objects, in their order; by default those that ``segmentation.show_objects`` wrote.
    placement : Placement, optional
        Where the volume lies.
    """
    identities = segment_ids(node) if identities is None else identities
    kept = min(len(identities), len(result.objects))
    shown, without = objects_of(result)[:kept], with_objects(result, ())
    image = image_of(result)
    whole, film = (image, None) if isinstance(image, Volume) else (None, image)
    record = Record(
        version=VERSION if whole is None else OF_VOLUMES,
        slice=grid.index,
        shape=tuple(grid.shape),
        image=None if film is None else _stored(film),
        segments=tuple(identities[:kept]),
        result={**codec.encode(without), "objects": [_entry(item) for item in shown]},
        sample=() if film is None else sample_of(film.polarity.apply(film.pixels)),
        fingerprint=image.fingerprint,
        volume=None if whole is None else StoredVolume.of(whole),
        placement=placement,
    )
    _store(node, record)


def _store(node: vtkMRMLSegmentationNode, record: Record) -> None:
    text = json.dumps(codec.encode(record), allow_nan=False)
    _PARSED.keep(text, record)
    set_attribute(node, _NAME, text)


def _stored(image: Radiograph) -> StoredImage:
    return StoredImage(image.spacing, image.polarity, image.mapping, image.modality, image.notes, image.lie)


def _entry(item: AnyObject) -> dict[str, Any]:
    """An object as it is stored, but for its explanation, which is large and seldom changes, and is encoded once."""
    plain = codec.encode(replace(item, explanation=None))
    if item.explanation is not None:
        held = _ENCODED.get(id(item.explanation))
        if held is None:
            held = item.explanation, codec.encode(item.explanation)
            _ENCODED.keep(id(item.explanation), held)
        plain["explanation"] = held[1]
    return plain


def kept_slice(node: vtkMRMLSegmentationNode) -> int | None:
    """The index of the slice that a segmentation's result belongs to; None if it stores none, or one not to be read."""
    try:
        record = _record(node)
    except RadiographError:
        return None
    return None if record is None else record.slice


def kept_placement(node: vtkMRMLSegmentationNode) -> Placement | None:
    """Where the volume of a segmentation's result lay; None if that is not stored."""
    record = _record(node)
    return None if record is None else record.placement


def place_result(
    node: vtkMRMLSegmentationNode, placement: Placement, index: int, spaced: Callable[[StoredImage], StoredImage]
) -> None:
    """Store that the volume of a result lies elsewhere by now; the segments are not touched.

    Parameters
    ----------
    index : int
        Index of the slice in the volume as it is now.
    spaced : callable
        Gives what is stored of a radiograph the spacing that it has now.

    Raises
    ------
    RadiographError
        If the record is damaged.
    """
    record = _record(node)
    if record is not None:
        image = None if record.image is None else spaced(record.image)
        _store(node, replace(record, placement=placement, slice=index, image=image))


def shows_slice(node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode, index: int) -> bool:
    """Whether a slice of a volume has the pixels that the result of a radiograph was made from."""
    record = _record(node)
    if record is None or record.image is None:
        return False
    try:
        plain = read_volume(volume, index, "as-is")
    except RadiographError:
        return False
    polarity = record.image.polarity
    image = replace(plain, pixels=polarity.apply(plain.pixels), polarity=polarity)
    return is_of(record.fingerprint, record.sample, plain, image)


def shows_reversed(node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode) -> bool:
    """Whether a volume has all voxels that a result was made from, its slices counted from the other end along k."""
    record = _record(node)
    if record is None or record.volume is None:
        return False
    image = restored(volume, record.volume)
    return image.shape == record.shape and replace(image, voxels=image.voxels[::-1]).fingerprint == record.fingerprint


def kept_document(node: vtkMRMLSegmentationNode) -> str | None:
    """The stored record as text, or None. Different texts mean different results."""
    return attribute(node, _NAME)


def is_unreadable(node: vtkMRMLSegmentationNode) -> bool:
    """Whether a segmentation stores a result that cannot be read: it is damaged, or a later version has written it."""
    return kept_document(node) is not None and kept_slice(node) is None


def set_document(node: vtkMRMLSegmentationNode, document: str | None) -> None:
    """Store a text that :func:`kept_document` returned; None removes the record."""
    set_attribute(node, _NAME, document)


def kept_segments(node: vtkMRMLSegmentationNode) -> list[str]:
    """The ids of the segments of the objects of :func:`kept_result`, in their order."""
    record = _record(node)
    identities = () if record is None else record.segments
    return [identity for identity in identities if node.GetSegmentation().GetSegment(identity) is not None]


def objects_by_segment(node: vtkMRMLSegmentationNode, result: AnyResult) -> dict[str, AnyObject]:
    """The objects of a result by the ids of their segments, in the order of the objects.

    Objects are matched to segments by the names that :func:`keep_result` stored, because segments may have been deleted
    since; if nothing is stored, by their order.
    """
    record = _record(node)
    if record is None:
        return dict(zip(segment_ids(node), objects_of(result)))
    identities = dict(zip(record.names, record.segments))
    return {identities[item.name]: item for item in objects_of(result) if item.name in identities}


def kept_result(node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode) -> AnyResult | None:
    """The result that a segmentation stores, with the masks that its segments have now, edits by hand included.

    Objects whose segment no longer exists are omitted.

    Returns
    -------
    SegmentationResult, VolumeResult or None
        None if the node stores no result, or one of a later version of this software.

    Raises
    ------
    RadiographError
        If the volume is not the one that was segmented, or its pixels are missing or have changed.
    """
    record = _record(node)
    if record is None:
        return None
    with _understood(node):
        return _restored(node, volume, record)


def _restored(node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode, record: Record) -> AnyResult:
    grid = grid_of(volume, record.slice)
    if tuple(grid.shape) != record.shape:
        size, of_what = " x ".join(map(str, record.shape[::-1])), "pixels" if record.volume is None else "voxels"
        raise RadiographError(
            f"{node.GetName()} belongs to an image of {size} {of_what}, which {volume.GetName()} is not; "
            "segment again."
        )
    if record.volume is not None:
        return _restored_volume(node, volume, record, record.volume, grid)
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
    if not is_of(record.fingerprint, record.sample, plain, image):
        raise _other_pixels(node, volume)
    objects = []
    for identity, entry in zip(record.segments, record.result["objects"]):
        if node.GetSegmentation().GetSegment(identity) is not None:
            objects.append(_restored_object(entry, WindowedMask.of(mask_of(node, identity, volume, grid)), image))
    stored = {name: value for name, value in record.result.items() if name != "objects"}
    return codec.decode(SegmentationResult, stored, radiograph=image, objects=tuple(objects))


def _restored_volume(
    node: vtkMRMLSegmentationNode,
    volume: vtkMRMLScalarVolumeNode,
    record: Record,
    kept: StoredVolume,
    grid: PixelGrid,
) -> VolumeResult:
    image = restored(volume, kept)
    if image.fingerprint != record.fingerprint:
        raise _other_pixels(node, volume)
    objects = []
    for identity, entry in zip(record.segments, record.result["objects"]):
        if node.GetSegmentation().GetSegment(identity) is not None:
            voxels = VolumeMask.of(mask_of(node, identity, volume, grid))
            size = voxels.count * image.voxel_mm3
            objects.append(codec.decode(VolumeObject, entry, voxels=voxels, box=voxels.box, volume_mm3=size))
    stored = {name: value for name, value in record.result.items() if name != "objects"}
    return codec.decode(VolumeResult, stored, volume=image, objects=tuple(objects))


def _other_pixels(node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode) -> RadiographError:
    return RadiographError(
        f"{volume.GetName()} shows other pixels than those that {node.GetName()} was made from; segment again."
    )


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
    if not isinstance(document, dict) or document.get("version") not in (VERSION, OF_VOLUMES):
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


_PARSED = _Last(256)
"""Records by the documents that say them."""
_ENCODED = _Last(128)
"""Explanations and their stored forms, by the ids of the explanations: these stay taken as long as they are held."""
