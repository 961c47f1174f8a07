"""The two threshold surfaces of an object as model nodes in the cloud's view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.explanations.threshold_map import ThresholdMap
from ..core.gray import GRAY_MAX
from .frame import CloudFrame
from .nodes import attribute, folded, set_attribute, show_in

if TYPE_CHECKING:
    from slicer import vtkMRMLModelNode, vtkMRMLScene
    from vtk import vtkPolyData

BOTTOM_COLOR, TOP_COLOR = (0.35, 0.65, 1.0), (1.0, 0.75, 0.3)
_OPACITY = 0.35


def surface_mesh(field: ThresholdMap) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The surfaces as meshes with four facets per cell, which follow the interpolation between the cells' centres.

    Where the bottom would be above the top, both are set to their mean, so that the surfaces meet. Facets inside closed
    cells are omitted.

    Returns
    -------
    low, high : ndarray of float32, shape (n, 3)
        Points (x, y, gray) in px and gray levels; open ends are at 0 and 255.
    facets : ndarray of int64, shape (m, 4)
        Point indices of the corners, the same for both surfaces.
    """
    rows, columns = field.shape
    x, y = _places(field)
    low, high, is_closed = _heights(*field.at(x, y))
    points = [np.stack([x, y, gray], axis=-1).reshape(-1, 3).astype(np.float32) for gray in (low, high)]
    first = np.arange(2 * rows)[:, None] * (2 * columns + 1) + np.arange(2 * columns)
    facets = np.stack([first, first + 1, first + 2 * columns + 2, first + 2 * columns + 1], axis=-1).reshape(-1, 4)
    return points[0], points[1], facets[~is_closed.ravel()[facets].all(axis=1)].astype(np.int64)


def _places(field: ThresholdMap) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the corners of a field's cells and of the points between them, in px."""
    (x0, y0, x1, y1), (rows, columns) = field.roi, field.shape
    y, x = np.meshgrid(np.linspace(y0, y1, 2 * rows + 1), np.linspace(x0, x1, 2 * columns + 1), indexing="ij")
    return x, y


def _heights(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gray levels that two surfaces are drawn at, and where they are closed."""
    low, high = np.clip(low, 0.0, GRAY_MAX), np.clip(high, 0.0, GRAY_MAX)
    is_closed = low > high
    middle = (low + high) / 2.0
    return np.where(is_closed, middle, low), np.where(is_closed, middle, high), is_closed


class MovingSurfaces:
    """The two surfaces of an object during a drag of its thresholds: points are moved in place, and no mesh is created.

    The facets therefore do not change where the surfaces close or open; call :func:`set_surfaces` at the end of the
    drag.

    Parameters
    ----------
    nodes : sequence of 2 vtkMRMLModelNode
        They show `field`.
    field : ThresholdMap
        The thresholds before the drag.
    """

    def __init__(self, nodes: Sequence[vtkMRMLModelNode], field: ThresholdMap) -> None:
        self._nodes, self._level = nodes, CloudFrame.loads(attribute(nodes[0], "frame")).level
        self._unmoved = replace(field, bottom=0.0, top=0.0).at(*_places(field))

    def show(self, field: ThresholdMap) -> None:
        """Show the map after all its bottoms and all its tops were shifted. Does nothing if the nodes have other meshes
        now.
        """
        from vtk.util.numpy_support import vtk_to_numpy

        low, high, _is_closed = _heights(*field.after_moves(*(values.copy() for values in self._unmoved)))
        for node, gray in zip(self._nodes, (low, high)):
            data = node.GetPolyData()
            if data is not None and data.GetNumberOfPoints() == gray.size:
                vtk_to_numpy(data.GetPoints().GetData())[:, 2] = gray.ravel() * np.float32(self._level)
                _tell(data)


def add_surfaces(
    scene: vtkMRMLScene, frame: CloudFrame, field: ThresholdMap, name: str, view_ids: Sequence[str] = ()
) -> tuple[vtkMRMLModelNode, vtkMRMLModelNode]:
    """Add the bottom and the top of a threshold map to the scene, half transparent.

    Parameters
    ----------
    view_ids : sequence of str
        Ids of the views that show them.
    """
    nodes = tuple(scene.AddNewNodeByClass("vtkMRMLModelNode", f"{name} {end}") for end in ("bottoms", "tops"))
    for node in nodes:
        set_attribute(node, "frame", frame.dumps())
        node.SetSelectable(False)  # pickers should find the points behind
    set_surfaces(nodes, field)
    for node, color in zip(nodes, (BOTTOM_COLOR, TOP_COLOR)):
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        with folded(display):
            display.SetColor(*color)
            display.SetOpacity(_OPACITY)
            display.SetBackfaceCulling(False)
            display.SetScalarVisibility(False)
            display.SetVisibility2D(False)
            show_in(display, view_ids)
    return nodes


def set_surfaces(
    nodes: Sequence[vtkMRMLModelNode], field: ThresholdMap, frame: CloudFrame | None = None
) -> None:
    """Show another threshold map, or the same one after its thresholds moved.

    Parameters
    ----------
    nodes : sequence of 2 vtkMRMLModelNode
    field : ThresholdMap
    frame : CloudFrame, optional
        The frame, if it is another one than that of the nodes.
    """
    low, high, facets = surface_mesh(field)
    for node, points in zip(nodes, (low, high)):
        with folded(node):
            if frame is not None:
                set_attribute(node, "frame", frame.dumps())
            places = CloudFrame.loads(attribute(node, "frame")).to_view(points)
            if not _move(node.GetPolyData(), places, facets):
                node.SetAndObservePolyData(_mesh(places, facets))


def _move(data: vtkPolyData | None, places: np.ndarray, facets: np.ndarray) -> bool:
    """Move the points of a mesh, which is faster than another mesh; False if its points or facets are others."""
    from vtk.util.numpy_support import vtk_to_numpy

    if data is None or data.GetNumberOfPoints() != len(places) or data.GetNumberOfPolys() != len(facets):
        return False
    corners = vtk_to_numpy(data.GetPolys().GetConnectivityArray())
    held = vtk_to_numpy(data.GetPoints().GetData())
    if held.dtype != places.dtype or not np.array_equal(corners, facets.ravel()):
        return False
    held[:] = places
    _tell(data)
    return True


def _tell(data: vtkPolyData) -> None:
    """The points of a mesh were moved."""
    data.GetPoints().GetData().Modified()
    data.GetPoints().Modified()
    data.Modified()  # of which the node tells those that show it


def _mesh(places: np.ndarray, facets: np.ndarray) -> vtkPolyData:
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

    points, cells, data = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkPolyData()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(places), deep=True))
    offsets = np.arange(0, facets.size + 1, 4, dtype=np.int64)
    cells.SetData(numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(facets.ravel(), deep=True))
    data.SetPoints(points)
    data.SetPolys(cells)
    return data
