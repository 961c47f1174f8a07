"""The nodes of the cloud's view for one object: its points, the gray axis, the threshold box and the two surfaces.

A result has one set of these nodes, which is used for every object in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.labels import anatomy
from ..core.result import SegmentedObject
from ..core.results import AnyObject, AnyResult
from ..core.volumes.result import VolumeResult
from ..scene import outcome as outcomes
from ..scene.axis import add_axis, set_axis
from ..scene.cloud import add_cloud, set_cloud
from ..scene.frame import CloudFrame
from ..scene.nodes import color_of, folded, show_in
from ..scene.outcome import Outcome
from ..scene.record import objects_by_segment
from ..scene.surface_models import add_surfaces, set_surfaces
from ..scene.threshold_box import add_threshold_box, place_threshold_box

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsROINode, vtkMRMLNode, vtkMRMLSegmentationNode

# what follows the object's name in the names of its nodes, as the scene's own functions make them
_ENDINGS = {"cloud": "points", "axis": "gray axis", "labels": "gray levels", "box": "thresholds"}
_SURFACES = ("bottoms", "tops")


def show_thresholds(
    outcome: Outcome, result: AnyResult, segment_id: str, view_ids: Sequence[str] = ()
) -> CloudFrame | None:
    """Show the points and the thresholds of an object. Existing nodes are used again.

    New nodes can be dragged, see :func:`set_interactive`.

    Parameters
    ----------
    outcome : Outcome
        Deleted nodes are removed from it, and new ones are entered.
    result : SegmentationResult or VolumeResult
    segment_id : str
        Id of the segment that shows the object; it may have been deleted.
    view_ids : sequence of str
        Ids of the views that show the nodes. If empty, new nodes are shown in all views, and existing ones where they
        were.

    Returns
    -------
    CloudFrame or None
        The frame of the points, for the camera. None if the result has no such object, or it has no thresholds; nothing
        is shown then.
    """
    scene = outcome.segmentation.GetScene()
    _leave_out_deleted(outcome)
    item = objects_by_segment(outcome.segmentation, result).get(segment_id)
    if scene is None or isinstance(result, VolumeResult) or item is None or item.thresholds is None:
        hide_thresholds(outcome)
        return None
    before = outcome.threshold_nodes
    thresholds = item.thresholds
    image, roi, field, name = result.radiograph, thresholds.field.roi, thresholds.field, item.name
    frame, color = CloudFrame.of(image, roi), color_of_object(outcome.segmentation, segment_id, item)
    if outcome.cloud is None:
        outcome.cloud = add_cloud(scene, image, roi, field, frame, name, color, view_ids)
    else:
        set_cloud(outcome.cloud, image, roi, field, frame, color)
    if outcome.axis is None or outcome.labels is None:
        outcomes.remove_thresholds(Outcome(outcome.segmentation, axis=outcome.axis, labels=outcome.labels))
        outcome.axis, outcome.labels = add_axis(scene, frame, roi, name, view_ids)
    else:
        set_axis(outcome.axis, outcome.labels, frame, roi)
    if outcome.box is None:
        outcome.box = add_threshold_box(scene, frame, roi, thresholds.interval, name, color, view_ids)
    else:
        place_threshold_box(outcome.box, frame, roi, thresholds.interval)
        _paint(outcome.box, color)
    _show_surfaces(outcome, item, frame, view_ids)
    _call(outcome, name)
    nodes = outcome.threshold_nodes
    for node in nodes:
        if view_ids:
            show_in(node.GetDisplayNode(), view_ids)
    if nodes != before or any(outcomes.segment_of(node) != segment_id for node in nodes):
        outcomes.connect(outcome, segment_id)
    return frame


def hide_thresholds(outcome: Outcome) -> None:
    """Remove the nodes of the cloud's view; the rest of the result stays."""
    _leave_out_deleted(outcome)
    if outcome.threshold_nodes:
        outcomes.remove_thresholds(outcome)


def set_interactive(outcome: Outcome, on: bool) -> None:
    """Allow or forbid dragging of the threshold box and the regions. No event is emitted if nothing changes.

    Slicer draws the handles of a box as its display node says. Lines and centres, which can be dragged without handles,
    are controlled by the lock of the box node.
    """
    for node in (outcome.box, *outcome.regions.values()):
        if node is None or node.GetScene() is None:
            continue
        node.SetLocked(not on)
        if node.GetDisplayNode() is not None:
            node.GetDisplayNode().SetHandlesInteractive(bool(on))


def color_of_object(
    segmentation: vtkMRMLSegmentationNode, segment_id: str, item: AnyObject
) -> tuple[int, int, int]:
    """The colour of an object, 0..255: that of its segment, which the user may have changed, else that of its class."""
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    if segment is None:
        return anatomy(item.label).color
    red, green, blue = (round(255 * channel) for channel in segment.GetColor())
    return red, green, blue


def _show_surfaces(outcome: Outcome, item: SegmentedObject, frame: CloudFrame, view_ids: Sequence[str]) -> None:
    """The bottoms and the tops of an object with thresholds of its own in every cell, and none for others."""
    is_wanted, field = not item.thresholds.rule.single, item.thresholds.field
    if outcome.surfaces and (not is_wanted or len(outcome.surfaces) != len(_SURFACES)):
        outcomes.remove_thresholds(Outcome(outcome.segmentation, surfaces=outcome.surfaces))
        outcome.surfaces = ()
    if is_wanted and outcome.surfaces:
        set_surfaces(outcome.surfaces, field, frame)
    elif is_wanted:
        scene = outcome.segmentation.GetScene()
        outcome.surfaces = add_surfaces(scene, frame, field, item.name, view_ids)


def _call(outcome: Outcome, name: str) -> None:
    """Name the nodes after an object."""
    named = [(getattr(outcome, part), ending) for part, ending in _ENDINGS.items()]
    for node, ending in [*named, *zip(outcome.surfaces, _SURFACES)]:
        node.SetName(f"{name} {ending}")


def _paint(box: vtkMRMLMarkupsROINode, color: Sequence[int]) -> None:
    display, shade = box.GetDisplayNode(), color_of(color)
    with folded(display):
        display.SetColor(*shade)
        display.SetSelectedColor(*shade)


def _leave_out_deleted(outcome: Outcome) -> None:
    """Take the nodes that are no longer in the scene out of an outcome; one that lost its display node goes, too."""

    def kept(node: vtkMRMLNode | None, needs_display: bool = True) -> bool:
        if node is None or node.GetScene() is None:
            return False
        if needs_display and node.GetDisplayNode() is None:
            outcomes.remove_thresholds(Outcome(outcome.segmentation, cloud=node))
            return False
        return True

    for part in _ENDINGS:
        if not kept(getattr(outcome, part)):
            setattr(outcome, part, None)
    outcome.surfaces = tuple(node for node in outcome.surfaces if kept(node))
    outcome.regions = {identity: node for identity, node in outcome.regions.items() if kept(node, False)}
    for part in ("volume", "table", "rounds"):
        if not kept(getattr(outcome, part), False):
            setattr(outcome, part, None)
