"""The cloud's view: points, colours, gray axis and surfaces, in numbers; pictures are another file's."""

from __future__ import annotations

import time

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.mask import field_mask
from GrayscaleDetSegLib.scene import axis, cloud, surface_models, views
from GrayscaleDetSegLib.scene.frame import CloudFrame
from Testing.fakes import GEOMETRIES, radiograph
from Testing.scene_nodes import ids, recoloured

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

ROI = (10.5, 20.0, 61.25, 45.75)
COLOR = (230, 159, 0)
VIEW = ["vtkMRMLViewNodePointCloud"]


@pytest.fixture
def scene():
    scene = slicer.vtkMRMLScene()
    yield scene
    scene.Clear(True)


def image_of(name="anisotropic", shape=(90, 130)):
    return radiograph(shape, geometry=GEOMETRIES[name])


def arrays(node):
    from vtk.util.numpy_support import vtk_to_numpy

    data = node.GetPolyData().GetPointData()
    found = [vtk_to_numpy(data.GetArray(name)) for name in (cloud.GRAY, cloud.INSIDE, cloud.COLOR)]
    return [vtk_to_numpy(node.GetPolyData().GetPoints().GetData()), *found]


def random_field(roi=ROI, seed=0, shape=(8, 6)):
    generator = np.random.default_rng(seed)
    low, high = generator.uniform(20, 140, shape), generator.uniform(120, 260, shape)
    return ThresholdMap(roi, low.astype(np.float32), high.astype(np.float32))


def test_the_frame_goes_both_ways_and_through_text():
    frame = CloudFrame.of(image_of(), ROI)
    points = np.array([(10.5, 20.0, 0.0), (61.25, 45.75, 255.0), (3.0, 80.0, 17.5)])
    assert np.allclose(frame.from_view(frame.to_view(points)), points)
    assert np.allclose((frame.matrix @ np.column_stack([points, np.ones(3)]).T)[:3].T, frame.to_view(points))
    assert CloudFrame.loads(frame.dumps()) == frame
    size = np.ptp(frame.to_view(points[:2]), axis=0)
    assert np.allclose(size[:2], (50.75 * 0.15, 25.75 * 0.4))  # mm, columns and rows of unlike spacing
    assert size[2] == pytest.approx(0.8 * size[:2].max())
    assert CloudFrame.of(image_of(), ROI, level=0.5).level == 0.5


def test_seen_from_the_front_and_above_the_image_is_not_mirrored():
    """Slicer's default camera looks from anterior (+y) with superior up: its right is -x."""
    frame = CloudFrame.of(image_of(), ROI)
    origin, right, down, up = frame.to_view([(20, 30, 0), (21, 30, 0), (20, 31, 0), (20, 30, 1)])
    assert right[0] < origin[0] and down[1] > origin[1] and up[2] > origin[2]
    # right-handed as seen: x to the right, y towards the viewer, gray up
    assert np.linalg.det(np.array([right - origin, down - origin, up - origin])) < 0


@pytest.mark.parametrize("name", GEOMETRIES)
def test_points_are_the_pixels(name, scene):
    image = image_of(name)
    frame = CloudFrame.of(image, ROI)
    node = cloud.add_cloud(scene, image, ROI, ThresholdMap.uniform(ROI, 150, 255), frame, "L", COLOR, VIEW)
    places, gray, is_inside, colors = arrays(node)
    rows, columns = boxes.pixel_slices(ROI, image.shape)
    assert len(places) == (rows.stop - rows.start) * (columns.stop - columns.start)
    pixels = [cloud.pixel_of_point(node, number) for number in range(len(places))]
    assert sorted(pixels) == [(r, c) for r in range(rows.start, rows.stop) for c in range(columns.start, columns.stop)]
    expected = image.gray()[tuple(np.array(pixels).T)]
    assert (gray == expected).all() and np.allclose(frame.from_view(places)[:, 2], expected, atol=1e-2)
    assert (is_inside == (expected >= 150)).all()
    # those inside are brighter than those outside, whatever their gray levels
    brightness = colors.astype(int).max(axis=1)
    assert brightness[is_inside == 1].min() > brightness[is_inside == 0].max()
    assert (np.ptp(colors[is_inside == 0].astype(int), axis=1) == 0).all()


