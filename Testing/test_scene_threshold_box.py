"""The threshold box: an interval of gray levels as a ROI node, and back, whatever was done to it."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.scene import threshold_box
from GrayscaleDetSegLib.scene.frame import CloudFrame
from GrayscaleDetSegLib.scene.geometry import vtk_matrix
from Testing.fakes import GEOMETRIES, radiograph
from Testing.scene_nodes import add_transform, ids

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

ROI = (10.5, 20.0, 61.25, 45.75)
COLOR = (230, 159, 0)
VIEW = ["vtkMRMLViewNodePointCloud"]


@pytest.fixture
def scene():
    scene = slicer.vtkMRMLScene()
    yield scene
    scene.Clear(True)


def box_in(scene, interval=(120.0, 200.0)):
    frame = CloudFrame.of(radiograph(geometry=GEOMETRIES["anisotropic"]), ROI)
    return frame, threshold_box.add_threshold_box(scene, frame, ROI, interval, "L", COLOR, VIEW)


@pytest.mark.parametrize(
    "interval", [(120.0, 200.0), (0.0, 255.0), (0.0, 12.5), (249.75, 255.0), (100.0, 100.5)]
)
def test_an_interval_comes_back(interval, scene):
    frame, node = box_in(scene, interval)
    assert threshold_box.interval_of(node) == interval
    center, half = np.array(node.GetCenter()), np.array(node.GetSize()) / 2
    corners = np.sort(frame.from_view([center - half, center + half]), axis=0)
    assert np.allclose(corners[:, 0], (ROI[0], ROI[2])) and np.allclose(corners[:, 1], (ROI[1], ROI[3]))


@pytest.mark.parametrize(
    "given, kept",
    [
        ((200.0, 120.0), (120.0, 200.0)),
        ((-30.0, 300.0), (0.0, 255.0)),
        ((90.0, 90.0), (89.75, 90.25)),
        ((255.0, 255.0), (254.5, 255.0)),
        ((-9.0, -5.0), (0.0, 0.5)),
    ],
)
def test_intervals_that_make_no_box(given, kept, scene):
    _, node = box_in(scene)
    threshold_box.set_interval(node, given)
    assert threshold_box.interval_of(node) == kept


def test_dragged_at_the_top_and_over_the_ends(scene):
    """As Slicer's handle does it: centre and size along z change."""
    frame, node = box_in(scene)

    def drag(bottom, top):
        node.SetCenter(node.GetCenter()[0], node.GetCenter()[1], frame.level * (bottom + top) / 2)
        node.SetSize(node.GetSize()[0], node.GetSize()[1], frame.level * (top - bottom))

    drag(120, 231.5)
    assert threshold_box.interval_of(node) == (120.0, 231.5)
    assert not threshold_box.restore(node)
    drag(-40, 290)
    assert threshold_box.interval_of(node) == (0.0, 255.0)
    assert threshold_box.restore(node) and np.isclose(node.GetSize()[2], 255 * frame.level)
    drag(210, 160)  # the top drawn below the bottom
    assert threshold_box.interval_of(node) == (160.0, 210.0)
    assert threshold_box.restore(node) and node.GetSize()[2] > 0


def test_moved_stretched_and_turned_it_is_put_back(scene):
    frame, node = box_in(scene)
    size, center = np.array(node.GetSize()), np.array(node.GetCenter())
    for change in (
        lambda: node.SetCenter(center[0] + 9, center[1] - 4, center[2]),
        lambda: node.SetSize(size[0] * 2, size[1] / 3, size[2]),
        lambda: node.GetObjectToNodeMatrix().DeepCopy(
            vtk_matrix([[0, -1, 0, center[0]], [1, 0, 0, center[1]], [0, 0, 1, center[2]], [0, 0, 0, 1]])
        ),
        lambda: node.SetAndObserveTransformNodeID(
            add_transform(scene, [[1, 0, 0, 30.0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]).GetID()
        ),
    ):
        change()
        assert threshold_box.restore(node)
        assert threshold_box.interval_of(node) == (120.0, 200.0)
        assert np.allclose(node.GetSize(), size) and np.allclose(node.GetCenter(), center)
        assert not threshold_box.restore(node)


def test_events_of_the_box(scene):
    """One for a change, none where nothing changes: handlers that answer with `restore` come to rest."""
    frame, node = box_in(scene)
    events = []
    for event in ("ModifiedEvent", slicer.vtkMRMLMarkupsNode.PointModifiedEvent):
        node.AddObserver(event, lambda _, name: events.append(name))
    threshold_box.set_interval(node, (80.0, 190.0))
    assert len(events) == len(set(events)) == 2
    events.clear()
    threshold_box.set_interval(node, threshold_box.interval_of(node))
    threshold_box.restore(node)
    threshold_box.place_threshold_box(node, frame, ROI, (80.0, 190.0))
    assert events == []


def test_how_the_box_shows(scene):
    before = ids(scene)
    _, node = box_in(scene)
    display = node.GetDisplayNode()
    assert ids(scene) - before == {node.GetID(), display.GetID()} and display.GetViewNodeIDs() == tuple(VIEW)
    assert display.GetHandlesInteractive() and display.GetScaleHandleVisibility()
    assert display.GetScaleHandleComponentVisibility() == (False, False, True, False)
    assert not display.GetTranslationHandleVisibility() and not display.GetRotationHandleVisibility()
    assert display.GetFillOpacity() <= 0.1 and not display.GetPropertiesLabelVisibility()
    assert not display.GetVisibility2D()
