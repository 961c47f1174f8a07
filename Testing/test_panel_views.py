"""The panel's layout: it comes and goes, shows an image in its own plane, and outlives scenes."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.scene import views, volumes
from GrayscaleDetSegLib.scene.frame import CloudFrame
from GrayscaleDetSegLib.scene.geometry import moved, numpy_matrix
from Testing import standins
from Testing.fakes import GEOMETRIES, radiograph
from Testing.panel_helpers import observers
from Testing.panel_screen import manager
from Testing.scene_nodes import add_bending_transform, add_transform, add_volume, ids

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)

ROI = (20.0, 15.0, 90.0, 70.0)


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
    assert not layout.view.GetBoxVisible() and not layout.view.GetUseDepthPeeling()
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
    camera = manager().viewWidget(views.cloud_view(manager().mrmlScene())).threeDView().cameraNode()
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


def test_both_views_get_the_same_width(layout):
    layout.show()
    description = manager().layoutLogic().GetLayoutNode().GetCurrentLayoutDescription()
    assert description.count('<item splitSize="500">') == description.count("<item") == 2


def test_the_widget_of_the_clouds_view_is_found(layout):
    """By its node: Slicer's layout manager does not know it by the name that the layout gives it."""
    from GrayscaleDetSegLib.panel.layout import cloud_widget

    assert cloud_widget() is None
    layout.show()
    assert cloud_widget().mrmlViewNode() is layout.view and layout.view.GetLayoutName() == "PointCloud"
    assert manager().threeDWidget("PointCloud") is None
    assert manager().threeDWidget(layout.view.GetName()) is cloud_widget()


def test_the_camera_follows_the_shape_of_the_view(layout, panel_session):
    """Nothing is cut off in a narrow view; and the user's own turn of the camera stays."""
    import vtk

    from GrayscaleDetSegLib.panel.layout import cloud_widget

    layout.show()
    view, frame = cloud_widget().threeDView(), CloudFrame.of(radiograph(), ROI)
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetSize(800, 800)
    view.interactor().SetRenderWindow(window)
    alone = observers(view.interactor(), window)
    assert layout.aim(frame, ROI)
    camera, far = view.cameraNode(), []
    corners = [(x, y, gray) for x in ROI[::2] for y in ROI[1::2] for gray in (0.0, 255.0)]

    def reach() -> float:
        """How far the cloud reaches across the view: 1 is its edge."""
        width, height = window.GetSize()
        matrix = camera.GetCamera().GetCompositeProjectionTransformMatrix(width / height, -1, 1)
        places = np.c_[frame.to_view(corners), np.ones(len(corners))] @ numpy_matrix(matrix).T
        return float(np.abs(places[:, :2] / places[:, 3:]).max())

    for width in (800, 300, 1200):
        window.SetSize(width, 800)
        view.interactor().InvokeEvent("ConfigureEvent")
        panel_session.wait(lambda: False, 0.1)
        assert 0.6 < reach() < 1.0, width
        far.append(np.linalg.norm(np.subtract(camera.GetPosition(), camera.GetFocalPoint())))
    assert far[1] > far[0] >= far[2]
    camera.SetPosition(1.0, 2.0, 3.0)
    window.SetSize(300, 800)
    view.interactor().InvokeEvent("ConfigureEvent")
    panel_session.wait(lambda: False, 0.1)
    assert camera.GetPosition() == (1.0, 2.0, 3.0)
    layout.restore()
    assert observers(view.interactor(), window) == alone


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


def test_the_image_fills_its_view_when_that_gets_its_size(layout, panel_session):
    """Slicer keeps the height that is shown: an image that was fitted too early would be cut off at its sides."""
    import slicer

    volume = add_volume(slicer.mrmlScene, np.zeros((580, 480), np.uint16), GEOMETRIES["plain"])
    columns = 480 * volume.GetSpacing()[0]
    layout.show()
    widget = manager().sliceWidget("Red")
    node, interactor = widget.mrmlSliceNode(), widget.sliceView().interactor()

    def resize(width: int, height: int) -> None:
        field = node.GetFieldOfView()
        node.SetDimensions(width, height, 1)
        node.SetFieldOfView(field[1] * width / height, field[1], field[2])  # as Slicer does
        interactor.InvokeEvent("ConfigureEvent")
        panel_session.wait(lambda: False, 0.1)

    resize(800, 600)
    layout.show_volume(volume)
    resize(380, 650)
    assert node.GetFieldOfView()[0] == pytest.approx(columns, rel=0.02), "It is cut off, or small."
    node.SetFieldOfView(19.0, 32.5, 1.0)  # the user zooms
    resize(760, 650)
    assert node.GetFieldOfView()[1] == pytest.approx(32.5)
    layout.restore()
