"""Regions drawn by hand: clicks in Slicer's own slice view, drawn offscreen."""

from __future__ import annotations

import numpy as np
import pytest

from GrayscaleDetSegLib.scene import regions, volumes
from Testing import standins
from Testing.fakes import GEOMETRIES, radiograph
from Testing.scene_nodes import add_transform, add_volume, ids

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)


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


@pytest.mark.parametrize("across, orientation", [(0, "Sagittal"), (1, "Coronal"), (2, "Axial")])
def test_a_rectangle_in_a_whole_volume_knows_its_view(panel_session, screen, across, orientation):
    """Slicer's own box is as deep as its shorter side: which axis was not drawn, its size does not say."""
    from GrayscaleDetSegLib.panel.region_work import deep
    from GrayscaleDetSegLib.scene.geometry import WHOLE
    from Testing.scene_views import SliceView

    case = Drawing(panel_session, screen, "plain")
    case.volume = add_volume(case.scene, np.arange(40**3, dtype=np.int16).reshape(40, 40, 40), GEOMETRIES["plain"])
    view = SliceView(screen, case.volume, volumes.grid_of(case.volume, 20), tag=f"Whole{across}")
    view.node.SetOrientation(orientation)
    view.logic.FitSliceToBackground()
    view.window.Render()
    case.grid, case.before = volumes.grid_of(case.volume, WHOLE), ids(case.scene)
    case.start()
    view.click((150, 200))
    view.move((180, 250))
    view.click((220, 450))  # far wider than high
    assert case.wait() and not case.cancelled and case.drawing.across == across
    roi = regions.region_of(case.drawn[0], case.volume, case.grid)
    sides = np.array(roi[3:]) - roi[:3]
    assert sides[across] == pytest.approx(1.0, abs=0.02) and np.delete(sides, across).min() > 4.0
    boxed = deep(roi, (1.0, 1.0, 1.0), (40, 40, 40), case.drawing.across)
    assert boxed[across + 3] - boxed[across] == pytest.approx(np.delete(sides, across).mean(), abs=0.05)


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
