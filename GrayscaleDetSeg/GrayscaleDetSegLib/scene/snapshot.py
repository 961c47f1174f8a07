"""Copies of the segments of a segmentation, for undo. Copies share what has not changed between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .kept_copies import is_copy, keep_copy
from .locks import has_lock, is_locked, set_locked
from .masks import binary, have_same_voxels
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
    return Snapshot(segments, _displayed(node), written_digests(node), copies)


def bring_back(
    node: vtkMRMLSegmentationNode, former: Snapshot, after: Snapshot | None = None
) -> dict[int, vtkDataObject]:
    """Restore the segments of a :func:`snapshot`; present locks stay. The snapshot can be used again.

    Parameters
    ----------
    after : Snapshot, optional
        The segments at the end of the change that is taken back. Edits since then stay: segments that were added, the
        voxels of segments that the change left alone, names and colours. Segments that the change wrote and that were
        edited since are kept as hidden copies, see ``kept_copies``. By default nothing is kept.

    Returns
    -------
    dict of int to vtkDataObject
        The copies that the node's label maps and surfaces were made from, by the present modification times of these,
        for ``Snapshot.copies`` of other snapshots that share them.
    """
    segmentation, wanted, shown = node.GetSegmentation(), former.segments, former.display
    stayed: set[str] = set()
    if after is not None:
        edited = _edited_since(node, former, after)
        if edited:
            wanted, shown, stayed = _with_edits(node, former, after, edited)
    locks = {identity: is_locked(node, identity) for identity in _identities(segmentation)}
    segmentation.DeepCopy(wanted)
    for identity, on in locks.items():
        set_locked(node, identity, on)
    set_written_digests(node, former.written)
    display = node.GetDisplayNode()
    if display is not None:  # every segment is a new one to it, and would be shown
        with folded(display):
            for identity, values in shown.items():
                for name, value in values.items():
                    getattr(display, f"SetSegment{name}")(identity, value)
    renewed = {}
    for identity in _identities(segmentation):
        segment, copy = segmentation.GetSegment(identity), former.segments.GetSegment(identity)
        if copy is None or identity in stayed:
            continue
        for name in _representations(segment):
            held = copy.GetRepresentation(name)
            if held is not None:
                renewed[segment.GetRepresentation(name).GetMTime()] = held
    return renewed


def locked_since(node: vtkMRMLSegmentationNode, former: Snapshot, after: Snapshot | None = None) -> list[str]:
    """The ids of the segments that :func:`bring_back` would change, and that were locked after the snapshot.

    Those that were locked before have changed with their user's consent, and may change back.
    """
    segmentation, found = node.GetSegmentation(), []
    for identity in _identities(segmentation):
        now, before = segmentation.GetSegment(identity), former.segments.GetSegment(identity)
        then = now if after is None else after.segments.GetSegment(identity)
        if not has_lock(now) or then is None or (before is not None and has_lock(before)):
            continue
        if before is None or not have_same_voxels(before, then, anywhere=True):  # it may follow its image
            found.append(identity)
    return found


@dataclass(frozen=True)
class _Edited:
    """What stays of the present segments, by their ids: in the place of former ones, or beside them; or is renamed."""

    instead: tuple[str, ...]
    beside: tuple[str, ...]
    described: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.instead or self.beside or self.described)


def _edited_since(node: vtkMRMLSegmentationNode, former: Snapshot, after: Snapshot) -> _Edited:
    """Tell edits since a change from the change itself; segments with both get hidden copies."""
    segmentation = node.GetSegmentation()
    instead, beside, described = [], [], []
    for identity in _identities(segmentation):
        now, then = segmentation.GetSegment(identity), after.segments.GetSegment(identity)
        before = former.segments.GetSegment(identity)
        is_described = then is not None and _description(now) != _description(then)
        if then is None or (before is None and is_described and is_copy(node, identity)):
            beside.append(identity)
        elif not have_same_voxels(now, then):
            if before is not None and have_same_voxels(before, then):
                instead.append(identity)
            else:
                beside.append(keep_copy(node, identity))
        if is_described and before is not None:
            described.append(identity)
    return _Edited(tuple(instead), tuple(beside), tuple(described))


def _with_edits(
    node: vtkMRMLSegmentationNode, former: Snapshot, after: Snapshot, edited: _Edited
) -> tuple[vtkSegmentation, dict[str, dict[str, bool | float]], set[str]]:
    """The segments of a snapshot with edits of the present ones, their display properties, and the ids of those that
    have present voxels.
    """
    import slicer

    source, held, display = node.GetSegmentation(), former.segments, dict(former.display)
    shown, wanted, stayed = _displayed(node), slicer.vtkSegmentation(), set()
    wanted.SetSourceRepresentationName(held.GetSourceRepresentationName())
    wanted.CopyConversionParameters(held)
    for identity in _identities(held):
        if identity in edited.instead:
            segment = _own(source.GetSegment(identity), held.GetSourceRepresentationName())
            stayed.add(identity)
        else:
            segment = slicer.vtkSegment()
            segment.DeepCopyMetadata(held.GetSegment(identity))
            segment.SetLabelValue(held.GetSegment(identity).GetLabelValue())
            for name in _representations(held.GetSegment(identity)):
                segment.AddRepresentation(name, held.GetSegment(identity).GetRepresentation(name))
        if identity in edited.described:
            now, then = source.GetSegment(identity), after.segments.GetSegment(identity)
            if now.GetName() != then.GetName():
                segment.SetName(now.GetName())
            if now.GetColor() != then.GetColor():
                segment.SetColor(*now.GetColor())
        wanted.AddSegment(segment, identity)
    for identity in edited.beside:
        unique = wanted.GenerateUniqueSegmentID(identity)  # a former one may have had its id
        wanted.AddSegment(_own(source.GetSegment(identity), held.GetSourceRepresentationName()), unique)
        stayed.add(unique)
        if identity in shown:
            display[unique] = shown[identity]
    display.update({identity: shown[identity] for identity in edited.instead if identity in shown})
    return wanted, display, stayed


def _own(segment: vtkSegment, source: str) -> vtkSegment:
    """A copy of a segment with its source representation alone, from which the others are made again."""
    import slicer

    own = slicer.vtkSegment()
    own.DeepCopy(segment)  # of a label map that segments share, it takes this segment's voxels alone
    if source in _representations(own):
        for name in _representations(own):
            if name != source:
                own.RemoveRepresentation(name)
    return own


def _description(segment: vtkSegment) -> tuple[str, tuple[float, ...]]:
    return segment.GetName(), segment.GetColor()


def _displayed(node: vtkMRMLSegmentationNode) -> dict[str, dict[str, bool | float]]:
    """The display properties of all segments by their ids."""
    display = node.GetDisplayNode()
    return {
        identity: {name: getattr(display, f"GetSegment{name}")(identity) for name in _DISPLAYED}
        for identity in (() if display is None else _identities(node.GetSegmentation()))
    }


def _identities(segmentation: vtkSegmentation) -> list[str]:
    return [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]


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
