"""Copies of a segmentation's segments, for undo; what has not changed since an earlier copy is shared with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .masks import binary
from .nodes import folded
from .segmentation import set_written_digests, written_digests

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode, vtkSegment, vtkSegmentation
    from vtk import vtkDataObject

# how the display node shows a single segment
_DISPLAYED = (
    "Visibility", "Visibility3D", "Visibility2DFill", "Visibility2DOutline",
    "Opacity3D", "Opacity2DFill", "Opacity2DOutline",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All segments of a segmentation as they were, how they were shown, and what was known of their pixels.

    Parameters
    ----------
    segments : vtkSegmentation
        Nobody may change it: other snapshots share its label maps.
    display : dict
        By segment id and name of the property.
    written : dict of str to str
        What was known of the pixels that we wrote, ``segmentation.written_digests``.
    copies : dict of int to vtkDataObject
        The label maps and surfaces in `segments`, by the modification time (MTime) of what each is a copy of: no two
        VTK objects of a process ever have the same.
    """

    segments: vtkSegmentation
    display: dict[str, dict[str, bool | float]]
    written: dict[str, str]
    copies: dict[int, vtkDataObject] = field(default_factory=dict)

    @property
    def buffers(self) -> dict[int, int]:
        """Bytes of each label map and surface, by what tells it from others: snapshots share them."""
        return {id(copy): 1024 * copy.GetActualMemorySize() for copy in self.copies.values()}


def snapshot(node: vtkMRMLSegmentationNode, earlier: Iterable[Snapshot] = ()) -> Snapshot:
    """A copy of all segments as they are, hand edits included, for :func:`bring_back`.

    Parameters
    ----------
    earlier : iterable of Snapshot
        Of the same node: what has the modification time that it had then is not copied again, unless somebody has
        written to its pixels without a word.
    """
    import slicer

    known: dict[int, vtkDataObject] = {}
    for former in earlier:
        known.update(former.copies)
    source, segments, copies = node.GetSegmentation(), slicer.vtkSegmentation(), {}
    segments.SetSourceRepresentationName(source.GetSourceRepresentationName())
    segments.CopyConversionParameters(source)
    for number in range(source.GetNumberOfSegments()):
        segment, copy = source.GetNthSegment(number), slicer.vtkSegment()
        copy.DeepCopyMetadata(segment)
        copy.SetLabelValue(segment.GetLabelValue())
        for name in _representations(segment):
            held = segment.GetRepresentation(name)
            stamp = held.GetMTime()
            if stamp not in copies:
                kept = known.get(stamp)
                copies[stamp] = kept if kept is not None and _alike(kept, held) else _copied(held)
            copy.AddRepresentation(name, copies[stamp])
        segments.AddSegment(copy, source.GetNthSegmentID(number))
    display = node.GetDisplayNode()
    identities = () if display is None else [source.GetNthSegmentID(n) for n in range(source.GetNumberOfSegments())]
    shown = {
        identity: {name: getattr(display, f"GetSegment{name}")(identity) for name in _DISPLAYED}
        for identity in identities
    }
    return Snapshot(segments, shown, written_digests(node), copies)


def bring_back(node: vtkMRMLSegmentationNode, former: Snapshot) -> dict[int, vtkDataObject]:
    """Give a segmentation the segments of a :func:`snapshot` again; the snapshot can be used again.

    Returns
    -------
    dict of int to vtkDataObject
        The copies that the node's label maps and surfaces come from, by the modification times that these have now:
        for ``Snapshot.copies`` of other snapshots that hold them.
    """
    segmentation = node.GetSegmentation()
    segmentation.DeepCopy(former.segments)
    set_written_digests(node, former.written)
    display = node.GetDisplayNode()
    if display is not None:  # every segment is a new one to it, and would be shown
        with folded(display):
            for identity, values in former.display.items():
                for name, value in values.items():
                    getattr(display, f"SetSegment{name}")(identity, value)
    renewed = {}
    for number in range(segmentation.GetNumberOfSegments()):
        segment, copy = segmentation.GetNthSegment(number), former.segments.GetNthSegment(number)
        for name in _representations(segment):
            held = copy.GetRepresentation(name)
            if held is not None:
                renewed[segment.GetRepresentation(name).GetMTime()] = held
    return renewed


def bring_back_segment(node: vtkMRMLSegmentationNode, former: Snapshot, identity: str) -> None:
    """Give one segment the voxels that it had; the others stay as they are. Nothing where it is gone."""
    import slicer

    segment, held = node.GetSegmentation().GetSegment(identity), former.segments.GetSegment(identity)
    image = None if held is None else held.GetRepresentation(binary())
    if segment is None or image is None:
        return
    own = slicer.vtkSegment()
    own.DeepCopy(held)  # of a label map that segments share, it takes this segment's voxels alone
    image, value = own.GetRepresentation(binary()), own.GetLabelValue()
    segment.SetLabelValue(value)
    segment.AddRepresentation(binary(), image)
    image.Modified()  # the segmentation observes it by now, and tells those that show it
    if identity in former.written:
        set_written_digests(node, {**written_digests(node), identity: former.written[identity]})


def _representations(segment: vtkSegment) -> tuple[str, ...]:
    names: list[str] = []
    segment.GetContainedRepresentationNames(names)
    return tuple(names)


def _alike(copy: vtkDataObject, held: vtkDataObject) -> bool:
    """Whether a copy of a label map still has its pixels; other objects have no pixels that could be written to."""
    from vtk.util.numpy_support import vtk_to_numpy

    if not held.IsA("vtkImageData") or held.GetPointData().GetScalars() is None:
        return True
    return np.array_equal(*(vtk_to_numpy(each.GetPointData().GetScalars()) for each in (copy, held)))


def _copied(held: vtkDataObject) -> vtkDataObject:
    copy = held.NewInstance()
    copy.DeepCopy(held)
    return copy
