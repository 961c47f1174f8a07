"""The module's layout: the radiograph in the Red slice view, and beside it the 3D view of the cloud.

Without a main window there is no layout manager, and these functions do nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk

from ..core.errors import RadiographError
from ..scene import views, volumes
from ..scene.frame import CloudFrame
from ..scene.geometry import WHOLE, PixelGrid, between, moved, vtk_matrix
from .cloud_camera import CloudCamera
from .slice_fit import SliceFit

if TYPE_CHECKING:
    from slicer import vtkMRMLSliceNode, vtkMRMLViewNode, vtkMRMLVolumeNode

Roi = tuple[float, float, float, float]

FIRST_ID = 8155
"""Id of the layout, or the next one that is free; saved scenes name it, so it should stay what it is."""
_SLICE_VIEW = "Red"
_DESCRIPTION = f"""<layout type="horizontal" split="true">
 <item splitSize="500"><view class="vtkMRMLSliceNode" singletontag="{_SLICE_VIEW}">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">R</property>
  <property name="viewcolor" action="default">#F34A33</property>
 </view></item>
 <item splitSize="500"><view class="vtkMRMLViewNode" singletontag="{views.CLOUD_TAG}">
  <property name="viewlabel" action="default">P</property>
 </view></item>
</layout>"""
_OVER = 0.45
"""Opacity of what is laid over the image."""
_PRESETS = ("Axial", "Coronal", "Sagittal")
_CROSSHAIR = "vtkMRMLCrosshairDisplayableManager3D"


class CloudLayout:
    """Shows the module's layout while the module is in use, and restores the user's layout."""

    def __init__(self) -> None:
        self._users: int | None = None
        self._camera = CloudCamera()
        self._fit = SliceFit()
        self._under: dict[str, tuple[str | None, float]] = {}
        self._centred: str | None = None

    @staticmethod
    def register() -> int | None:
        """Register the layout with Slicer. Returns its id, or None without a main window.

        Call it when the application has started: a scene that was saved in this layout can then be opened without
        Slicer's warning of an unknown layout.
        """
        manager = slicer.app.layoutManager()
        node = None if manager is None else manager.layoutLogic().GetLayoutNode()
        if node is None:
            return None
        for number in itertools.count(FIRST_ID):
            if node.AddLayoutDescription(number, _DESCRIPTION) or node.GetLayoutDescription(number) == _DESCRIPTION:
                return number
        return None  # never: numbers do not end

    @property
    def shown(self) -> bool:
        """Whether the module's layout is the current one."""
        manager = slicer.app.layoutManager()
        return manager is not None and manager.layout == self.register()

    def show(self) -> None:
        """Switch to the module's layout, remember the user's, and set up the cloud's view.

        It can be called repeatedly, and must be after a scene was closed or loaded, which resets the views.
        """
        number = self.register()
        if number is None:
            return
        manager = slicer.app.layoutManager()
        if manager.layout != number:
            self._users = manager.layout
        manager.setLayout(number)
        # the manager leaves it at that where the number is the same; a scene that was loaded before the layout was
        # known has set the number, and another layout's description
        manager.layoutLogic().GetLayoutNode().SetViewArrangement(number)
        view = self.view
        if view is not None:
            views.dress_view(view)
            self._keep_crosshair_out()

    def restore(self) -> None:
        """Restore the user's layout, unless the user has chosen another one meanwhile."""
        users, self._users = self._users, None
        self._camera.release()
        self._fit.release()
        if not self.shown:
            return
        manager = slicer.app.layoutManager()
        node = manager.layoutLogic().GetLayoutNode()
        if users is None or users == node.SlicerLayoutNone or not node.IsLayoutDescription(users):
            users = node.SlicerLayoutFourUpView  # Slicer's own choice at its first start
        manager.setLayout(users)

    def forget(self) -> None:
        """Forget the nodes of a scene that is being closed: another scene's nodes have the same ids."""
        self._under, self._centred = {}, None

    @property
    def view(self) -> vtkMRMLViewNode | None:
        """The node of the cloud's view; None before the module's layout was shown."""
        return None if slicer.app.layoutManager() is None else views.cloud_view(slicer.mrmlScene)

    @property
    def view_ids(self) -> tuple[str, ...]:
        """The ids of views for nodes of the cloud's view; empty before the module's layout was shown."""
        view = self.view
        return () if view is None else (view.GetID(),)

    @property
    def other_view_ids(self) -> tuple[str, ...]:
        """The ids of all slice and 3D views except the cloud's, for nodes in the patient; empty before the layout was
        shown.
        """
        return () if self.view is None else views.image_view_ids(slicer.mrmlScene)

    def aim(self, frame: CloudFrame, roi: Roi) -> bool:
        """Point the camera at the cloud of a region, (x0, y0, x1, y1) in px. Returns False if there is no camera.

        The camera follows changes of the view's size, unless the user has turned it meanwhile.
        """
        return self._camera.aim(cloud_widget(), frame, roi)

    def show_volume(self, volume: vtkMRMLVolumeNode | None, slice_index: int | None = None, fit: bool = True) -> None:
        """Show a volume in the slice views; the slice view of the module's layout is set to the volume's plane and to
        the slice.

        Parameters
        ----------
        volume : vtkMRMLVolumeNode or None
            Nothing is done for None.
        slice_index : int, optional
            Not needed if there is one slice. With ``geometry.WHOLE``, for a whole volume, the views keep their planes.
        fit : bool
            Whether the slice fills the view, also when the view's size changes; else zoom and pan are kept.
        """
        manager = slicer.app.layoutManager()
        if manager is None or volume is None:
            return
        for composite in _nodes("vtkMRMLSliceCompositeNode"):
            composite.SetBackgroundVolumeID(volume.GetID())
        widget = manager.sliceWidget(_SLICE_VIEW)
        if widget is None:
            return
        node = widget.mrmlSliceNode()
        try:
            grid = None if slice_index == WHOLE else volumes.grid_of(volume, slice_index)
            to_world = between(volume, None)
        except RadiographError:  # told elsewhere; what there is can be looked at nevertheless
            grid = None
        if grid is not None:
            _turn(node, to_world @ grid.ijk_to_ras, grid.axes[2])

        def to_middle() -> None:
            if grid is not None:
                node.JumpSliceByOffsetting(*_middle(grid, to_world))

        if fit and slice_index == WHOLE:
            self._fit.release()
            for name in manager.sliceViewNames():
                manager.sliceWidget(name).sliceLogic().FitSliceToBackground()
        elif fit:
            self._fit.fit(widget, to_middle)
        else:
            to_middle()

    def lay_over(self, layers: Mapping[str, vtkMRMLVolumeNode]) -> None:
        """Show volumes in the foreground of the slice views; without volumes, restore the former foreground.

        Parameters
        ----------
        layers : mapping of str to vtkMRMLVolumeNode
            By the names of slice views, each of which moves to its volume's slice.
        """
        manager = slicer.app.layoutManager()
        views = {} if manager is None else {name: manager.sliceWidget(name) for name in manager.sliceViewNames()}
        for name, (identity, opacity) in self._under.items():
            if name in views:
                composite = views[name].sliceLogic().GetSliceCompositeNode()
                composite.SetForegroundVolumeID(identity)
                composite.SetForegroundOpacity(opacity)
        self._under = {}
        for name, layer in layers.items():
            if name not in views:
                continue
            composite, bounds = views[name].sliceLogic().GetSliceCompositeNode(), [0.0] * 6
            self._under[name] = composite.GetForegroundVolumeID(), composite.GetForegroundOpacity()
            composite.SetForegroundVolumeID(layer.GetID())
            composite.SetForegroundOpacity(_OVER)
            layer.GetRASBounds(bounds)
            middle = [(bounds[2 * axis] + bounds[2 * axis + 1]) / 2.0 for axis in range(3)]
            views[name].mrmlSliceNode().JumpSliceByOffsetting(*middle)

    def centre(self, volume: vtkMRMLVolumeNode) -> None:
        """Centre all 3D views except the cloud's on their content; for another volume, zoom so that it fits.

        For the same volume, the user's own rotation and zoom stay.
        """
        is_new, self._centred = volume.GetID() != self._centred, volume.GetID()
        manager, cloud = slicer.app.layoutManager(), self.view
        for number in range(0 if manager is None else manager.threeDViewCount):
            widget = manager.threeDWidget(number)
            if widget is not None and widget.mrmlViewNode() is not cloud:
                widget.threeDView().resetFocalPoint()
                if is_new:
                    widget.threeDView().resetCamera()

    def _keep_crosshair_out(self) -> None:
        """Slicer draws the crosshair in all 3D views; a place in the patient is nowhere in the cloud's view."""
        widget = cloud_widget()
        manager = None if widget is None else widget.threeDView().displayableManagerByClassName(_CROSSHAIR)
        if manager is not None and manager.GetMRMLScene() is not None:
            manager.SetMRMLScene(None)


