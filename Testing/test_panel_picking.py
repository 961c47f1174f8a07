"""Linked picking: the mouse in Slicer's own views, drawn offscreen, finds the right pixels and points."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.labels import anatomy
from GrayscaleDetSegLib.scene import cloud, views, volumes
from GrayscaleDetSegLib.scene.frame import CloudFrame
from GrayscaleDetSegLib.scene.geometry import moved, numpy_matrix
from Testing import standins
from Testing.fakes import GEOMETRIES, radiograph
from Testing.panel_screen import manager
from Testing.scene_nodes import add_bending_transform, add_transform, add_volume, ids

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)

ROI = (20.0, 15.0, 90.0, 70.0)
COLOR = anatomy("femur").color


class Picking:
    """An image, its cloud in a drawn view, and linked picking."""

    def __init__(self, session, screen, name="turned", is_moved=False, most=cloud.MOST) -> None:
        from GrayscaleDetSegLib.panel.layout import CloudLayout
        from GrayscaleDetSegLib.panel.picking import LinkedPicking
        from Testing.scene_views import SpaceView

        self.session, self.scene = session, screen.scene
        self.view = SpaceView(screen)
        self.layout = CloudLayout()
        self.layout.show()
        self.volume = add_volume(self.scene, np.array(radiograph().pixels), GEOMETRIES[name])
        if is_moved:
            self.volume.SetAndObserveTransformNodeID(add_transform(self.scene).GetID())
        self.image = volumes.read_volume(self.volume)
        self.frame = CloudFrame.of(self.image, ROI)
        field = ThresholdMap.uniform(ROI, 0, 255)
        self.cloud = cloud.add_cloud(
            self.scene, self.image, ROI, field, self.frame, "femur", COLOR, self.layout.view_ids, most
        )
        views.aim_camera(self.view.camera, self.frame, ROI)
        self.view.window.Render()
        manager().viewWidget(views.cloud_view(manager().mrmlScene())).threeDView()._interactor = self.view.interactor
        self.seen, self.left = [], 0
        self.picking = LinkedPicking(lambda *pixel: self.seen.append(pixel), self._leave)
        self.picking.watch(self.cloud, self.volume, None, self.image.gray_image())
        self.crosshair = self.scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")

    def _leave(self) -> None:
        self.left += 1

    def pixel(self, place):
        """The pixel reported after the mouse has come to a place of the picture, or None."""
        self.seen.clear()
        before = self.left
        self.view.move(place)
        self.session.wait(lambda: self.seen or self.left > before, 2.0)
        assert len(self.seen) < 2
        return self.seen[0] if self.seen else None

    def place(self, row, column):
        return cloud.place_of_pixel(self.cloud, row, column, self.image.gray_image()[row, column])

    def mark(self):
        nodes = self.scene.GetNodesByName("Pixel under the pointer")
        marks = [nodes.GetItemAsObject(number) for number in range(nodes.GetNumberOfItems())]
        return next((node for node in marks if node.IsA("vtkMRMLModelNode")), None)

    def hover_slice(self, x, y, z=0.0):
        """As a slice view does when the mouse moves over a place of the image."""
        node = manager().sliceWidget("Red").mrmlSliceNode()
        world = moved(volumes.pixel_to_world(self.volume, volumes.grid_of(self.volume)), [(x, y, z)])
        place = moved(np.linalg.inv(numpy_matrix(node.GetXYToRAS())), world)[0]
        self.seen.clear()
        self.crosshair.SetCursorPositionXYZ(place.tolist(), node)
        self.session.wait(lambda: self.seen or self.left, 1.0)
        return self.seen[0] if self.seen else None


@pytest.mark.parametrize("name, is_moved", [("plain", False), ("turned", True), ("sideways", True), ("flipped", False)])
def test_the_point_under_the_mouse_shows_its_pixel(panel_session, screen, name, is_moved):
    case = Picking(panel_session, screen, name, is_moved, most=300)
    case.picking.enable()
    gray = case.image.gray_image()
    rows, columns = cloud.chosen_pixels(ROI, case.image.shape, 300)
    world = volumes.pixel_to_world(case.volume, volumes.grid_of(case.volume))
    nodes = [manager().sliceWidget(color).mrmlSliceNode() for color in ("Red", "Yellow", "Green")]
    hits = 0
    for row, column in zip(rows[1::4], columns[2::4]):
        found = case.pixel(case.view.screen(case.place(row, column)))
        # one point may hide another, which is nearer to the viewer
        assert found is not None and found[2] == gray[found[:2]]
        hits += found[:2] == (row, column)
        y, x = found[0] + 0.5, found[1] + 0.5
        place = moved(world, [(x, y, 0.0)])[0]
        assert case.crosshair.GetCrosshairRAS() == pytest.approx(place, abs=1e-4)
        for node in nodes:
            distance = np.array(numpy_matrix(node.GetSliceToRAS()))
            assert abs(distance[:3, 2] @ (place - distance[:3, 3])) < 1e-4
        assert case.mark().GetPolyData().GetPoint(0) == pytest.approx(case.place(*found[:2]), abs=1e-4)
    assert hits >= 3
    assert case.pixel((3, 3)) is None and not case.mark().GetDisplayNode().GetVisibility()


def test_nothing_is_found_where_nothing_is_drawn(panel_session, screen):
    """Against the picture: far from all points there is none, on a patch full of points there is one."""
    case = Picking(panel_session, screen)
    case.picking.enable()
    bright = case.view.picture().max(axis=-1) > 60
    places = [(row, column) for row in range(20, 540, 16) for column in range(20, 680, 16)]
    shares = [bright[row - 12 : row + 13, column - 12 : column + 13].mean() for row, column in places]
    far = [place for place, share in zip(places, shares) if share == 0.0]
    full = [place for place, share in zip(places, shares) if share > 0.1]
    assert len(far) > 100 and len(full) > 20
    for some, is_found in ((far[::40], False), (full[::8], True)):
        assert [case.pixel(place) is not None for place in some] == [is_found] * len(some)


def test_which_point_is_meant():
    from GrayscaleDetSegLib.panel.picking import point_under

    places = np.array([[0, 0, 0.5], [0, 0, -0.5], [0.5, 0, 0], [-0.5, -0.5, 0], [0, 0, 3]], np.float32)
    size, project = (200, 100), np.eye(4)
    assert point_under(places, project, size, 100, 50) == 1  # the front one; what lies behind the far plane is not
    assert point_under(places, project, size, 101.5, 51) == 1
    assert point_under(places, project, size, 150, 57) == 2  # a little off
    assert point_under(places, project, size, 150, 59) is None
    assert point_under(places, project, size, 50, 25) == 3  # from the lower left
    assert point_under(places[:0], project, size, 50, 25) is None


def test_the_mouse_is_followed_only_while_enabled(panel_session, screen, tmp_path):
    case = Picking(panel_session, screen)
    before = ids(case.scene)
    place = case.view.screen(case.place(40, 60))
    assert case.pixel(place) is None
    case.picking.enable()
    case.picking.enable()
    assert case.pixel(place) is not None and case.crosshair.GetCrosshairMode() == case.crosshair.ShowSmallBasic
    mark = case.mark()
    case.view.picture(tmp_path / "marked.png")
    assert not mark.GetSaveWithScene() and mark.GetHideFromEditors() and ids(case.scene) - before
    case.view.move(place)
    case.picking.disable()
    assert case.pixel(place) is None and ids(case.scene) == before
    assert case.crosshair.GetCrosshairMode() == case.crosshair.NoCrosshair
    assert not case.crosshair.HasObserver(case.crosshair.CursorPositionModifiedEvent)


def test_the_crosshair_stays_out_of_the_clouds_view(panel_session, screen, monkeypatch):
    """Slicer shows it in every 3D view, where the patient's coordinates say."""
    from Testing import scene_views

    monkeypatch.setattr(scene_views, "IN_SPACE", (*scene_views.IN_SPACE, "Crosshair3D"))
    case = Picking(panel_session, screen)
    plain = case.view.picture().astype(int)
    middle = tuple(case.frame.to_view([(55.0, 42.0, 100.0)])[0])
    views.show_place(case.scene, middle)
    assert abs(case.view.picture() - plain).max() > 60
    name = "vtkMRMLCrosshairDisplayableManager3D"
    monkeypatch.setattr(
        type(manager().viewWidget(views.cloud_view(manager().mrmlScene())).threeDView()),
        "displayableManagerByClassName",
        lambda _, wanted: case.view.group.GetDisplayableManagerByClassName(wanted),
    )
    case.layout.show()
    case.layout.show()
    assert abs(case.view.picture() - plain).max() < 5
    case.scene.Clear(0)
    views.show_place(case.scene, middle)
    case.layout.show()
    assert case.view.group.GetDisplayableManagerByClassName(name).GetMRMLScene() is None


