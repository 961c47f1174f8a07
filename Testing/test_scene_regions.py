"""ROI nodes: where they lie, how they show, and what is read back after all that can be done to them."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.scene import regions, volumes
from GrayscaleDetSegLib.scene.geometry import moved
from Testing.fakes import GEOMETRIES, letter_l, radiograph
from Testing.scene_nodes import add_bending_transform, add_transform, add_volume, ids

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

ROI = (10.5, 20.0, 61.25, 45.75)
COLOR = (230, 159, 0)


@pytest.fixture
def scene():
    scene = slicer.vtkMRMLScene()
    yield scene
    scene.Clear(True)


def volume_with_region(scene, name="turned", is_moved=False, roi=ROI):
    volume = add_volume(scene, np.array(radiograph().pixels), GEOMETRIES[name])
    if is_moved:
        volume.SetAndObserveTransformNodeID(add_transform(scene).GetID())
    grid = volumes.grid_of(volume)
    return volume, grid, regions.add_region(scene, volume, grid, roi, "femur", COLOR)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("is_moved", [False, True])
def test_a_region_comes_back(name, is_moved, scene):
    volume, grid, node = volume_with_region(scene, name, is_moved)
    assert regions.region_of(node, volume, grid) == ROI


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("is_moved", [False, True])
def test_the_box_holds_the_object_and_nothing_beside(name, is_moved, scene):
    """Slicer's own test of points in a ROI, with the middles of the pixels of an L and of those around its box."""
    mask = letter_l()
    x0, y0, x1, y1 = boxes.of_mask(mask)
    volume, grid, node = volume_with_region(scene, name, is_moved, (x0, y0, x1, y1))
    to_world = volumes.pixel_to_world(volume, grid)
    rows, columns = np.nonzero(mask)
    for row, column in zip(rows[::17], columns[::17]):
        place = moved(to_world, [(column + 0.5, row + 0.5, 0.0)])[0]
        assert node.IsPointInROIWorld(place)
    for x, y in ((x0 - 0.5, y0 + 5), (x1 + 0.5, y0 + 5), (x0 + 5, y0 - 0.5), (x0 + 5, y1 + 0.5)):
        assert not node.IsPointInROIWorld(moved(to_world, [(x, y, 0.0)])[0])
    for z, is_in in ((0.45, True), (-0.45, True), (0.55, False), (-0.55, False)):
        assert bool(node.IsPointInROIWorld(moved(to_world, [(x0 + 5, y0 + 5, z)])[0])) is is_in


def test_its_slice_among_many(scene):
    stack = np.stack([np.array(radiograph().pixels)] * 4)
    volume = add_volume(scene, stack, GEOMETRIES["sideways"])
    for index in (0, 3):
        grid = volumes.grid_of(volume, index)
        node = regions.add_region(scene, volume, grid, ROI, "femur", COLOR)
        center = np.array(node.GetCenterWorld())
        assert volumes.slice_at(volume, center) == index
        assert regions.region_of(node, volume, grid) == ROI


@pytest.mark.parametrize("name", GEOMETRIES)
def test_dragged(name, scene):
    """Moved along its own axes by whole pixels, and stretched at one side."""
    volume, grid, node = volume_with_region(scene, name)
    matrix = grid.pixel_to_ras
    center = moved(matrix, [((ROI[0] + ROI[2]) / 2 + 3, (ROI[1] + ROI[3]) / 2 - 7, 0.0)])[0]
    node.SetCenter(*center)
    assert regions.region_of(node, volume, grid) == (13.5, 13.0, 64.25, 38.75)
    size = np.array(node.GetSize())
    node.SetSize(*(size * [2.0, 1.0, 1.0]))
    assert regions.region_of(node, volume, grid) == pytest.approx((0.0, 13.0, 89.62, 38.75), abs=0.011)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_inverted_shrunk_and_moved_off_the_slice(name, scene):
    volume, grid, node = volume_with_region(scene, name)
    size, center = np.array(node.GetSize()), np.array(node.GetCenter())
    node.SetSize(*(-size))
    assert regions.region_of(node, volume, grid) == ROI
    node.SetSize(*size)
    thickness = grid.pixel_to_ras[:3, 2]
    node.SetCenter(*(center + 3.0 * thickness))
    assert regions.region_of(node, volume, grid) == ROI
    node.SetCenter(*center)
    node.SetSize(0.0, 0.0, 0.0)
    middle = (ROI[0] + ROI[2]) / 2, (ROI[1] + ROI[3]) / 2
    found = regions.region_of(node, volume, grid)
    assert found == pytest.approx((middle[0] - 0.5, middle[1] - 0.5, middle[0] + 0.5, middle[1] + 0.5), abs=0.011)


