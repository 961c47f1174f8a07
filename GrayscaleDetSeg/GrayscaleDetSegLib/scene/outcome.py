"""All nodes that show one result: which they are, how they refer to each other, and how they are removed.

The segmentation refers to the other nodes, and each of them refers to it, so that a saved scene can be read back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .hierarchy import forget, hierarchy_of, place_beside, place_in_folder
from .nodes import attribute, refer, referenced, remove, set_attribute

if TYPE_CHECKING:
    from slicer import (
        vtkMRMLMarkupsFiducialNode,
        vtkMRMLMarkupsROINode,
        vtkMRMLModelNode,
        vtkMRMLNode,
        vtkMRMLScalarVolumeNode,
        vtkMRMLScene,
        vtkMRMLSegmentationNode,
        vtkMRMLTableNode,
    )

_KINDS = (
    "vtkMRMLSegmentationNode", "vtkMRMLMarkupsNode", "vtkMRMLModelNode", "vtkMRMLTableNode", "vtkMRMLDisplayNode"
)
_SEGMENT, _PLACED = "segment", "placed"
_SINGLE = {"cloud": "cloud", "axis": "axis", "labels": "levels", "box": "box", "table": "table", "rounds": "rounds"}


@dataclass
class Outcome:
    """The nodes that show one result. Nodes that were not created yet, or were deleted, are None or missing.

    Parameters
    ----------
    segmentation : vtkMRMLSegmentationNode
    volume : vtkMRMLScalarVolumeNode or None
        The volume that was segmented.
    regions : dict of str to vtkMRMLMarkupsROINode
        By segment id.
    table : vtkMRMLTableNode or None
    rounds : vtkMRMLTableNode or None
        For volumes: the rounds of an iterating method.
    cloud, axis, labels, box : nodes or None
        For the object whose thresholds are shown: its points, the gray axis and its labels, the threshold box.
    surfaces : tuple of vtkMRMLModelNode
        The bottom and the top surface, or empty.
    seen : tuple of vtkMRMLScalarVolumeNode and vtkMRMLModelNode
        What a method has seen of an object, where it is shown: maps such as weights, and the boxes of slices.
    """

    segmentation: vtkMRMLSegmentationNode
    volume: vtkMRMLScalarVolumeNode | None = None
    regions: dict[str, vtkMRMLMarkupsROINode] = field(default_factory=dict)
    table: vtkMRMLTableNode | None = None
    cloud: vtkMRMLModelNode | None = None
    axis: vtkMRMLModelNode | None = None
    labels: vtkMRMLMarkupsFiducialNode | None = None
    box: vtkMRMLMarkupsROINode | None = None
    surfaces: tuple[vtkMRMLModelNode, ...] = ()
    rounds: vtkMRMLTableNode | None = None
    seen: tuple[vtkMRMLNode, ...] = ()

    @property
    def tables(self) -> list[vtkMRMLTableNode]:
        """The existing table nodes."""
        return [node for node in (self.table, self.rounds) if node is not None]

    @property
    def shown_segment(self) -> str | None:
        """The id of the segment whose thresholds the cloud's view shows, or None."""
        return None if self.cloud is None else segment_of(self.cloud)

    @property
    def threshold_nodes(self) -> list[vtkMRMLNode]:
        """The nodes of the cloud's view."""
        return [node for node in (self.cloud, self.axis, self.labels, self.box, *self.surfaces) if node is not None]

    @property
    def helpers(self) -> list[vtkMRMLNode]:
        """All nodes but the segmentation and the volume."""
        return [*self.regions.values(), *self.threshold_nodes, *self.tables, *self.seen]


def connect(outcome: Outcome, shown_segment: str | None = None) -> None:
    """Store the references between the nodes, and place them in the subject hierarchy if there is one.

    Call it again when nodes were added or replaced.

    Parameters
    ----------
    shown_segment : str, optional
        The id of the segment whose thresholds the cloud's view shows, if it shows any.
    """
    segmentation = outcome.segmentation
    scene = segmentation.GetScene()
    for name, role in _SINGLE.items():
        node = getattr(outcome, name)
        refer(segmentation, role, [] if node is None else [node])
    refer(segmentation, "volume", [] if outcome.volume is None else [outcome.volume])
    refer(segmentation, "surfaces", outcome.surfaces)
    refer(segmentation, "seen", outcome.seen)
    refer(segmentation, "regions", outcome.regions.values())
    for identity, node in outcome.regions.items():
        set_attribute(node, _SEGMENT, identity)
    if shown_segment is not None:
        for node in outcome.threshold_nodes:
            set_attribute(node, _SEGMENT, shown_segment)
    for node in outcome.helpers:
        refer(node, "segmentation", [segmentation])
    if outcome.volume is not None and hierarchy_of(scene) is not None:
        # each node once: whoever moves it elsewhere afterwards has reasons
        place_beside(scene, outcome.volume, _not_placed([segmentation, *outcome.tables]))
        boxes = _not_placed([*outcome.regions.values(), *outcome.threshold_nodes, *outcome.seen])
        if boxes:
            place_in_folder(scene, outcome.volume, f"{segmentation.GetName()} boxes", boxes)


