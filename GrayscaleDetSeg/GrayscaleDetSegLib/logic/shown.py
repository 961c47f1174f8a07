"""What is read of a volume, and what a segmentation shows of it, hand edits included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..core.radiograph import Radiograph
from ..core.result import SegmentationResult, SegmentedObject
from ..scene.geometry import PixelGrid
from ..scene.masks import mask_of

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode


@dataclass(frozen=True, eq=False)
class Reading:
    """A slice of a volume as a radiograph, and where its pixels lie."""

    volume: vtkMRMLScalarVolumeNode
    grid: PixelGrid
    radiograph: Radiograph
    stamp: int | None = None
    """Which pixels the volume had then, ``volumes.stamp_of``."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What a segmentation shows: a result, and the id of the segment of each of its objects."""

    result: SegmentationResult
    identities: tuple[str, ...]
    document: str | None = None
    """What the node said of its result then."""
    stamp: int | None = None
    """Which pixels the image had then, ``scene.volumes.stamp_of``."""

    def object_of(self, identity: str) -> SegmentedObject | None:
        """The object that a segment shows; None where it shows none of them."""
        return dict(zip(self.identities, self.result.objects)).get(identity)


def as_it_is(
    node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid, kept: Shown
) -> Shown:
    """The same with the masks that the segments have now; objects whose segment is gone are left out."""
    present, objects = [], []
    for identity, item in zip(kept.identities, kept.result.objects):
        if node.GetSegmentation().GetSegment(identity) is not None:
            mask = mask_of(node, identity, volume, grid)
            present.append(identity)
            objects.append(item if item.windowed.is_of(mask) else item.with_mask(mask, kept.result.radiograph.spacing))
    if len(objects) == len(kept.identities) and all(a is b for a, b in zip(objects, kept.result.objects)):
        return kept
    return replace(kept, result=replace(kept.result, objects=tuple(objects)), identities=tuple(present))


def leaving(item: SegmentedObject, others: Sequence[SegmentedObject], result: SegmentationResult) -> SegmentedObject:
    """An object without the pixels that others have with which it may not overlap."""
    apart = (each for each in others if not result.overlaps.may(item.label, each.label))
    left = item.windowed.without(each.windowed for each in apart)
    return item if left is item.windowed else item.with_mask(left, result.radiograph.spacing)
