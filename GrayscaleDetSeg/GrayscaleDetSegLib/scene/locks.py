"""Locks of objects: a tag of their segments, which is saved with the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode, vtkSegment

LOCKED = "GrayscaleDetSeg.Locked"


def is_locked(node: vtkMRMLSegmentationNode, segment_id: str) -> bool:
    """Whether a segment is locked; False if there is no such segment."""
    segment = node.GetSegmentation().GetSegment(segment_id)
    return segment is not None and has_lock(segment)


def has_lock(segment: vtkSegment) -> bool:
    """Whether a segment, of a node or of a copy, has the tag."""
    return bool(segment.HasTag(LOCKED))


def set_locked(node: vtkMRMLSegmentationNode, segment_id: str, on: bool) -> None:
    """Lock or unlock a segment. Does nothing if there is no such segment."""
    segment = node.GetSegmentation().GetSegment(segment_id)
    if segment is None or has_lock(segment) == on:
        return
    if on:
        segment.SetTag(LOCKED, "1")
    else:
        segment.RemoveTag(LOCKED)