@pytest.mark.parametrize("most", [1, 50, 1000, 40_000])
@pytest.mark.parametrize(
    "roi", [ROI, (0.0, 0.0, 2048.0, 2048.0), (5.0, 5.0, 6.0, 2000.0), (3.0, 700.0, 2040.0, 704.0)]
)
def test_the_choice_is_capped_and_even(most, roi):
    rows, columns = cloud.chosen_pixels(roi, (2048, 2048), most)
    assert 1 <= len(rows) * len(columns) <= most
    window = boxes.pixel_slices(roi, (2048, 2048))
    for chosen, part in zip((rows, columns), window):
        assert part.start <= chosen[0] and chosen[-1] < part.stop and len(set(chosen)) == len(chosen)
        steps = np.diff(chosen)
        assert steps.size == 0 or steps.max() - steps.min() <= 1
        # as much is left out before the first as behind the last
        assert abs((chosen[0] - part.start) - (part.stop - 1 - chosen[-1])) <= 1
    if most == 40_000 and roi[2] - roi[0] > 1000 and roi[3] - roi[1] > 1000:
        assert len(rows) * len(columns) > 0.95 * most


@pytest.mark.parametrize(
    "field", [ThresholdMap.uniform(ROI, 150, 255), random_field(), random_field((20, 25, 50, 40))]
)
def test_inside_is_what_the_mask_is(field, scene):
    image = image_of()
    roi = (0.0, 0.0, 130.0, 90.0)
    everything = ThresholdMap.uniform(roi, 0, 255)
    node = cloud.add_cloud(scene, image, roi, everything, CloudFrame.of(image, roi), "x", COLOR)
    assert arrays(node)[2].all()
    mask = np.zeros(image.shape, bool)
    window = boxes.pixel_slices(field.roi, image.shape)
    mask[window] = field_mask(image, field)
    assert recoloured(node, field) == mask.sum()
    chosen = np.array([cloud.pixel_of_point(node, number) for number in range(mask.size)])
    assert (arrays(node)[2] == mask[tuple(chosen.T)]).all()


def test_an_update_leaves_the_points_and_tells_the_view(scene):
    image = image_of()
    frame = CloudFrame.of(image, ROI)
    node = cloud.add_cloud(scene, image, ROI, ThresholdMap.uniform(ROI, 150, 255), frame, "L", COLOR)
    events, mesh = [], node.GetPolyData()
    node.AddObserver(node.MeshModifiedEvent, lambda *_: events.append(1))
    before = [values.copy() for values in arrays(node)]
    recoloured(node, ThresholdMap.uniform(ROI, 30, 90))
    after = arrays(node)
    assert node.GetPolyData() is mesh and len(events) == 1
    assert (before[0] == after[0]).all() and (before[1] == after[1]).all()
    assert (before[2] != after[2]).any() and (before[3] != after[3]).any()


def test_another_object_in_the_same_node(scene):
    image = image_of()
    frame = CloudFrame.of(image, ROI)
    node = cloud.add_cloud(scene, image, ROI, ThresholdMap.uniform(ROI, 150, 255), frame, "L", COLOR)
    nodes = ids(scene)
    other = (60.0, 50.0, 129.0, 88.0)
    cloud.set_cloud(node, image, other, random_field(other), CloudFrame.of(image, other), (0, 255, 0), most=100)
    assert ids(scene) == nodes and node.GetPolyData().GetNumberOfPoints() <= 100
    row, column = cloud.pixel_of_point(node, 0)
    assert 50 <= row < 88 and 60 <= column < 129
    recoloured(node, random_field(other, seed=3))


def test_picking(scene):
    image = image_of()
    frame = CloudFrame.of(image, ROI)
    node = cloud.add_cloud(scene, image, ROI, random_field(), frame, "L", COLOR)
    for number in (0, 700, node.GetPolyData().GetNumberOfPoints() - 1):
        row, column = cloud.pixel_of_point(node, number)
        place = cloud.place_of_pixel(node, row, column, float(image.gray()[row, column]))
        assert np.allclose(place, node.GetPolyData().GetPoint(number), atol=1e-3)
    for number in (-1, 10**6):
        with pytest.raises(IndexError):
            cloud.pixel_of_point(node, number)


