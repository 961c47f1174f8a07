"""The stand-ins' session with views that are drawn: Slicer's displayable managers, offscreen."""

from __future__ import annotations

import pytest


def manager():
    """The session's layout manager."""
    import slicer

    return slicer.app.layoutManager()


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
