"""Linked picking: the pixel under the mouse in the cloud is shown in the slice views, and vice versa."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import qt
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from ..core.errors import RadiographError
from ..core.gray import GRAY_MAX
from ..core.gray_image import GrayImage
from ..scene import cloud, views, volumes
from ..scene.geometry import moved, numpy_matrix
from ..scene.nodes import remove, show_in
from .layout import cloud_widget

if TYPE_CHECKING:
    from slicer import vtkMRMLModelNode, vtkMRMLVolumeNode

INTERVAL = 30
"""Places are looked up at most this often, in ms."""
_NEAR, _FAR = 2.0, 8.0  # px of the screen: what is drawn under the pointer; what it may mean
_FIRST = 100.0  # priority of our observers: before Slicer's own, which keep some events for themselves
_BUTTONS = ("LeftButton", "MiddleButton", "RightButton")
_MARK_COLOR = (1.0, 0.8, 0.1)  # of Slicer's crosshair
_MARK_SIZE, _MARK_LINE = 9.0, 1.5


def point_under(places: np.ndarray, to_screen: np.ndarray, size: tuple[int, int], x: float, y: float) -> int | None:
    """Find the point of a view under a position on the screen.

    If several points are drawn there, it is the front one; if none is, the nearest one within a few px.

    Parameters
    ----------
    places : ndarray, shape (n, 3)
        Coordinates of the points in the view, in mm.
    to_screen : ndarray, shape (4, 4)
        Projection of the camera, to -1..1 in all directions.
    size : tuple of 2 int
        (width, height) of the view in px.
    x, y : float
        Position in px from the lower left corner, as interactors give it.

    Returns
    -------
    int or None
        Index of the point.
    """
    matrix = to_screen.astype(places.dtype)
    projected = places @ matrix[:, :3].T + matrix[:, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        across, up, depth = (projected[:, axis] / projected[:, 3] for axis in range(3))
        away = np.hypot((across + 1.0) * (size[0] / 2.0) - x, (up + 1.0) * (size[1] / 2.0) - y)
    away[~((projected[:, 3] > 0.0) & (np.abs(depth) <= 1.0))] = np.inf  # behind the viewer, or cut off
    near = np.flatnonzero(away <= _NEAR)
    if near.size:
        return int(near[np.argmin(depth[near])])
    nearest = int(np.argmin(away)) if away.size else -1
    return nearest if nearest >= 0 and away[nearest] <= _FAR else None


class LinkedPicking:
    """Follows the mouse while it is enabled.

    In the cloud's view it finds the point under the mouse, at rest or at a click, marks it, and moves Slicer's
    crosshair to its pixel; the slice views follow the crosshair. In a slice view it marks the position of the pixel in
    the cloud. While a button is pressed, the mouse turns the view or drags thresholds, and nothing is picked.

    Parameters
    ----------
    on_pixel : callable
        Called from a timer with (row, column, gray level 0..255) of the pixel under the mouse.
    on_left : callable, optional
        Called when the mouse has left the views.
    """

    def __init__(self, on_pixel: Callable[[int, int, float], None], on_left: Callable[[], None] | None = None) -> None:
        self._on_pixel, self._on_left = on_pixel, on_left
        self._cloud: Any = None
        self._volume: Any = None
        self._mark: Any = None
        self._index: int | None = None
        self._gray: Any = None
        self._tags: list[tuple[Any, int]] = []
        self._held: set[str] = set()
        self._pending: Callable[[], None] | None = None
        self._had_no_crosshair = False
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(INTERVAL)
        self._timer.connect("timeout()", self._look)

    @property
    def enabled(self) -> bool:
        """Whether picking is enabled."""
        return bool(self._tags)

    def watch(
        self,
        node: vtkMRMLModelNode | None,
        volume: vtkMRMLVolumeNode | None = None,
        slice_index: int | None = None,
        gray: np.ndarray | GrayImage | None = None,
    ) -> None:
        """Set the cloud and its image; with None nothing can be picked.

        Parameters
        ----------
        node : vtkMRMLModelNode or None
            The cloud.
        volume : vtkMRMLVolumeNode
        slice_index : int, optional
            Not needed if there is one slice.
        gray : ndarray of float or GrayImage, shape (rows, columns)
            ``Radiograph.gray_image()``.
        """
        self._cloud, self._volume, self._index, self._gray = node, volume, slice_index, gray
        self._pending = None
        self._hide_mark()

    def enable(self) -> None:
        """Follow the mouse in the present views. Does nothing without a main window or without the module's layout."""
        self.disable()
        scene, widget = slicer.mrmlScene, cloud_widget()
        if widget is None:
            return
        interactor = self._interactor = widget.threeDView().interactor()
        self._observe(interactor, "MouseMoveEvent", self._on_move)
        self._observe(interactor, "EnterEvent", self._held.clear)
        for button in _BUTTONS:
            self._observe(interactor, f"{button}PressEvent", partial(self._held.add, button))
            self._observe(interactor, f"{button}ReleaseEvent", partial(self._on_release, button))
        crosshair = self._crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is not None:
            self._had_no_crosshair = crosshair.GetCrosshairMode() == crosshair.NoCrosshair
            self._observe(crosshair, crosshair.CursorPositionModifiedEvent, self._on_cursor)

    def disable(self) -> None:
        """Stop following the mouse, and remove mark and crosshair, unless the user had turned on the crosshair."""
        if not self._tags:
            return
        tags, self._tags = self._tags, []
        for item, tag in tags:
            item.RemoveObserver(tag)
        self._timer.stop()
        self._pending = None
        self._held.clear()
        mark, self._mark = self._mark, None
        remove(slicer.mrmlScene, [mark])
        crosshair = self._crosshair
        if self._had_no_crosshair and crosshair.GetCrosshairMode() == crosshair.ShowSmallBasic:
            crosshair.SetCrosshairMode(crosshair.NoCrosshair)
        self._crosshair = self._interactor = None

    def _observe(self, item, event: str | int, call: Callable[[], object]) -> None:
        self._tags.append((item, item.AddObserver(event, lambda *_: call(), _FIRST)))

    # What observers do: note what is to be looked up, and no more

    def _on_move(self) -> None:
        if not self._held:
            self._later(self._look_at_cloud)

    def _on_release(self, button: str) -> None:
        self._held.discard(button)
        self._on_move()

    def _on_cursor(self) -> None:
        place = [0.0, 0.0, 0.0]
        if self._crosshair.GetCursorPositionXYZ(place) is not None:
            self._later(self._look_at_slice)
        elif not self._crosshair.GetCursorPositionRAS(place):
            self._later(self._look_away)

    def _later(self, look: Callable[[], None]) -> None:
        is_first, self._pending = self._pending is None, look
        if is_first:
            self._timer.start()

    # What the timer does

    def _look(self) -> None:
        look, self._pending = self._pending, None
        if look is None or not self._tags:
            return
        scene = slicer.mrmlScene
        is_here = [node is not None and scene.IsNodePresent(node) for node in (self._cloud, self._volume)]
        if all(is_here) and self._gray is not None and self._cloud.GetPolyData() is not None:
            try:
                look()
            except RadiographError:  # a transform that bends, an image that is gone: there is no place to show
                self._hide_mark()

    def _look_away(self) -> None:
        self._hide_mark()
        if self._on_left is not None:
            self._on_left()

    def _look_at_cloud(self) -> None:
        point = self._point_under_pointer()
        if point is None:
            self._look_away()
            return
        row, column = cloud.pixel_of_point(self._cloud, point)
        if row >= self._gray.shape[0] or column >= self._gray.shape[1]:  # the volume was changed meanwhile
            return
        right, front, up = moved(self._to_world(), [(column + 0.5, row + 0.5, 0.0)])[0].tolist()
        self._show(row, column)
        views.show_place(slicer.mrmlScene, (right, front, up))

    def _look_at_slice(self) -> None:
        place = [0.0, 0.0, 0.0]
        if not self._crosshair.GetCursorPositionRAS(place):
            return
        x, y, z = moved(np.linalg.inv(self._to_world()), [place])[0]
        rows, columns = self._gray.shape
        if 0.0 <= x < columns and 0.0 <= y < rows and abs(z) <= 0.5:
            self._show(int(y), int(x))
        else:
            self._look_away()

    def _to_world(self) -> np.ndarray:
        return volumes.pixel_to_world(self._volume, volumes.grid_of(self._volume, self._index))

    def _point_under_pointer(self) -> int | None:
        display = self._cloud.GetDisplayNode()
        window = self._interactor.GetRenderWindow()
        if window is None or display is None or not display.GetVisibility():
            return None
        renderer = window.GetRenderers().GetFirstRenderer()
        # the projection by the aspect of the whole view, as it is drawn
        matrix = renderer.GetActiveCamera().GetCompositeProjectionTransformMatrix(renderer.GetTiledAspectRatio(), -1, 1)
        places = vtk_to_numpy(self._cloud.GetPolyData().GetPoints().GetData())
        x, y = self._interactor.GetEventPosition()
        return point_under(places, numpy_matrix(matrix), tuple(renderer.GetSize()), x + 0.5, y + 0.5)

    def _show(self, row: int, column: int) -> None:
        gray = float(self._gray[row, column])
        self._show_mark(row, column, gray)
        self._on_pixel(row, column, gray)

    # The mark: a dot where the pixel is in the cloud, on a line along the gray axis

    def _show_mark(self, row: int, column: int, gray: float) -> None:
        place = cloud.place_of_pixel(self._cloud, row, column, gray)
        lower, upper = np.reshape(self._cloud.GetPolyData().GetBounds(), (3, 2))[:2].T
        step = 0.02 * (upper - lower).max()  # between its points there are pixels, too
        if (np.array(place[:2]) < lower - step).any() or (np.array(place[:2]) > upper + step).any():
            self._hide_mark()
            return
        mark = self._mark
        if mark is None or not slicer.mrmlScene.IsNodePresent(mark):
            mark = self._mark = _add_mark()
        show_in(mark.GetDisplayNode(), self._cloud.GetDisplayNode().GetViewNodeIDs() or ())
        points = mark.GetPolyData().GetPoints()
        ends = [cloud.place_of_pixel(self._cloud, row, column, level) for level in (0.0, GRAY_MAX)]
        for number, point in enumerate((place, *ends)):
            points.SetPoint(number, point)
        points.Modified()
        mark.GetPolyData().Modified()
        mark.GetDisplayNode().SetVisibility(True)

    def _hide_mark(self) -> None:
        mark = self._mark
        if mark is not None and mark.GetDisplayNode() is not None:
            mark.GetDisplayNode().SetVisibility(False)


def _add_mark() -> vtkMRMLModelNode:
    """A node that no list shows and no file keeps."""
    scene = slicer.mrmlScene
    points, dot, line, data = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkCellArray(), vtk.vtkPolyData()
    points.SetNumberOfPoints(3)
    for cells, ids in ((dot, (0,)), (line, (1, 2))):
        cells.InsertNextCell(len(ids))
        for number in ids:
            cells.InsertCellPoint(number)
    data.SetPoints(points)
    data.SetVerts(dot)
    data.SetLines(line)
    nodes = [slicer.vtkMRMLModelDisplayNode(), slicer.vtkMRMLModelNode()]
    for node in nodes:
        node.SetName("Pixel under the pointer")
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        node.SetSelectable(False)
    display, mark = nodes
    display.SetColor(*_MARK_COLOR)
    display.SetLighting(False)
    display.SetPointSize(_MARK_SIZE)
    display.SetLineWidth(_MARK_LINE)
    display.SetVisibility2D(False)
    display.SetVisibility(False)
    mark.SetAndObservePolyData(data)
    scene.AddNode(display)
    scene.AddNode(mark)
    mark.SetAndObserveDisplayNodeID(display.GetID())
    return mark