def test_vtks_pickers_name_the_point(scene):
    """A picker over the mesh: cell and point ids are the same, and lead to the pixel."""
    import vtk

    image = image_of()
    frame = CloudFrame.of(image, ROI)
    node = cloud.add_cloud(scene, image, ROI, random_field(), frame, "L", COLOR)
    mesh = node.GetPolyData()
    assert mesh.GetNumberOfCells() == mesh.GetNumberOfVerts() == mesh.GetNumberOfPoints()
    for number in (5, 900):
        points = vtk.vtkIdList()
        mesh.GetCellPoints(number, points)
        assert [points.GetId(0)] == [number] and points.GetNumberOfIds() == 1


def test_how_the_cloud_shows(scene):
    image, before = image_of(), ids(scene)
    node = cloud.add_cloud(scene, image, ROI, random_field(), CloudFrame.of(image, ROI), "L", COLOR, VIEW)
    display = node.GetDisplayNode()
    assert ids(scene) - before == {node.GetID(), display.GetID()}
    assert display.GetViewNodeIDs() == tuple(VIEW) and not display.GetVisibility2D()
    assert display.GetRepresentation() == display.PointsRepresentation and display.GetActiveScalarName() == cloud.COLOR
    assert display.GetScalarRangeFlag() == display.UseDirectMapping and display.GetScalarVisibility()


def test_forty_thousand_points_are_built_fast(scene):
    """Target 100 ms of this thread; what else the machine does, does not count."""
    image = image_of(shape=(2048, 2048))
    roi = (100.0, 100.0, 1900.0, 1900.0)
    frame, field = CloudFrame.of(image, roi), random_field(roi, shape=(64, 64))
    built, updated = [], []
    for _ in range(5):
        start = time.thread_time()
        node = cloud.add_cloud(scene, image, roi, field, frame, "x", COLOR)
        middle = time.thread_time()
        recoloured(node, field.shifted(2.0))
        built.append(middle - start)
        updated.append(time.thread_time() - middle)
        scene.RemoveNode(node)
    assert min(built) < 0.1 and min(updated) < 0.02


def test_the_axis_is_labelled_in_gray_levels(scene):
    image, before = image_of(), ids(scene)
    frame = CloudFrame.of(image, ROI)
    lines, labels = axis.add_axis(scene, frame, ROI, "L", VIEW)
    assert len(ids(scene) - before) == 4
    texts = [labels.GetNthControlPointLabel(number) for number in range(labels.GetNumberOfControlPoints())]
    assert texts == ["0", "50", "100", "150", "200", "255", "gray level"]
    for number, level in enumerate(axis.LEVELS):
        x, y, gray = frame.from_view([labels.GetNthControlPointPosition(number)])[0]
        assert gray == pytest.approx(level, abs=1e-2) and x < ROI[0] and y == pytest.approx(ROI[3], abs=1e-2)
    assert labels.GetLocked() and labels.GetDisplayNode().GetPointLabelsVisibility()
    assert labels.GetDisplayNode().GetViewNodeIDs() == lines.GetDisplayNode().GetViewNodeIDs() == tuple(VIEW)
    other = (60.0, 50.0, 129.0, 88.0)
    axis.set_axis(lines, labels, CloudFrame.of(image, other), other)
    assert labels.GetNumberOfControlPoints() == 7 and len(ids(scene) - before) == 4


def test_the_surfaces_pass_through_the_cells():
    """At the middles of open cells they have the cells' values, between them those of the interpolation."""
    field = random_field()
    low, high, facets = surface_models.surface_mesh(field)
    is_open = ~field.closed
    bottoms, tops = field.at(low[:, 0], low[:, 1])
    apart = np.clip(bottoms, 0, 255) <= np.clip(tops, 0, 255)
    for points, values, surface in ((low, field.low, bottoms), (high, field.high, tops)):
        middles = points.reshape(2 * 8 + 1, 2 * 6 + 1, 3)[1::2, 1::2, 2]
        assert np.allclose(middles[is_open], np.clip(values, 0, 255)[is_open])
        assert np.allclose(points[apart, 2], np.clip(surface, 0, 255)[apart], atol=1e-3)
    assert (low[:, 2] <= high[:, 2]).all() and (low[~apart] == high[~apart]).all() and not is_open.all()
    assert low[:, 0].min() == ROI[0] and low[:, 0].max() == ROI[2] and low[:, 1].max() == ROI[3]
    assert 4 * np.count_nonzero(is_open) <= len(facets) < 4 * field.low.size


