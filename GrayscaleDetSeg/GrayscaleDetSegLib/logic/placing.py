"""The positions of a result's nodes: the segmentation on its image, and a ROI node for the region of each object."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ..core.results import objects_of
from ..scene import regions, segmentation
from ..scene.geometry import PixelGrid
from ..scene.outcome import Outcome, remove_regions, volume_of
from .shown import Shown
from .threshold_view import color_of_object

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode


def adopt(node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode) -> None:
    """Give a segmentation the transform and the reference geometry of a volume, unless segments of the user would move.
    """
    parent = volume.GetParentTransformNode()
    is_ours = not segmentation.has_others_segments(node)
    if is_ours and parent is not node.GetParentTransformNode():
        node.SetAndObserveTransformNodeID(None if parent is None else parent.GetID())
    if volume_of(node) is None:
        node.CreateDefaultDisplayNodes()
        if is_ours or node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is None:
            node.SetReferenceImageGeometryParameterFromVolumeNode(volume)


def place_regions(
    found: Outcome, grid: PixelGrid, shown: Shown, held: Collection[str] = (), view_ids: Sequence[str] = ()
) -> None:
    """Give every object a ROI node at its region, and remove all others.

    Parameters
    ----------
    found : Outcome
        Its regions are updated.
    grid : PixelGrid
        Grid of the slice.
    shown : Shown
    held : collection of str
        Ids of the segments whose regions the user is moving; these nodes are not moved.
    view_ids : sequence of str
        Ids of the views for new nodes.
    """
    remove_regions(found, [each for each in found.regions if each not in shown.identities])
    scene = found.segmentation.GetScene()
    for identity, item in zip(shown.identities, objects_of(shown.result)):
        node = found.regions.get(identity)
        if node is None:
            color = color_of_object(found.segmentation, identity, item)
            found.regions[identity] = regions.add_region(
                scene, found.volume, grid, item.region, item.name, color, view_ids
            )
        elif identity not in held and regions.region_of(node, found.volume, grid) != item.region:
            regions.place_region(node, found.volume, grid, item.region)