def cloud_widget():
    """The qMRMLThreeDWidget of the cloud's view; None without a main window, or before the layout was shown.

    The layout manager finds it by its node or the node's name, but not by the name in the layout.
    """
    manager, view = slicer.app.layoutManager(), None
    if manager is not None:
        view = views.cloud_view(slicer.mrmlScene)
    return None if view is None else manager.viewWidget(view)


def _nodes(kind: str) -> list:
    scene = slicer.mrmlScene
    return [scene.GetNthNodeByClass(number, kind) for number in range(scene.GetNumberOfNodesByClass(kind))]


def _turn(node: vtkMRMLSliceNode, ijk_to_world: np.ndarray, across: int) -> None:
    """Turn a slice view into the plane of a volume's slices, as upright as Slicer shows that plane of the body."""
    normal = ijk_to_world[:3, across]
    known = [name for name in _PRESETS if node.HasSliceOrientationPreset(name)]
    if known:
        along = {name: abs(_column(node.GetSliceOrientationPreset(name), 2) @ normal) for name in known}
        node.SetOrientation(max(known, key=along.__getitem__))
    node.RotateToAxes(vtk_matrix(ijk_to_world), across)


def _column(matrix: vtk.vtkMatrix3x3, column: int) -> np.ndarray:
    """A column of a vtkMatrix3x3, shape (3,)."""
    return np.array([matrix.GetElement(row, column) for row in range(3)])


def _middle(grid: PixelGrid, to_world: np.ndarray) -> tuple[float, float, float]:
    rows, columns = grid.shape
    x, y, z = moved(to_world @ grid.pixel_to_ras, [(columns / 2.0, rows / 2.0, 0.0)])[0]
    return float(x), float(y), float(z)
