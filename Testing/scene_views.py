"""Slicer's own views without its window: displayable managers draw a scene offscreen, and the picture comes back.

The volume's image is drawn by Slicer's slice logic; its window would hand the same image to its own view widget.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from GrayscaleDetSegLib.scene.geometry import moved, numpy_matrix
from GrayscaleDetSegLib.scene.volumes import pixel_to_world

IN_SPACE = ("Camera", "View", "Model", "Markups", "Segmentations3D")
IN_SLICE = ("Markups", "ModelSlice", "Segmentations2D")


def _manager_name(name: str) -> str:
    stem, dimension = (name[:-2], name[-2:]) if name.endswith("D") else (name, "")
    return f"vtkMRML{stem}DisplayableManager{dimension}"


class Application:
    """A scene with what an application adds to it: colours, slice orientations, the logics that views ask for."""

    def __init__(self) -> None:
        import slicer
        import vtk

        self.scene = slicer.vtkMRMLScene()
        self.logic = slicer.vtkSlicerApplicationLogic()
        self.logic.SetMRMLScene(self.scene)
        self.logic.GetColorLogic().SetMRMLScene(self.scene)
        self.logic.GetColorLogic().AddDefaultColorNodes()
        self.logic.SetSliceLogics(vtk.vtkCollection())
        self.logic.SetViewLogics(vtk.vtkCollection())
        self.markups = slicer.vtkSlicerMarkupsLogic()
        self.markups.SetMRMLScene(self.scene)
        self.markups.SetMRMLApplicationLogic(self.logic)
        self.logic.SetModuleLogic("Markups", self.markups)
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        self.views: list[_View] = []

    def close(self) -> None:
        """Take the views down before the scene."""
        for view in self.views:
            view.close()
        self.scene.Clear(True)


class _View:
    def __init__(self, application: Application, size: tuple[int, int]) -> None:
        import slicer
        import vtk

        self.application, self.scene = application, application.scene
        self.renderer, self.window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.window.SetSize(*size)
        self.window.AddRenderer(self.renderer)
        self.interactor = vtk.vtkGenericRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()
        self.group = slicer.vtkMRMLDisplayableManagerGroup()
        self.group.SetRenderer(self.renderer)
        application.views.append(self)

    def _manage(self, factory, names: tuple[str, ...], node) -> None:
        factory.SetMRMLApplicationLogic(self.application.logic)
        for name in map(_manager_name, names):
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.group.Initialize(factory, self.renderer)
        self.group.SetMRMLDisplayableNode(node)
        self.node = node

    def _interact(self, style) -> None:
        """Let Slicer's own style hand the mouse's events to the displayable managers, as in its window."""
        import vtk

        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        style.SetDisplayableManagers(self.group)
        style.SetInteractor(self.interactor)
        self.style = style

    def drag(self, start: tuple[int, int], end: tuple[int, int], steps: int = 5) -> None:
        """Take hold of what is at (row, column) of the picture, and move it with the left button to another place."""
        self.window.Render()
        first, last = np.array(start, float), np.array(end, float)
        self._mouse("MouseMoveEvent", first + (20, 20))
        self._mouse("MouseMoveEvent", first)
        self._mouse("LeftButtonPressEvent", first)
        for share in np.linspace(0.0, 1.0, steps + 1):
            self._mouse("MouseMoveEvent", first + share * (last - first))
        self._mouse("LeftButtonReleaseEvent", last)

    def move(self, place: tuple[float, float]) -> None:
        """Let the mouse come to (row, column) of the picture, no button pressed."""
        self._mouse("MouseMoveEvent", np.array(place, float))

    def click(self, place: tuple[float, float], button: str = "Left") -> None:
        """Come to (row, column) of the picture, press a button and let it go."""
        self.move(place)
        self._mouse(f"{button}ButtonPressEvent", np.array(place, float))
        self._mouse(f"{button}ButtonReleaseEvent", np.array(place, float))

    def _mouse(self, event: str, place: np.ndarray) -> None:
        row, column = (int(round(value)) for value in place)
        self.interactor.SetEventInformation(column, self.window.GetSize()[1] - 1 - row, 0, 0, chr(0), 0, None)
        self.interactor.InvokeEvent(event)

    def picture(self, path: Path | str | None = None) -> np.ndarray:
        """The view as uint8 (rows, columns, 3), and as a PNG file if a path is given."""
        import vtk
        from vtk.util.numpy_support import vtk_to_numpy

        self.window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self.window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        if path is not None:
            writer = vtk.vtkPNGWriter()
            writer.SetInputData(grabber.GetOutput())
            writer.SetFileName(str(path))
            writer.Write()
        columns, rows, _ = grabber.GetOutput().GetDimensions()
        return vtk_to_numpy(grabber.GetOutput().GetPointData().GetScalars()).reshape(rows, columns, -1)[::-1].copy()

    def close(self) -> None:
        self.style.SetInteractor(None)
        self.group.SetMRMLDisplayableNode(None)
        self.window.Finalize()


class SliceView(_View):
    """A slice view on one slice of a volume, turned into its plane, as close to axial as that goes.

    It has a slice logic and a node of its own, or draws what the `logic` of a layout's view shows.
    """

    def __init__(self, application: Application, volume, grid, size=(700, 500), tag: str = "Red", logic=None) -> None:
        import slicer
        import vtk

        super().__init__(application, size)
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self.logic = logic
        if logic is None:
            self.logic = slicer.vtkMRMLSliceLogic()
            self.logic.SetMRMLApplicationLogic(application.logic)
            application.logic.GetSliceLogics().AddItem(self.logic)
            self.logic.SetMRMLScene(self.scene)
            self.logic.AddSliceNode(tag)
        node = self.logic.GetSliceNode()
        self._manage(slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(), IN_SLICE, node)
        self.logic.ResizeSliceNode(*size)
        self.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        node.SetOrientation("Axial")
        node.RotateToVolumePlane(volume)
        self.logic.FitSliceToBackground()
        self._to_world = pixel_to_world(volume, grid)
        rows, columns = grid.shape
        node.JumpSliceByOffsetting(*moved(self._to_world, [(columns / 2, rows / 2, 0.0)])[0])
        mapper, self.actor = vtk.vtkImageMapper(), vtk.vtkActor2D()
        mapper.SetColorWindow(255)
        mapper.SetColorLevel(127.5)
        mapper.SetInputConnection(self.logic.GetImageDataConnection())
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().SetDisplayLocationToBackground()
        # below the managers' renderer, so that what they draw half transparent is laid over it
        below = vtk.vtkRenderer()
        below.AddViewProp(self.actor)
        self.renderer.SetLayer(1)
        self.window.SetNumberOfLayers(2)
        self.window.AddRenderer(below)
        style = slicer.vtkMRMLSliceViewInteractorStyle()
        style.SetSliceLogic(self.logic)
        self._interact(style)

    def screen(self, x: float, y: float) -> tuple[int, int]:
        """(row, column) of the picture at a place in px of the volume's slice."""
        to_screen = np.linalg.inv(numpy_matrix(self.node.GetXYToRAS()))
        column, up, _ = moved(to_screen, moved(self._to_world, [(x, y, 0.0)]))[0]
        return int(self.window.GetSize()[1] - 1 - round(up)), int(round(column))


class SpaceView(_View):
    """A 3D view; `tag` names it as a layout would."""

    def __init__(self, application: Application, tag: str = "PointCloud", size=(700, 560)) -> None:
        import slicer

        super().__init__(application, size)
        self.logic = slicer.vtkMRMLViewLogic()
        self.logic.SetMRMLApplicationLogic(application.logic)
        application.logic.GetViewLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(self.scene)
        node = self.logic.AddViewNode(tag)
        self._manage(slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(), IN_SPACE, node)
        self._interact(slicer.vtkMRMLThreeDViewInteractorStyle())

    @property
    def camera(self):
        """The camera node of the view."""
        return self.group.GetDisplayableManagerByClassName("vtkMRMLCameraDisplayableManager").GetCameraNode()

    def screen(self, position) -> tuple[int, int]:
        """(row, column) of the picture at a place in the view's coordinates."""
        self.renderer.SetWorldPoint(*position, 1.0)
        self.renderer.WorldToDisplay()
        column, up, _ = self.renderer.GetDisplayPoint()
        return int(self.window.GetSize()[1] - 1 - round(up)), int(round(column))
