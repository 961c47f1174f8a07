"""Segmentation nodes of results: one segment per object."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.labels import Anatomy, anatomy
from ..core.results import AnyObject, AnyResult
from .geometry import PixelGrid
from .kept_copies import is_copy
from .masks import (
    binary,
    digest_of,
    has_surface,
    label_map,
    lies_elsewhere,
    make_surface,
    mask_of,
    own_label_map,
    write_mask,
    write_window,
)
from .nodes import attribute, color_of, set_attribute

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode, vtkSegment, vtkSegmentation
    from vtk import vtkImageData

# Slicer looks codes up in these two lists, which it ships; Slicer 5.8 ignores an entry that names no list.
_CATEGORY_LIST = "Segmentation category and type - DICOM master list"
_REGION_LIST = "Anatomic codes - DICOM master list"


def terminology_entry(kind: Anatomy) -> str:
    """The terminology entry of an object, as Slicer stores it in a tag of the segment.

    It has seven fields separated by ``~``: name of the terminology list, category, type and type modifier (laterality),
    name of the region list, region and region modifier; each code is ``scheme^value^meaning``.
    """
    def code(triple: tuple[str, str, str] | None) -> str:
        return "^".join(triple or ("", "", ""))

    types = (code(kind.category), code(kind.structure), code(kind.laterality))
    return "~".join((_CATEGORY_LIST, *types, _REGION_LIST, code(None), code(None)))


def segment_id(name: str) -> str:
    """The segment id of the object called `name`: the name without spaces and special characters."""
    return re.sub(r"\W+", "_", name.strip()) or "object"


def fill_image(image: vtkImageData, labels: np.ndarray) -> vtkImageData:
    """Copy `labels` ((rows, columns), bool, uint8 or uint16) into `image` as its only slice. Returns `image`."""
    from vtk.util.numpy_support import numpy_to_vtk

    rows, columns = labels.shape
    values = np.ascontiguousarray(labels, np.uint16 if labels.dtype == np.uint16 else np.uint8)
    image.SetDimensions(columns, rows, 1)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(), deep=True))
    return image


def add_segmentation_for(
    volume: vtkMRMLScalarVolumeNode,
    grid: PixelGrid,
    result: AnyResult,
    scene: vtkMRMLScene,
    name: str | None = None,
) -> vtkMRMLSegmentationNode:
    """Add a segmentation node with the objects of a result on a slice of a volume, in the volume's geometry.

    The volume is the reference geometry, which Segment Editor and the DICOM export use, and the node has the volume's
    parent transform. Every object has a label map of its own, see ``masks``.

    Parameters
    ----------
    grid : PixelGrid
        Grid of the slice that was segmented.
    name : str, optional
        Name of the node; by default "<volume> segmentation".
    """
    name = name or f"{volume.GetName() or 'Image'} segmentation"
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    parent = volume.GetParentTransformNode()
    if parent is not None:
        node.SetAndObserveTransformNodeID(parent.GetID())
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().SetSourceRepresentationName(binary())
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    show_objects(node, volume, grid, result.objects)
    return node


def show_objects(
    node: vtkMRMLSegmentationNode,
    volume: vtkMRMLScalarVolumeNode,
    grid: PixelGrid,
    objects: Iterable[AnyObject],
) -> list[str]:
    """Replace the segments that this software wrote before by segments of these objects, in this order.

    Segments that the user added stay, behind the others. Edits by hand are overwritten: check :func:`edits_of` first.

    Returns
    -------
    list of str
        The ids of the segments, in the order of the objects.
    """
    segmentation, ours = node.GetSegmentation(), written_digests(node)
    had_surface, whole = has_surface(node), tuple(slice(0, side) for side in grid.shape)
    wanted: dict[str, AnyObject] = {}
    for item in objects:
        wanted[_identity(segmentation, item.name, ours, wanted)] = item
    for old in set(ours) - set(wanted):
        if segmentation.GetSegment(old) is not None:
            segmentation.RemoveSegment(old)
    digests: dict[str, str] = {}
    for number, (identity, item) in enumerate(wanted.items()):
        mask = item.mask
        segment = segmentation.GetSegment(identity)
        if segment is None:
            segment = _segment_for(item)
            segment.AddRepresentation(binary(), label_map(node, volume, grid, mask))
            segmentation.AddSegment(segment, identity)
        else:
            _describe(segment, item)
            own_label_map(node, identity, volume, grid, keep=False)
            write_window(node, identity, grid, mask, whole)
        digests[identity] = digest_of(item.name, mask)
        segmentation.SetSegmentIndex(identity, number)
    if had_surface:
        make_surface(node)
    set_written_digests(node, digests)
    return list(wanted)


def write_object(
    node: vtkMRMLSegmentationNode,
    volume: vtkMRMLScalarVolumeNode,
    grid: PixelGrid,
    item: AnyObject,
    identity: str | None = None,
) -> str:
    """Show an object in one segment. The other segments stay unchanged, edits by hand included.

    Parameters
    ----------
    identity : str, optional
        Id of the segment that is replaced; by default a new segment is added behind the others.

    Returns
    -------
    str
        The id of the segment.
    """
    segmentation, ours, mask = node.GetSegmentation(), written_digests(node), item.mask
    if identity is None or segmentation.GetSegment(identity) is None:
        identity = _identity(segmentation, item.name)
        segment = _segment_for(item)
        segment.AddRepresentation(binary(), label_map(node, volume, grid, mask))
        segmentation.AddSegment(segment, identity)
        if has_surface(node):
            make_surface(node)
    else:
        write_mask(node, identity, volume, grid, mask)
    name = segmentation.GetSegment(identity).GetName()
    set_written_digests(node, {**ours, identity: digest_of(name, mask)})
    return identity


def remove_object(node: vtkMRMLSegmentationNode, identity: str) -> None:
    """Remove a segment. The other segments stay unchanged, edits by hand included."""
    node.GetSegmentation().RemoveSegment(identity)
    set_written_digests(node, {other: digest for other, digest in written_digests(node).items() if other != identity})


def segment_ids(node: vtkMRMLSegmentationNode) -> list[str]:
    """The ids of the segments that this software wrote, in the order of the objects; some may have been deleted."""
    return list(written_digests(node))


def has_others_segments(node: vtkMRMLSegmentationNode) -> bool:
    """Whether a segmentation has segments of the user: neither written by this software nor copies of such segments."""
    segmentation, ours = node.GetSegmentation(), written_digests(node)
    present = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
    return any(identity not in ours and not is_copy(node, identity) for identity in present)


def note_written(node: vtkMRMLSegmentationNode, identity: str, mask: np.ndarray) -> None:
    """Record that this software wrote the pixels (bool, rows x columns) that a segment has now, after writing in place.
    """
    segment = node.GetSegmentation().GetSegment(identity)
    set_written_digests(node, {**written_digests(node), identity: digest_of(segment.GetName(), mask)})


@dataclass(frozen=True)
class Edits:
    """Edits by hand since this software wrote a segmentation: ids of segments. False if there are none."""

    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.removed)


def edits_of(node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid) -> Edits:
    """Compare a segmentation with what this software wrote last: pixels, names and segments, but not colours."""
    segmentation, digests = node.GetSegmentation(), written_digests(node)
    present = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
    changed = [
        identity
        for identity in present
        if identity in digests
        and (
            digests[identity]
            != digest_of(segmentation.GetSegment(identity).GetName(), mask_of(node, identity, volume, grid))
            or lies_elsewhere(node, identity, volume, grid)
        )
    ]
    return Edits(
        tuple(changed),
        tuple(identity for identity in present if identity not in digests),
        tuple(identity for identity in digests if identity not in present),
    )


def is_repainted(
    node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid, identity: str, name: str
) -> bool:
    """Whether the pixels of a segment, in any slice, differ from those that were written for the object called `name`.

    Unlike for :func:`edits_of`, renaming a segment does not count. True if this software never wrote the segment.
    """
    mask, segment = mask_of(node, identity, volume, grid), node.GetSegmentation().GetSegment(identity)
    written = [digest_of(each, mask) for each in (name, segment.GetName())]
    return written_digests(node).get(identity) not in written or lies_elsewhere(node, identity, volume, grid)


_WRITTEN = "written"


def _identity(
    segmentation: vtkSegmentation, name: str, ours: Iterable[str] = (), taken: Iterable[str] = ()
) -> str:
    """The id for the segment of an object: that which it had, or one that no other segment has or will have."""
    identity = plain = segment_id(name)
    number = 1
    while identity in taken or (segmentation.GetSegment(identity) is not None and identity not in ours):
        number += 1
        identity = f"{plain}-{number}"
    return identity


def written_digests(node: vtkMRMLSegmentationNode) -> dict[str, str]:
    """Digests of the segments that this software wrote, by their ids, in the order of the objects."""
    return json.loads(attribute(node, _WRITTEN) or "{}")


def set_written_digests(node: vtkMRMLSegmentationNode, digests: dict[str, str]) -> None:
    """Store digests that :func:`written_digests` returned; an empty dict removes them."""
    set_attribute(node, _WRITTEN, json.dumps(digests) if digests else None)


def _segment_for(item: AnyObject) -> vtkSegment:
    import slicer

    segment = slicer.vtkSegment()
    _describe(segment, item)
    return segment


def _describe(segment: vtkSegment, item: AnyObject) -> None:
    """Name, colour and terminology; the colour is left alone where the segment had its name before."""
    kind = anatomy(item.label, item.side)
    entry, key = terminology_entry(kind), segment.GetTerminologyEntryTagName()
    if segment.GetName() != item.name or segment.GetNameAutoGenerated():
        segment.SetName(item.name)
        segment.SetNameAutoGenerated(False)
        segment.SetColor(*color_of(kind.color))
        segment.SetColorAutoGenerated(False)
    segment.SetTag(key, entry)
