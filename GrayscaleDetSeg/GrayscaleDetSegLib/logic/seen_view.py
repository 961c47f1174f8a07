"""The maps and boxes that explain an object of a method's result: shown on request, removed when the result changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import GrayscaleDetSegError
from ..core.explanations.seen import seen_boxes, seen_maps
from ..core.volumes.result import VolumeResult
from ..scene import outcome as outcomes
from ..scene.seen_boxes import add_seen_boxes
from ..scene.seen_maps import SLICE_VIEWS, add_seen_map

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

    from .workspace import Workspace


def show_seen(
    workspace: Workspace, node: vtkMRMLSegmentationNode, identity: str
) -> dict[str, vtkMRMLScalarVolumeNode]:
    """Add the maps of an object as volumes and its boxes as a model, and remove those of another object.

    Returns
    -------
    dict of str to vtkMRMLScalarVolumeNode
        The volumes by the name of their slice view ("Red", "Yellow", "Green").

    Raises
    ------
    GrayscaleDetSegError
        If the object has neither maps nor boxes, or its image is no longer in the scene.
    """
    shown = workspace.shown(node)
    item = None if shown is None else shown.object_of(identity)
    explanation = None if item is None else item.explanation
    maps, boxes = seen_maps(explanation), seen_boxes(explanation)
    if shown is None or item is None or not (maps or boxes):
        raise GrayscaleDetSegError(
            f"There is nothing to show of '{identity}': its method has no weights, no heat map and no boxes."
        )
    hide_seen(workspace, node)
    found, grid, made = workspace.outcome(node), workspace.grid(node), {}
    working = shown.result.working_size if isinstance(shown.result, VolumeResult) else None
    with workspace.writing(), outcomes.no_leftovers(workspace.scene):
        for each in maps:
            name = f"{item.name} {each.title} {each.view}"
            made[SLICE_VIEWS.get(each.view, "Red")] = add_seen_map(
                workspace.scene, found.volume, grid, each, name, working
            )
        nodes = [*made.values()]
        if boxes:
            name = f"{item.name} boxes"
            nodes.append(
                add_seen_boxes(workspace.scene, found.volume, grid, boxes, name, workspace.image_views)
            )
        found.seen = tuple(nodes)
        outcomes.connect(found)
    return made


def hide_seen(workspace: Workspace, node: vtkMRMLSegmentationNode) -> None:
    """Remove the maps and boxes, if any are shown."""
    found = workspace.outcome(node)
    if found.seen:
        with workspace.writing():
            outcomes.remove_seen(found)
            outcomes.connect(found)
