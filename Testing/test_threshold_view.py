"""The cloud's view of one object: made once, and the same nodes for the next object, result, method and colour."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.editing import with_thresholds
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.labels import anatomy
from GrayscaleDetSegLib.logic.threshold_view import hide_thresholds, set_interactive, show_thresholds
from GrayscaleDetSegLib.scene import cloud, outcome, record, regions, segmentation, table, threshold_box, volumes
from GrayscaleDetSegLib.scene.frame import CloudFrame
from Testing.fakes import GEOMETRIES, bar, found, letter_l, radiograph, result
from Testing.scene_nodes import add_transform, add_volume, ids, recoloured

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

VIEW = ["vtkMRMLViewNodePointCloud"]
PARTS = ("cloud", "axis", "labels", "box")


@pytest.fixture
def scene():
    scene = slicer.vtkMRMLScene()
    yield scene
    scene.Clear(True)


def two_methods(image):
    """L by surfaces, bar by the single box."""
    generator = np.random.default_rng(2)
    low, high = generator.uniform(100, 160, (9, 7)), generator.uniform(215, 290, (9, 7))
    field = ThresholdMap((12.25, 7.5, 70.0, 50.0), low.astype(np.float32), high.astype(np.float32))
    return result(
        image,
        (
            found(image, "right lung", "right lung", letter_l(), low=120.0, high=230.0, field=field),
            found(image, "femur 2", "femur", bar(), low=120.0, score=0.71),
        ),
    )


class Case:
    """A volume, a result on one of its slices, and the nodes that show it, without those of the cloud's view."""

    def __init__(self, scene, name="turned", is_moved=False, stack=0) -> None:
        pixels = np.array(radiograph().pixels)
        self.scene = scene
        self.volume = add_volume(scene, np.stack([pixels] * stack) if stack else pixels, GEOMETRIES[name])
        if is_moved:
            self.volume.SetAndObserveTransformNodeID(add_transform(scene).GetID())
        self.grid = volumes.grid_of(self.volume, stack - 1 if stack else None)
        self.result = two_methods(volumes.read_volume(self.volume, self.grid.index))
        self.node = segmentation.add_segmentation_for(self.volume, self.grid, self.result, scene)
        identities = segmentation.segment_ids(self.node)
        record.keep_result(self.node, self.result, self.grid)
        self.parts = outcome.Outcome(
            self.node,
            self.volume,
            {
                identity: regions.add_region(
                    scene, self.volume, self.grid, item.region, item.name, anatomy(item.label).color
                )
                for identity, item in zip(identities, self.result.objects)
            },
            table.add_table(scene, self.result),
        )
        outcome.connect(self.parts)

    def show(self, identity, whole=None, view_ids=VIEW):
        return show_thresholds(self.parts, self.result if whole is None else whole, identity, view_ids)

    def names(self):
        return [node.GetName() for node in self.parts.threshold_nodes]

    def colors(self):
        shown = np.round(255 * np.array([self.parts.box.GetDisplayNode().GetSelectedColor()])).astype(int)
        return self.parts.cloud.GetAttribute("GrayscaleDetSeg.color"), tuple(shown[0].tolist())


@pytest.mark.parametrize("is_moved, stack", [(False, 0), (True, 3)])
@pytest.mark.parametrize("name", ["turned", "flipped", "sideways"])
def test_the_points_and_thresholds_of_an_object(name, is_moved, stack, scene):
    case = Case(scene, name, is_moved, stack)
    frame = case.show("right_lung")
    item = case.result.objects[0]
    assert frame == CloudFrame.of(case.result.radiograph, item.thresholds.field.roi)
    assert case.names() == [
        f"right lung {end}" for end in ("points", "gray axis", "gray levels", "thresholds", "bottoms", "tops")
    ]
    assert cloud.frame_of(case.parts.cloud) == frame
    row, column = cloud.pixel_of_point(case.parts.cloud, 100)
    gray = case.result.radiograph.gray()[row, column]
    assert case.parts.cloud.GetPolyData().GetPoint(100) == pytest.approx(
        cloud.place_of_pixel(case.parts.cloud, row, column, gray), abs=1e-3
    )
    assert threshold_box.interval_of(case.parts.box) == pytest.approx(item.thresholds.interval, abs=0.01)
    assert all(node.GetDisplayNode().GetViewNodeIDs() == tuple(VIEW) for node in case.parts.threshold_nodes)
    again = outcome.outcome_of(case.node)
    assert again == case.parts and again.shown_segment == "right_lung"


def test_the_same_nodes_show_the_next_object(scene):
    """Names, colours, frames and places are as in nodes made for it; surfaces belong to their method alone."""
    case, fresh = Case(scene), Case(scene)
    case.show("right_lung")
    before, nodes = {part: getattr(case.parts, part).GetID() for part in PARTS}, ids(scene)
    frame = case.show("femur_2")
    assert {part: getattr(case.parts, part).GetID() for part in PARTS} == before
    assert case.parts.surfaces == () and len(nodes - ids(scene)) == 4 and ids(scene) <= nodes
    assert fresh.show("femur_2") == frame
    assert case.names() == fresh.names() and case.colors() == fresh.colors()
    assert case.colors()[1] == anatomy("femur").color
    for part in ("cloud", "axis"):
        one, other = (getattr(each.parts, part) for each in (case, fresh))
        assert one.GetPolyData().GetBounds() == other.GetPolyData().GetBounds()
        assert cloud.frame_of(one) == cloud.frame_of(other) == frame
    assert case.parts.labels.GetNthControlPointPosition(3) == fresh.parts.labels.GetNthControlPointPosition(3)
    assert threshold_box.interval_of(case.parts.box) == threshold_box.interval_of(fresh.parts.box)
    assert outcome.outcome_of(case.node).shown_segment == "femur_2"
    case.show("right_lung")
    assert len(case.parts.surfaces) == 2 and outcome.outcome_of(case.node) == case.parts


