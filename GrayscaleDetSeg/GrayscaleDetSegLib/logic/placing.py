"""Where the nodes of a result lie: the segmentation on its image, and a box for the region of each object."""

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
    """Give a segmentation the place of a volume, unless somebody's segments in it would move."""
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
    """Let every object have a box where it was looked for, and nothing else one.

    Parameters
    ----------
    found : Outcome
        Its boxes are entered and taken out.
    grid : PixelGrid
        Of the slice.
    held : collection of str
        The segments whose boxes somebody is moving at this moment: they are left where they are.
    view_ids : sequence of str
        Ids of the views for new boxes.
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
