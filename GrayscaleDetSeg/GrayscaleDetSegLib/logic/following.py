"""The nodes beside a segmentation (regions, tables, thresholds), brought up to the result that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.results import image_of
from ..scene import outcome as outcomes
from ..scene import record, rounds_table, table, volumes
from ..scene.nodes import show_in
from ..scene.outcome import Outcome
from .placing import place_regions
from .shown import Shown
from .threshold_view import show_thresholds

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

    from .workspace import Workspace


def refresh(workspace: Workspace, node: vtkMRMLSegmentationNode, shown: Shown) -> Outcome:
    """See ``Workspace.refresh``."""
    found, result, identities = outcomes.outcome_of(node), shown.result, shown.identities
    outcomes.remove_seen(found)  # which are those of what was there before
    place_regions(found, workspace.grid(node), shown, workspace.held(), workspace.image_views)
    if found.table is None:
        found.table = table.add_table(workspace.scene, result, f"{node.GetName()} results")
    else:
        table.fill_table(found.table, result)
    if found.rounds is not None:
        rounds_table.fill_rounds(found.rounds, result)
    elif rounds_table.has_rounds(result):
        found.rounds = rounds_table.add_rounds(workspace.scene, result, f"{node.GetName()} rounds")
    if node.GetDisplayNode() is not None:
        show_in(node.GetDisplayNode(), workspace.image_views)
    outcomes.connect(found)
    if found.shown_segment is not None and found.shown_segment not in identities:
        outcomes.remove_thresholds(found)
    elif found.shown_segment is not None:
        show_thresholds(found, result, found.shown_segment, workspace.cloud_views)
    return found


def follow(workspace: Workspace, node: vtkMRMLSegmentationNode) -> None:
    """Bring the other nodes of a result up to what segments and document were set back to."""
    workspace.follow_image(node)  # it may have been moved since
    shown, found = workspace.store(node).loaded(), outcomes.outcome_of(node)
    if shown is not None:
        volumes.note_reading(found.volume, image_of(shown.result))
        workspace.refresh(node, shown)
    else:  # it showed no result, or the image of that is another one now
        outcomes.remove_helpers(found)
        found.volume = None if record.kept_document(node) is None else found.volume
        outcomes.connect(found)


def drop_gone(workspace: Workspace, node: vtkMRMLSegmentationNode, shown: Shown) -> None:
    """After edits by hand: fill the table anew, and remove the regions and thresholds of segments that are gone."""
    found = outcomes.outcome_of(node)
    with workspace.writing():
        if found.table is not None and not table.is_of(found.table, shown.result):
            table.fill_table(found.table, shown.result)
        outcomes.remove_regions(found, [each for each in found.regions if each not in shown.identities])
        if found.shown_segment is not None and found.shown_segment not in shown.identities:
            outcomes.remove_thresholds(found)
