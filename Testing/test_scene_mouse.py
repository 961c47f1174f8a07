"""Dragged with the mouse: Slicer's own widgets move our nodes, and only as far as they may."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.labels import anatomy
from GrayscaleDetSegLib.scene import cloud, regions, threshold_box, views, volumes
from GrayscaleDetSegLib.scene.frame import CloudFrame
from Testing.fakes import GEOMETRIES, radiograph
from Testing.scene_nodes import add_transform, add_volume

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

COLOR = anatomy("femur").color
ROI = (20.0, 15.0, 90.0, 70.0)
EVENTS = ("PointStartInteractionEvent", "PointModifiedEvent", "PointEndInteractionEvent")


@pytest.fixture
def application():
    import vtk

    from Testing.scene_views import Application

    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    if not window.SupportsOpenGL():
        pytest.skip("this machine cannot draw")
    application = Application()
    yield application
    application.close()


class CloudCase:
    """The cloud's view with points and box."""

    def __init__(self, application) -> None:
        from Testing.scene_views import SpaceView

        scene = application.scene
        self.view = SpaceView(application)
        views.dress_view(self.view.node)
        image = volumes.read_volume(add_volume(scene, np.array(radiograph().pixels)))
        self.frame, ids = CloudFrame.of(image, ROI), [self.view.node.GetID()]
        cloud.add_cloud(scene, image, ROI, ThresholdMap.uniform(ROI, 0, 255), self.frame, "femur", COLOR, ids)
        self.box = threshold_box.add_threshold_box(scene, self.frame, ROI, (90.0, 170.0), "femur", COLOR, ids)
        views.aim_camera(self.view.camera, self.frame, ROI)
        self.events = []
        for event in EVENTS:
            self.box.AddObserver(getattr(self.box, event), lambda *_, event=event: self.events.append(event))

    def at(self, gray, x=(ROI[0] + ROI[2]) / 2, y=(ROI[1] + ROI[3]) / 2):
        return self.view.screen(self.frame.to_view([(x, y, gray)])[0])


@pytest.mark.parametrize("held, wanted", [(170.0, 210.0), (90.0, 40.0), (170.0, 130.0)])
def test_top_and_bottom_follow_the_mouse(held, wanted, application):
    case = CloudCase(application)
    case.view.drag(case.at(held), case.at(wanted))
    bottom, top = threshold_box.interval_of(case.box)
    moved, kept = (top, bottom) if held == 170.0 else (bottom, top)
    assert moved == pytest.approx(wanted, abs=6.0) and kept == pytest.approx(260.0 - held, abs=0.01)
    assert not threshold_box.restore(case.box)  # nothing else has moved
    assert case.events[0] == EVENTS[0] and case.events[-1] == EVENTS[2] and EVENTS[1] in case.events


def test_far_beyond_the_top_is_open(application):
    case = CloudCase(application)
    case.view.drag(case.at(170.0), case.at(320.0))
    assert threshold_box.interval_of(case.box) == pytest.approx((90.0, 255.0), abs=0.01)
    assert threshold_box.restore(case.box)
    case.view.drag(case.at(255.0), case.at(200.0))
    assert threshold_box.interval_of(case.box)[1] == pytest.approx(200.0, abs=6.0)


def test_nothing_else_can_be_taken_hold_of(application):
    """Not its middle, sides, corners or edges; what turns the view instead leaves the box where it is."""
    case = CloudCase(application)
    x0, y0, x1, y1 = ROI
    before = np.array([case.box.GetCenter(), case.box.GetSize()])
    middle = (x0 + x1) / 2, (y0 + y1) / 2, 130.0
    places = [middle, (x0, middle[1], 130.0), (x1, middle[1], 130.0), (middle[0], y1, 130.0), (x1, y1, 170.0),
              (x0, y1, 90.0), (x1, middle[1], 170.0)]
    for x, y, gray in places:
        row, column = case.at(gray, x, y)
        case.view.drag((row, column), (row - 30, column + 40))
        views.aim_camera(case.view.camera, case.frame, ROI)
        assert (np.array([case.box.GetCenter(), case.box.GetSize()]) == before).all(), (x, y, gray)


class SliceCase:
    """A slice view with a region."""

    def __init__(self, application, name, is_moved=False) -> None:
        from Testing.scene_views import SliceView

        scene = application.scene
        self.volume = add_volume(scene, np.array(radiograph().pixels), GEOMETRIES[name])
        if is_moved:
            self.volume.SetAndObserveTransformNodeID(add_transform(scene).GetID())
        self.grid = volumes.grid_of(self.volume)
        self.view = SliceView(application, self.volume, self.grid)
        self.node = regions.add_region(
            scene, self.volume, self.grid, ROI, "femur", COLOR, [self.view.node.GetID()]
        )

    def drag(self, start, end):
        """From place to place in px, a few pixels of the screen beside: right on the frame's line, that is nearer."""
        way = np.array(self.view.screen(*end)) - self.view.screen(*start)
        beside = np.array(self.view.screen(*start)) + np.where(way == 0, 1, 3)
        self.view.drag(tuple(beside), tuple(beside + way))
        return regions.region_of(self.node, self.volume, self.grid)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_side_of_a_region_follows_the_mouse(name, application):
    """The others stay; so it is for the upper, the lower, the left and the right side."""
    case = SliceCase(application, name)
    x0, y0, x1, y1 = ROI
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    found = case.drag((x1, y), (x1 + 20, y))
    assert found == pytest.approx((x0, y0, x1 + 20, y1), abs=1.0)
    assert found[0] == pytest.approx(x0, abs=0.02) and found[1] == pytest.approx(y0, abs=0.02)
    x = (x0 + x1 + 20) / 2
    assert case.drag((x, y0), (x, y0 - 10)) == pytest.approx((x0, y0 - 10, x1 + 20, y1), abs=1.0)
    y = (y0 - 10 + y1) / 2
    assert case.drag((x0, y), (x0 + 15, y)) == pytest.approx((x0 + 15, y0 - 10, x1 + 20, y1), abs=1.0)
    x = (x0 + 15 + x1 + 20) / 2
    assert case.drag((x, y1), (x, y1 + 8)) == pytest.approx((x0 + 15, y0 - 10, x1 + 20, y1 + 8), abs=1.0)


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("name", ["turned", "sideways"])
def test_a_region_is_carried_by_its_middle(name, is_moved, application):
    case = SliceCase(application, name, is_moved)
    x0, y0, x1, y1 = ROI
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    assert case.drag((x, y), (x + 12, y - 8)) == pytest.approx((x0 + 12, y0 - 8, x1 + 12, y1 - 8), abs=1.0)
