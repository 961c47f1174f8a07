"""The weight maps of a recurrent method beside its result: shown on request, removed when the result changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import GrayscaleDetSegError
from ..core.volumes.rounds import SaliencyRounds
from ..scene import outcome as outcomes
from ..scene.weight_maps import SLICE_VIEWS, add_weights, shown_maps

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

    from .workspace import Workspace


def show_weights(
    workspace: Workspace, node: vtkMRMLSegmentationNode, identity: str
) -> dict[str, vtkMRMLScalarVolumeNode]:
    """Add the weight maps of an object as volumes, and remove those of another object.

    Returns
    -------
    dict of str to vtkMRMLScalarVolumeNode
        The volumes by the name of their slice view ("Red", "Yellow", "Green").

    Raises
    ------
    GrayscaleDetSegError
        If no recurrent method found the object, or its image is no longer in the scene.
    """
    shown = workspace.shown(node)
    item = None if shown is None else shown.object_of(identity)
    explanation = None if item is None else item.explanation
    maps = shown_maps(explanation.maps) if isinstance(explanation, SaliencyRounds) else []
    if item is None or not maps:
        raise GrayscaleDetSegError(f"There are no weights to show of '{identity}': no recurrent method has found it.")
    hide_weights(workspace, node)
    found, made = workspace.outcome(node), {}
    with workspace.writing(), outcomes.no_leftovers(workspace.scene):
        for each in maps:
            name = f"{item.name} weights {each.view}"
            made[SLICE_VIEWS[each.view]] = add_weights(
                workspace.scene, found.volume, workspace.grid(node), each, name
            )
        found.weights = tuple(made.values())
        outcomes.connect(found)
    return made


def hide_weights(workspace: Workspace, node: vtkMRMLSegmentationNode) -> None:
    """Remove the weight maps, if any are shown."""
    found = workspace.outcome(node)
    if found.weights:
        with workspace.writing():
            outcomes.remove_weights(found)
            outcomes.connect(found)
