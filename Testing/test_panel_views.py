"""Layout, linked picking and drawing of the panel: on the stand-ins, and with Slicer's own views drawn offscreen."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.core.labels import anatomy
from GrayscaleDetSegLib.core.surfaces.field import ThresholdField
from GrayscaleDetSegLib.scene import cloud, regions, views, volumes
from GrayscaleDetSegLib.scene.frame import CloudFrame
from GrayscaleDetSegLib.scene.geometry import moved, numpy_matrix
from Testing import standins
from Testing.fakes import GEOMETRIES, radiograph
from Testing.scene_nodes import add_bending_transform, add_transform, add_volume, ids

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)

ROI = (20.0, 15.0, 90.0, 70.0)
COLOR = anatomy("femur").color


def manager():
    import slicer

    return slicer.app.layoutManager()


# Layout


@pytest.fixture
def layout(panel_session):
    from GrayscaleDetSegLib.panel.layout import CloudLayout

    return CloudLayout()


def test_layout_comes_and_the_users_returns(layout):
    users = manager().layout
    assert layout.view_ids == () and not layout.shown
    layout.show()
    layout.show()
    assert layout.shown and layout.view_ids == ("vtkMRMLViewNodePointCloud",)
    assert not layout.view.GetBoxVisible() and layout.view.GetUseDepthPeeling()
    assert {"vtkMRMLSliceNodeRed", "vtkMRMLViewNode1"} <= set(layout.other_view_ids)
    assert not set(layout.view_ids) & set(layout.other_view_ids)
    layout.restore()
    assert manager().layout == users and not layout.shown
    layout.restore()
    assert manager().layout == users


def test_a_layout_that_the_user_chose_stays(layout):
    layout.show()
    manager().layout = 6
    layout.restore()
    assert manager().layout == 6
    layout.show()
    layout.restore()
    assert manager().layout == 6


def test_an_id_that_is_taken_is_left_alone(layout):
    from GrayscaleDetSegLib.panel import layout as module

    node = manager().layoutLogic().GetLayoutNode()
    node.AddLayoutDescription(module.FIRST_ID, "<layout type='tab'/>")
    assert layout.register() == layout.register() == module.FIRST_ID + 1
    assert node.GetLayoutDescription(module.FIRST_ID) == "<layout type='tab'/>"


@pytest.mark.parametrize("is_shown", [False, True])
def test_layout_after_the_scene_was_closed(layout, is_shown):
    import slicer

    users = manager().layout
    layout.show()
    if not is_shown:
        layout.restore()
    slicer.mrmlScene.Clear(0)
    assert layout.shown == is_shown  # Slicer keeps the layout, and resets the view
    layout.show()
    assert layout.shown and layout.view.GetLayoutLabel() == "P"
    assert not layout.view.GetBoxVisible() and layout.view_ids == ("vtkMRMLViewNodePointCloud",)
    layout.restore()
    assert manager().layout == users


@pytest.mark.parametrize("is_known", [False, True])
def test_a_scene_saved_in_our_layout(layout, is_known, tmp_path):
    """A Slicer that does not know the layout yet takes its number, and another description."""
    import slicer
    import vtk

    scene = slicer.mrmlScene
    layout.show()
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Commit()
    assert "PointCloud" in (tmp_path / "scene.mrml").read_text()
    layout.restore()
    node = manager().layoutLogic().GetLayoutNode()
    if not is_known:
        node.SetLayoutDescription(layout.register(), "")
    vtk.vtkObject.GlobalWarningDisplayOff()
    scene.Clear(0)
    scene.Import()
    vtk.vtkObject.GlobalWarningDisplayOn()
    assert manager().layout >= 100
    fresh = type(layout)()
    fresh.show()
    assert "PointCloud" in node.GetCurrentLayoutDescription() and fresh.shown
    fresh.restore()
    assert manager().layout == node.SlicerLayoutFourUpView


def test_camera_looks_at_the_cloud(layout):
    frame = CloudFrame.of(radiograph(), ROI)
    assert not layout.aim(frame, ROI)
    layout.show()
    assert layout.aim(frame, ROI)
    camera = manager().threeDWidget("PointCloud").threeDView().cameraNode()
    middle = frame.to_view([((ROI[0] + ROI[2]) / 2, (ROI[1] + ROI[3]) / 2, 127.5)])[0]
    assert camera.GetFocalPoint() == pytest.approx(middle) and camera.GetViewAngle() == 30.0


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_slice_view_turns_to_the_image(layout, name, is_moved):
    """Pixels lie in the view's plane, along its edges, and the view has gone to the slice."""
    import slicer

    scene = slicer.mrmlScene
    slices = np.stack([np.array(radiograph().pixels)] * 3)
    volume = add_volume(scene, slices, GEOMETRIES[name])
    if is_moved:
        volume.SetAndObserveTransformNodeID(add_transform(scene).GetID())
    layout.show()
    node = manager().sliceWidget("Red").mrmlSliceNode()
    node.SetDimensions(700, 500, 1)
    for index in (2, 0):
        layout.show_volume(volume, index)
        to_screen = np.linalg.inv(numpy_matrix(node.GetXYToRAS()))
        world = volumes.pixel_to_world(volume, volumes.grid_of(volume, index))
        corners = moved(to_screen, moved(world, [(0, 0, 0), (130, 0, 0), (0, 90, 0)]))
        assert corners[:, 2] == pytest.approx(0.0, abs=1e-3)
        across, down = corners[1] - corners[0], corners[2] - corners[0]
        assert min(abs(across[:2])) < 1e-6 * max(abs(across[:2])) and min(abs(down[:2])) < 1e-6 * max(abs(down[:2]))
        assert (corners[:, 0].min(), corners[:, 1].min()) > (-1, -1) and (corners < (701, 501, 1)).all()
    backgrounds = {logic.GetSliceCompositeNode().GetBackgroundVolumeID() for logic in manager().mrmlSliceLogics()}
    assert backgrounds == {volume.GetID()}