def test_closed_cells_are_left_out_and_open_ends_are_at_the_limits():
    low, high = np.full((4, 4), 50.0, np.float32), np.full((4, 4), 180.0, np.float32)
    low[:2, 2:], high[:2, 2:] = 200.0, 20.0  # closed
    low[3, 0], high[3, 3] = -1000.0, 1000.0
    bottoms, tops, facets = surface_models.surface_mesh(ThresholdMap((0, 0, 4, 4), low, high))
    middles = bottoms[facets].mean(axis=1)
    assert not ((middles[:, 0] > 2.5) & (middles[:, 1] < 1.5)).any()
    for column, row in ((0.25, 0.25), (1.25, 3.75), (3.75, 2.75)):  # wholly open
        assert (np.abs(middles[:, :2] - (column, row)).max(axis=1) < 1e-6).any()
    assert bottoms[:, 2].min() == 0.0 and tops[:, 2].max() == 255.0


def test_the_surfaces_follow_the_box(scene):
    from vtk.util.numpy_support import vtk_to_numpy

    frame, field = CloudFrame.of(image_of(), ROI), random_field()
    before = ids(scene)
    nodes = surface_models.add_surfaces(scene, frame, field, "L", VIEW)
    assert len(ids(scene) - before) == 4
    assert all(node.GetDisplayNode().GetViewNodeIDs() == tuple(VIEW) for node in nodes)
    heights = [vtk_to_numpy(node.GetPolyData().GetPoints().GetData())[:, 2].copy() for node in nodes]
    surface_models.set_surfaces(nodes, field.shifted(bottom=7.0, top=-5.0))
    moved = [vtk_to_numpy(node.GetPolyData().GetPoints().GetData())[:, 2] for node in nodes]
    apart = moved[1] - moved[0] > 1e-3
    assert np.allclose((moved[0] - heights[0])[apart], 7.0 * frame.level, atol=1e-4)
    inner = apart & (heights[1] < 255 * frame.level - 1e-3)
    assert inner.sum() > 50 and np.allclose((moved[1] - heights[1])[inner], -5.0 * frame.level, atol=1e-4)
    assert len(ids(scene) - before) == 4


def test_a_field_that_is_closed_all_over_shows_nothing(scene):
    field = ThresholdMap(ROI, np.full((2, 2), 200.0), np.full((2, 2), 100.0))
    nodes = surface_models.add_surfaces(scene, CloudFrame.of(image_of(), ROI), field, "L")
    assert all(node.GetPolyData().GetNumberOfPolys() == 0 for node in nodes)


def test_the_view_and_its_camera(scene):
    assert views.cloud_view(scene) is None
    view = slicer.vtkMRMLViewNode()
    view.SetSingletonTag(views.CLOUD_TAG)
    view = scene.AddNode(view)
    assert views.cloud_view(scene) is view
    views.dress_view(view)
    assert not view.GetBoxVisible() and not view.GetAxisLabelsVisible() and view.GetBackgroundColor() == (0, 0, 0)
    camera = scene.AddNewNodeByClass("vtkMRMLCameraNode")
    frame = CloudFrame.of(image_of(), ROI)
    views.aim_camera(camera, frame, ROI)
    position, focus = np.array(camera.GetPosition()), np.array(camera.GetFocalPoint())
    assert np.allclose(frame.from_view([focus])[0], ((ROI[0] + ROI[2]) / 2, (ROI[1] + ROI[3]) / 2, 127.5))
    assert position[1] > focus[1] and position[2] > focus[2] and camera.GetViewUp() == (0.0, 0.0, 1.0)


def test_the_crosshair_goes_to_a_place(scene):
    views.show_place(scene, (1.0, 2.0, 3.0))  # no views, no crosshair: nothing to do
    crosshair = scene.AddNode(slicer.vtkMRMLCrosshairNode())
    view = slicer.vtkMRMLSliceNode()
    view.SetLayoutName("Red")
    view = scene.AddNode(view)
    views.show_place(scene, (1.0, 2.0, 3.0))
    assert crosshair.GetCrosshairRAS() == (1.0, 2.0, 3.0) and crosshair.GetCrosshairMode() != crosshair.NoCrosshair
    assert view.GetSliceOffset() == pytest.approx(3.0)