def test_the_same_nodes_show_another_result(scene):
    case = Case(scene)
    case.show("right_lung")
    before = ids(scene)
    moved = with_thresholds(case.result, "right lung", 20.0, -15.0)
    record.keep_result(case.node, moved, case.grid)
    inside = recoloured(case.parts.cloud, case.result.objects[0].thresholds.field)
    bottoms = case.parts.surfaces[0].GetPolyData().GetBounds()
    case.show("right_lung", moved)
    assert ids(scene) == before
    assert threshold_box.interval_of(case.parts.box) == pytest.approx((140.0, 215.0), abs=0.01)
    assert recoloured(case.parts.cloud, moved.objects[0].thresholds.field) < inside
    assert case.parts.surfaces[0].GetPolyData().GetBounds()[4] > bottoms[4]


def test_showing_the_same_again_moves_nothing(scene):
    case = Case(scene)
    case.show("right_lung")
    events = []
    for node in (case.node, case.parts.box, case.parts.surfaces[0].GetDisplayNode(), case.parts.regions["femur_2"]):
        node.AddObserver("AnyEvent", lambda caller, event: events.append((caller.GetName(), event)))
    case.show("right_lung")
    assert [event for event in events if "Progress" not in event[1]] == []


@pytest.mark.parametrize("lost", ["cloud", "axis", "labels", "box", "bottoms", "tops", "display", "all"])
def test_what_was_deleted_is_made_anew_and_nothing_else(lost, scene):
    case = Case(scene)
    case.show("right_lung")
    count, held = scene.GetNumberOfNodes(), {node.GetID() for node in case.parts.threshold_nodes}
    together = {"axis": 2, "labels": 2, "bottoms": 2, "tops": 2, "all": 6}.get(lost, 1)
    nodes = dict(zip((*PARTS, "bottoms", "tops"), case.parts.threshold_nodes))
    nodes["display"] = nodes["cloud"].GetDisplayNode()
    for node in case.parts.threshold_nodes if lost == "all" else [nodes[lost]]:
        scene.RemoveNode(node)
    case.show("right_lung")
    # MRML leaves the display nodes of what somebody deletes
    assert scene.GetNumberOfNodes() - count == {"display": 0, "all": 6}.get(lost, 1)
    assert len(held & {node.GetID() for node in case.parts.threshold_nodes}) == 6 - together
    assert len(case.names()) == 6 and outcome.outcome_of(case.node) == case.parts
    # from what the scene itself still knows
    scene.RemoveNode(case.parts.box)
    again = outcome.outcome_of(case.node)
    assert show_thresholds(again, case.result, "right_lung", VIEW) is not None
    assert outcome.outcome_of(case.node) == again and again.box is not None


def test_without_views(scene):
    """Nodes that are there keep theirs; new ones show everywhere."""
    case = Case(scene)
    assert case.show("femur_2", view_ids=()) is not None
    assert case.parts.cloud.GetDisplayNode().GetViewNodeIDs() == ()
    case.show("femur_2")
    case.show("femur_2", view_ids=())
    assert case.parts.cloud.GetDisplayNode().GetViewNodeIDs() == tuple(VIEW)


def test_a_colour_chosen_by_hand(scene):
    case = Case(scene)
    case.show("femur_2")
    case.node.GetSegmentation().GetSegment("femur_2").SetColor(0.2, 1.0, 0.4)
    case.show("femur_2")
    assert case.colors() == ("51 255 102", (51, 255, 102))
    case.node.GetSegmentation().RemoveSegment("femur_2")
    case.show("femur_2")
    assert case.colors()[1] == anatomy("femur").color


def test_an_object_that_the_result_does_not_have(scene):
    case = Case(scene)
    before = ids(scene)
    case.show("right_lung")
    assert case.show("tibia") is None and ids(scene) == before and case.parts.threshold_nodes == []
    case.show("right_lung")
    hide_thresholds(case.parts)
    hide_thresholds(case.parts)
    assert ids(scene) == before and outcome.outcome_of(case.node) == case.parts
    case.show("right_lung")
    scene.Clear(False)
    assert case.show("right_lung") is None and case.parts.threshold_nodes == []
    set_interactive(case.parts, True)


def test_nothing_can_be_taken_hold_of(scene):
    case = Case(scene)
    case.show("right_lung")
    nodes = [case.parts.box, *case.parts.regions.values()]

    def state():
        return {(bool(node.GetLocked()), bool(node.GetDisplayNode().GetHandlesInteractive())) for node in nodes}

    assert state() == {(False, True)}
    set_interactive(case.parts, False)
    assert state() == {(True, False)}
    events = []
    for node in nodes:
        for each in (node, node.GetDisplayNode()):
            each.AddObserver("AnyEvent", lambda caller, event: events.append(event))
    set_interactive(case.parts, False)
    assert events == []
    scene.RemoveNode(case.parts.regions["femur_2"])
    set_interactive(case.parts, True)
    nodes = nodes[:2]
    assert state() == {(False, True)} and case.parts.labels.GetLocked()
    assert case.parts.labels.GetNthControlPointLocked(0)