def test_what_cannot_be_shown_does_no_harm(layout):
    import slicer

    layout.show_volume(None)
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    layout.show_volume(empty)
    bent = add_volume(slicer.mrmlScene, np.array(radiograph().pixels))
    bent.SetAndObserveTransformNodeID(add_bending_transform(slicer.mrmlScene).GetID())
    layout.show_volume(bent)
    composite = manager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == bent.GetID()


def test_without_a_main_window():
    with standins.Session(main_window=False):
        import slicer

        from GrayscaleDetSegLib.panel.drawing import RegionDrawing
        from GrayscaleDetSegLib.panel.layout import CloudLayout
        from GrayscaleDetSegLib.panel.picking import LinkedPicking

        before = ids(slicer.mrmlScene)
        layout, picking, drawing = CloudLayout(), LinkedPicking(print), RegionDrawing()
        layout.show()
        layout.show_volume(None)
        layout.restore()
        assert (layout.view_ids, layout.other_view_ids, layout.view) == ((), (), None)
        assert not layout.aim(CloudFrame.of(radiograph(), ROI), ROI)
        picking.enable()
        picking.disable()
        assert not picking.enabled
        drawing.start("region", None, None, print, print)
        drawing.cancel()
        assert not drawing.active and ids(slicer.mrmlScene) == before


# With Slicer's own views


class Screen:
    """The session's application, with views that are drawn."""

    def __init__(self) -> None:
        import slicer
        import vtk

        self.scene, self.logic, self.views = slicer.mrmlScene, slicer.app.applicationLogic(), []
        self.logic.SetViewLogics(vtk.vtkCollection())


@pytest.fixture
def screen(panel_session):
    import vtk

    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    if not window.SupportsOpenGL():
        pytest.skip("this machine cannot draw")
    screen = Screen()
    yield screen
    for view in screen.views:
        view.close()


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
        field = ThresholdField.uniform(ROI, 0, 255)
        self.cloud = cloud.add_cloud(
            self.scene, self.image, ROI, field, self.frame, "femur", COLOR, self.layout.view_ids, most
        )
        views.aim_camera(self.view.camera, self.frame, ROI)
        self.view.window.Render()
        manager().threeDWidget("PointCloud").threeDView()._interactor = self.view.interactor
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
        type(manager().threeDWidget("PointCloud").threeDView()),
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


# Drawing


class Drawing:
    """An image in a drawn slice view, and a region to be drawn by hand."""

    def __init__(self, session, screen, name="turned", is_moved=False) -> None:
        import slicer

        from GrayscaleDetSegLib.panel.drawing import RegionDrawing
        from Testing.scene_views import SliceView

        self.session, self.scene = session, screen.scene
        self.volume = add_volume(self.scene, np.array(radiograph().pixels), GEOMETRIES[name])
        if is_moved:
            self.volume.SetAndObserveTransformNodeID(add_transform(self.scene).GetID())
        self.grid = volumes.grid_of(self.volume)
        self.view = SliceView(screen, self.volume, self.grid, tag="Drawn")
        self.view.window.Render()
        self.interaction = slicer.app.applicationLogic().GetInteractionNode()
        self.selection = slicer.app.applicationLogic().GetSelectionNode()
        self.before, self.drawn, self.cancelled = ids(self.scene), [], 0
        self.drawing = RegionDrawing()

    def start(self):
        self.drawing.start("region 1", self.volume, self.grid, self.drawn.append, self._cancel)

    def _cancel(self):
        self.cancelled += 1

    def click(self, x, y, button="Left"):
        self.view.click(self.view.screen(x, y), button)
        self.view.window.Render()

    def wait(self):
        return self.session.wait(lambda: self.drawn or self.cancelled, 1.0)

    def is_clean(self):
        """Cancelled once, and nothing left behind."""
        is_placing = self.interaction.GetCurrentInteractionMode() == self.interaction.Place
        return (self.cancelled, self.drawn) == (1, []) and ids(self.scene) <= self.before and not (
            is_placing or self.drawing.active or self.drawing._observers
        )