def test_the_users_crosshair_stays(panel_session, screen):
    case = Picking(panel_session, screen)
    case.crosshair.SetCrosshairMode(case.crosshair.ShowBasic)
    case.picking.enable()
    assert case.pixel(case.view.screen(case.place(40, 60))) is not None
    case.picking.disable()
    assert case.crosshair.GetCrosshairMode() == case.crosshair.ShowBasic


def test_places_are_looked_up_only_so_often_and_not_while_a_button_is_held(panel_session, screen):
    case = Picking(panel_session, screen)
    case.picking.enable()
    end = np.array(case.view.screen(case.place(40, 60)))
    for step in range(20):
        case.view.move(tuple(end + (20 - step, 0)))
    panel_session.wait(lambda: False, 0.15)
    assert len(case.seen) == 1  # the last one
    case.seen.clear()
    case.view._mouse("LeftButtonPressEvent", end)
    case.view.move(tuple(end + 3))
    panel_session.wait(lambda: False, 0.1)
    assert not case.seen
    case.view._mouse("LeftButtonReleaseEvent", end)
    assert panel_session.wait(lambda: case.seen)


@pytest.mark.parametrize("name, is_moved", [("anisotropic", True), ("sideways", False), ("flipped", True)])
def test_the_mouse_in_a_slice_view_marks_the_cloud(panel_session, screen, name, is_moved):
    case = Picking(panel_session, screen, name, is_moved)
    case.picking.enable()
    case.layout.show_volume(case.volume)
    row, column = 33, 71
    assert case.hover_slice(column + 0.8, row + 0.1) == (row, column, case.image.gray_image()[row, column])
    data = case.mark().GetPolyData()
    assert data.GetPoint(0) == pytest.approx(case.place(row, column), abs=1e-4)
    line = [case.frame.from_view([data.GetPoint(number)])[0] for number in (1, 2)]
    assert np.array(line) == pytest.approx(np.array([(71.5, 33.5, 0), (71.5, 33.5, 255)]), abs=1e-3)
    assert case.mark().GetDisplayNode().GetViewNodeIDs() == case.layout.view_ids
    assert case.hover_slice(5.5, 5.5) is not None and not case.mark().GetDisplayNode().GetVisibility()
    assert case.hover_slice(-2.0, 5.5) is None
    case.crosshair.SetCursorPositionInvalid()
    assert panel_session.wait(lambda: case.left >= 2)


def test_picking_outlives_nodes_and_scenes(panel_session, screen):
    case = Picking(panel_session, screen)
    case.picking.enable()
    place = case.view.screen(case.place(40, 60))
    assert case.pixel(place) is not None
    case.volume.SetAndObserveTransformNodeID(add_bending_transform(case.scene).GetID())
    assert case.pixel(place) is None and not case.mark().GetDisplayNode().GetVisibility()
    case.volume.SetAndObserveTransformNodeID(None)
    case.scene.RemoveNode(case.mark())
    assert case.pixel(place) is not None and case.mark() is not None
    case.view.move(place)
    case.scene.RemoveNode(case.cloud)
    assert case.pixel(place) is None
    case.scene.Clear(0)
    assert case.pixel(place) is None and case.mark() is None
    case.picking.watch(None)
    case.picking.disable()
