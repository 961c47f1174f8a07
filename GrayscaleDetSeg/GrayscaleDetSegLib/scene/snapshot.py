"""Copies of the segments of a segmentation, for undo. Copies share what has not changed between them."""

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
    """A copy of all segments of a segmentation, with their display properties and digests.

    Parameters
    ----------
    segments : vtkSegmentation
        It must not be changed: other snapshots share its label maps.
    display : dict
        Display properties by segment id and name of the property.
    written : dict of str to str
        The result of ``segmentation.written_digests``.
    copies : dict of int to vtkDataObject
        The label maps and surfaces in `segments`, by the modification time (MTime) of the original of each copy. No two
        VTK objects of a process have the same MTime.
    """

    segments: vtkSegmentation
    display: dict[str, dict[str, bool | float]]
    written: dict[str, str]
    copies: dict[int, vtkDataObject] = field(default_factory=dict)

    @property
    def buffers(self) -> dict[int, int]:
        """The size of each label map and surface in bytes, by a key of the buffer: snapshots share buffers."""
        return {id(copy): 1024 * copy.GetActualMemorySize() for copy in self.copies.values()}


def snapshot(node: vtkMRMLSegmentationNode, earlier: Iterable[Snapshot] = ()) -> Snapshot:
    """Copy all segments, edits by hand included, for :func:`bring_back`.

    Parameters
    ----------
    earlier : iterable of Snapshot
        Snapshots of the same node. Buffers with an unchanged modification time are shared with them, unless their
        pixels were changed without an event.
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
    """Restore the segments of a :func:`snapshot`. The snapshot can be used again.

    Returns
    -------
    dict of int to vtkDataObject
        The copies that the node's label maps and surfaces were made from, by the present modification times of these,
        for ``Snapshot.copies`` of other snapshots that share them.
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
    """Restore the voxels of one segment; the others stay unchanged. Does nothing if the segment no longer exists."""
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