@pytest.mark.parametrize("is_moved", [False, True])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_two_clicks_draw_the_rectangle(panel_session, screen, name, is_moved, tmp_path):
    case = Drawing(panel_session, screen, name, is_moved)
    case.start()
    assert case.interaction.GetCurrentInteractionMode() == case.interaction.Place
    case.click(30.0, 62.0)
    case.view.move(case.view.screen(70.0, 40.0))
    case.view.picture(tmp_path / "drawing.png")
    case.click(95.0, 22.0)
    assert not case.drawn  # not from inside the event
    assert case.wait() and not case.cancelled and not case.drawing.active
    (node,) = case.drawn
    assert regions.region_of(node, case.volume, case.grid) == pytest.approx((30.0, 22.0, 95.0, 62.0), abs=0.5)
    thickness = np.linalg.norm(case.grid.pixel_to_ras[:3, 2])
    assert min(node.GetSize()) == pytest.approx(thickness) or node.GetSize()[2] == pytest.approx(thickness)
    assert node.GetParentTransformNode() is case.volume.GetParentTransformNode()
    assert node.GetDisplayNode().GetHandlesInteractive() and node.GetNumberOfControlPoints() == 1
    assert case.interaction.GetCurrentInteractionMode() == case.interaction.ViewTransform
    assert not case.drawing._observers
    case.view.picture(tmp_path / "drawn.png")


@pytest.mark.parametrize("clicks", [0, 1])
def test_the_right_button_cancels(panel_session, screen, clicks):
    case = Drawing(panel_session, screen)
    case.start()
    if clicks:
        case.click(30.0, 62.0)
        case.view.move(case.view.screen(70.0, 40.0))
    case.click(50.0, 50.0, "Right")
    assert case.wait() and case.is_clean()


def test_a_double_click_draws_nothing(panel_session, screen):
    case = Drawing(panel_session, screen)
    case.start()
    case.click(50.0, 50.0)
    case.click(50.0, 50.0)
    assert case.wait() and case.is_clean()


def test_a_region_beside_the_image_is_none(panel_session, screen):
    case = Drawing(panel_session, screen, "plain")
    case.start()
    case.click(-25.0, 10.0)
    case.click(-5.0, 40.0)
    assert case.wait() and case.is_clean()


def test_what_else_ends_the_drawing(panel_session, screen):
    import qt
    import slicer

    ends = {
        "cancel": lambda case: case.drawing.cancel(),
        "mode": lambda case: case.interaction.SwitchToViewTransformMode(),
        "node": lambda case: case.scene.RemoveNode(case.drawing._node),
        "escape": lambda case: slicer.util.mainWindow().findChildren(qt.QShortcut)[-1].activated(),
        "volume": lambda case: (case.scene.RemoveNode(case.volume), case.interaction.SwitchToViewTransformMode()),
        "scene": lambda case: case.scene.Clear(0),
    }
    case = Drawing(panel_session, screen)
    for name, end in ends.items():
        case.cancelled = 0
        case.start()
        if name in ("cancel", "node"):
            case.click(30.0, 62.0)
        end(case)
        assert case.wait() and case.is_clean(), name
    case.drawing.cancel()
    panel_session.process()
    assert case.cancelled == 1


def test_the_users_own_tools_are_left_alone(panel_session, screen):
    """What was being placed before comes back; another tool that takes over keeps its mode."""
    case = Drawing(panel_session, screen)
    own = case.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "mine")
    points = case.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "points")
    case.before = ids(case.scene)
    case.selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsROINode")
    case.selection.SetReferenceActivePlaceNodeID(own.GetID())
    case.interaction.SetPlaceModePersistence(1)
    case.start()
    assert case.interaction.GetPlaceModePersistence() == 0
    case.click(30.0, 62.0)
    case.click(95.0, 22.0)
    assert case.wait() and own.GetNumberOfControlPoints() == 0
    assert (case.selection.GetActivePlaceNodeID(), case.interaction.GetPlaceModePersistence()) == (own.GetID(), 1)
    case.drawn.clear()
    case.before = ids(case.scene)
    case.start()
    case.selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsFiducialNode")
    case.selection.SetReferenceActivePlaceNodeID(points.GetID())
    assert case.wait() and case.cancelled == 1 and ids(case.scene) == case.before
    assert case.interaction.GetCurrentInteractionMode() == case.interaction.Place
    assert case.selection.GetActivePlaceNodeID() == points.GetID()
    case.interaction.SwitchToViewTransformMode()


def test_starting_again_cancels_what_was_begun(panel_session, screen):
    case = Drawing(panel_session, screen)
    case.start()
    case.click(30.0, 62.0)
    case.start()
    assert case.cancelled == 1
    case.click(40.0, 30.0)
    case.click(60.0, 55.0)
    assert case.wait() and panel_session.wait(lambda: case.drawn)
    assert regions.region_of(case.drawn[0], case.volume, case.grid) == pytest.approx((40, 30, 60, 55), abs=0.5)