def _not_placed(nodes: Sequence[vtkMRMLNode]) -> list[vtkMRMLNode]:
    """Those of the nodes that were not placed yet; from now on they are."""
    found = [node for node in nodes if attribute(node, _PLACED) is None]
    for node in found:
        set_attribute(node, _PLACED, "1")
    return found


def outcome_of(segmentation: vtkMRMLSegmentationNode) -> Outcome:
    """The nodes that belong to a segmentation, also in a scene that was loaded from a file."""

    def own(role: str) -> list[vtkMRMLNode]:
        # a copy of the segmentation refers to the same nodes; they belong to the first
        return [node for node in referenced(segmentation, role) if segmentation_of(node) is segmentation]

    parts = {name: next(iter(own(role)), None) for name, role in _SINGLE.items()}
    return Outcome(
        segmentation,
        volume_of(segmentation),
        {attribute(node, _SEGMENT) or "": node for node in own("regions")},
        surfaces=tuple(own("surfaces")),
        seen=tuple(own("seen")),
        **parts,
    )


def volume_of(segmentation: vtkMRMLSegmentationNode) -> vtkMRMLScalarVolumeNode | None:
    """The volume that a segmentation's result belongs to, or None if there is none in the scene."""
    return next(iter(referenced(segmentation, "volume")), None)


def refer_to_volume(segmentation: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode) -> None:
    """Make a segmentation refer to a volume. :func:`connect` does the same for the other nodes of its result."""
    refer(segmentation, "volume", [volume])


def segmentation_of(node: vtkMRMLNode) -> vtkMRMLSegmentationNode | None:
    """The segmentation that a node of a result (region, cloud, box, ...) belongs to, or None."""
    found = referenced(node, "segmentation")
    return found[0] if found else None


def segment_of(node: vtkMRMLNode) -> str | None:
    """The id of the segment that a region, or a node of the cloud's view, belongs to, or None."""
    return attribute(node, _SEGMENT)


def outcomes_of(scene: vtkMRMLScene, volume: vtkMRMLScalarVolumeNode) -> list[Outcome]:
    """All results on a volume, the oldest first."""
    nodes = [
        scene.GetNthNodeByClass(number, "vtkMRMLSegmentationNode")
        for number in range(scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"))
    ]
    return [outcome_of(node) for node in nodes if volume in referenced(node, "volume")]


def remove_thresholds(outcome: Outcome) -> None:
    """Remove the nodes of the cloud's view; the rest of the result stays."""
    _remove(outcome.segmentation.GetScene(), outcome.threshold_nodes)
    outcome.cloud = outcome.axis = outcome.labels = outcome.box = None
    outcome.surfaces = ()


def remove_regions(outcome: Outcome, segment_ids: Sequence[str]) -> None:
    """Remove the ROI nodes of these segments."""
    _remove(outcome.segmentation.GetScene(), [outcome.regions.pop(i) for i in segment_ids if i in outcome.regions])


def remove_helpers(outcome: Outcome) -> None:
    """Remove all nodes of a result but the segmentation and the volume."""
    _remove(outcome.segmentation.GetScene(), outcome.helpers)
    outcome.cloud = outcome.axis = outcome.labels = outcome.box = outcome.table = outcome.rounds = None
    outcome.regions, outcome.surfaces, outcome.seen = {}, (), ()


def remove_seen(outcome: Outcome) -> None:
    """Remove the maps and boxes that explain an object; the rest of the result stays."""
    _remove(outcome.segmentation.GetScene(), outcome.seen)
    outcome.seen = ()


@contextmanager
def no_leftovers(scene: vtkMRMLScene) -> Iterator[None]:
    """Remove the nodes of results that were added inside the context if it ends with an error."""
    before = {scene.GetNthNode(number).GetID() for number in range(scene.GetNumberOfNodes())}
    try:
        yield
    except BaseException:
        nodes = [scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes())]
        _remove(scene, [node for node in nodes if node.GetID() not in before and any(map(node.IsA, _KINDS))])
        raise


def _remove(scene: vtkMRMLScene, nodes: Sequence[vtkMRMLNode]) -> None:
    present = [node for node in nodes if scene.IsNodePresent(node)]
    forget(scene, present)
    remove(scene, present)