def test_cut_off_at_the_image_and_none_beside_it(scene):
    volume, grid, node = volume_with_region(scene, roi=(-20.0, 60.0, 40.0, 500.0))
    assert regions.region_of(node, volume, grid) == (0.0, 60.0, 40.0, 90.0)
    for beside in ((-30.0, 5.0, -2.0, 40.0), (5.0, 95.0, 40.0, 120.0), (140.0, 5.0, 150.0, 40.0)):
        regions.place_region(node, volume, grid, beside)
        assert regions.region_of(node, volume, grid) is None
    regions.place_region(node, volume, grid, (129.9, 89.9, 140.0, 100.0))
    assert regions.region_of(node, volume, grid) == (129.0, 89.0, 130.0, 90.0)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_drawn_by_hand_along_the_patients_axes(name, scene):
    """Two clicks in a slice view make a box along RAS; on an oblique slice it cuts out the part between the clicks."""
    volume, grid, _ = volume_with_region(scene, name)
    first, second = (moved(volumes.pixel_to_world(volume, grid), [(x, y, 0.0)])[0] for x, y in ((30, 25), (80, 70)))
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "drawn")
    assert regions.region_of(node, volume, grid) is None  # nothing clicked yet
    node.SetCenterWorld(*((first + second) / 2))
    size = np.abs(second - first)
    node.SetSizeWorld(*np.where(size < 1e-6, size.max(), size))
    x0, y0, x1, y1 = regions.region_of(node, volume, grid)
    assert x0 <= 30.01 and y0 <= 25.01 and x1 >= 79.99 and y1 >= 69.99
    if name != "turned":  # there the rectangle's axes are those of the image, and its sides lie as clicked
        assert (x0, y0, x1, y1) == pytest.approx((30.0, 25.0, 80.0, 70.0), abs=0.02)
    else:  # turned in the plane: the bounds of the box's corners in px
        corners = np.array([(a, b, first[2]) for a in (first[0], second[0]) for b in (first[1], second[1])])
        places = moved(np.linalg.inv(volumes.pixel_to_world(volume, grid)), corners)[:, :2]
        expected = np.clip(np.concatenate([places.min(0), places.max(0)]), 0, [130, 90, 130, 90])
        assert (x0, y0, x1, y1) == pytest.approx(tuple(expected), abs=0.02)


def test_a_box_under_another_transform(scene):
    """Read in the world: the volume lies still, the region was moved with a transform of its own."""
    volume, grid, node = volume_with_region(scene, "plain")
    shift = add_transform(scene, [[1.0, 0, 0, -4.0], [0, 1.0, 0, -6.0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])
    node.SetAndObserveTransformNodeID(shift.GetID())
    assert regions.region_of(node, volume, grid) == pytest.approx((14.5, 26.0, 65.25, 51.75), abs=0.011)
    regions.place_region(node, volume, grid, ROI)
    assert node.GetParentTransformNode() is None and regions.region_of(node, volume, grid) == ROI


def test_under_a_bending_transform_they_stay_together(scene):
    volume, grid, node = volume_with_region(scene)
    volume.SetAndObserveTransformNodeID(add_bending_transform(scene).GetID())
    with pytest.raises(RadiographError, match="bends it; harden"):
        regions.region_of(node, volume, grid)
    regions.place_region(node, volume, grid, ROI)
    assert regions.region_of(node, volume, grid) == ROI


def test_placing_is_one_event_for_each_kind(scene):
    volume, grid, node = volume_with_region(scene)
    events = []
    for event in ("ModifiedEvent", slicer.vtkMRMLMarkupsNode.PointModifiedEvent):
        node.AddObserver(event, lambda _, name: events.append(name))
    regions.place_region(node, volume, grid, (1.0, 2.0, 30.0, 40.0))
    assert len(events) == len(set(events)) == 2


def test_how_it_shows(scene):
    volume, grid, _ = volume_with_region(scene)
    before = ids(scene)
    node = regions.add_region(scene, volume, grid, ROI, "femur", COLOR, ["vtkMRMLSliceNodeRed"])
    display = node.GetDisplayNode()
    assert ids(scene) - before == {node.GetID(), display.GetID()}
    assert node.GetName() == "femur" and display.GetViewNodeIDs() == ("vtkMRMLSliceNodeRed",)
    assert np.allclose(display.GetSelectedColor(), np.array(COLOR) / 255) and display.GetFillOpacity() <= 0.1
    assert not display.GetPropertiesLabelVisibility() and display.GetHandlesInteractive()
    assert not display.GetRotationHandleVisibility() and display.GetScaleHandleVisibility()
    assert display.GetScaleHandleComponentVisibility() == (True, True, False, False)
