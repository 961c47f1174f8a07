"""The point cloud of a region as a model node, for a 3D view of its own.

Points between the thresholds have the object's colour, bright; the others are dim and gray. When thresholds move, the
points stay and their colours change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..core import boxes
from ..core.explanations.threshold_map import SMALLEST, ThresholdMap
from ..core.gray import GRAY_MAX
from ..core.radiograph import Radiograph
from .frame import CloudFrame
from .nodes import attribute, folded, set_attribute, show_in

if TYPE_CHECKING:
    from slicer import vtkMRMLModelNode, vtkMRMLScene
    from vtk import vtkPolyData

Roi = tuple[float, float, float, float]

MOST = 40_000
"""Points of a cloud at most."""
GRAY, INSIDE, COLOR = "Gray", "Inside", "Color"
"""Names of the point arrays: gray level 0..255, whether between the thresholds (0 or 1), and the colour shown."""
_DIM, _DARKEST = (28.0, 112.0), 0.55  # gray levels shown outside; share of the colour inside at gray 0
_POINT_SIZE = 2.0


def chosen_pixels(roi: Roi, shape: tuple[int, int], most: int = MOST) -> tuple[np.ndarray, np.ndarray]:
    """Select at most `most` pixels of a region, evenly spaced; the same call selects the same pixels.

    Returns
    -------
    rows, columns : ndarray of int, shapes (n,) and (m,)
        The selected pixels are those at all pairs of a row and a column. All pixels are selected if there are at most
        `most`.
    """
    window = boxes.pixel_slices(roi, shape)
    sizes = [part.stop - part.start for part in window]
    # as far apart along rows as along columns, as far as whole numbers go
    step = max(1.0, (sizes[0] * sizes[1] / most) ** 0.5)
    counts = [max(1, int(size / step)) for size in sizes]
    if counts[0] * counts[1] > most:  # a region one pixel wide
        counts[int(np.argmax(counts))] = most // min(counts)
    rows, columns = (
        part.start + ((np.arange(count) + 0.5) * (size / count)).astype(np.int64)
        for part, size, count in zip(window, sizes, counts)
    )
    return rows, columns


def inside(
    rows: np.ndarray, columns: np.ndarray, gray: np.ndarray, field: ThresholdMap
) -> np.ndarray:
    """Tell which pixels lie in the region of a threshold map and between its thresholds.

    Parameters
    ----------
    rows, columns : ndarray of int, shapes (n,) and (m,)
        The pixels are those at all pairs of a row and a column.
    gray : ndarray of float32, shape (n, m)
        Gray levels of the pixels.
    field : ThresholdMap

    Returns
    -------
    ndarray of bool, shape (n, m)
    """
    found = np.empty(gray.shape, bool)
    for part, (low, high) in field.bands_at(rows + 0.5, columns + 0.5):
        found[part] = (gray[part] >= low) & (gray[part] <= high)
    return found & _in_region(rows, columns, field.roi)


def _in_region(rows: np.ndarray, columns: np.ndarray, roi: Roi) -> np.ndarray:
    """Which of the pixels where `rows` and `columns` cross lie in a region; bool (n, m)."""
    x0, y0, x1, y1 = roi
    down, across = (rows + 0.5 - y0) / max(y1 - y0, SMALLEST), (columns + 0.5 - x0) / max(x1 - x0, SMALLEST)
    return ((down >= 0.0) & (down <= 1.0))[:, None] & ((across >= 0.0) & (across <= 1.0))


def point_colors(gray: np.ndarray, is_inside: np.ndarray, color: Sequence[int]) -> np.ndarray:
    """Compute the colours of points.

    Points inside have the object's colour, darkest at gray 0 and palest at 255; the others are dim and gray.

    Parameters
    ----------
    gray : ndarray of float, shape (...)
        Gray levels 0..255.
    is_inside : ndarray of bool, shape (...)
    color : sequence of 3 int
        Of the object, 0..255.

    Returns
    -------
    ndarray of uint8, shape (..., 3)
    """
    share = np.linspace(0.0, 1.0, 256)[:, None]
    pure = np.asarray(color, float) * (255.0 / max(1, *color))
    bright = pure * (_DARKEST + (1.0 - _DARKEST) * share)
    bright += (255.0 - bright) * (0.5 * share**2)
    dim = np.repeat(_DIM[0] + (_DIM[1] - _DIM[0]) * share, 3, axis=1)
    table = np.concatenate([dim, bright]).round().astype(np.uint8)
    index = np.clip(gray, 0.0, GRAY_MAX).astype(np.uint16)
    index += np.uint16(256) * is_inside
    return table.take(index, axis=0)


def add_cloud(
    scene: vtkMRMLScene,
    radiograph: Radiograph,
    roi: Roi,
    field: ThresholdMap,
    frame: CloudFrame,
    name: str,
    color: Sequence[int],
    view_ids: Sequence[str] = (),
    most: int = MOST,
) -> vtkMRMLModelNode:
    """Add the point cloud of a region to the scene.

    Parameters
    ----------
    roi : tuple of 4 float
        Region that is shown, (x0, y0, x1, y1) in px; usually that of `field`.
    field : ThresholdMap
        The thresholds by which points are bright or dim.
    frame : CloudFrame
    color : sequence of 3 int
        Of the object, 0..255.
    view_ids : sequence of str
        Ids of the views that show it.
    most : int
        Maximum number of points.
    """
    import vtk

    node = scene.AddNewNodeByClass("vtkMRMLModelNode", f"{name} points")
    set_cloud(node, radiograph, roi, field, frame, color, most)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    with folded(display):
        display.SetRepresentation(display.PointsRepresentation)
        display.SetPointSize(_POINT_SIZE)
        display.SetLighting(False)
        display.SetActiveScalar(COLOR, vtk.vtkAssignAttribute.POINT_DATA)
        display.SetScalarRangeFlag(display.UseDirectMapping)
        display.SetScalarVisibility(True)
        display.SetVisibility2D(False)
        show_in(display, view_ids)
    return node


def set_cloud(
    node: vtkMRMLModelNode,
    radiograph: Radiograph,
    roi: Roi,
    field: ThresholdMap,
    frame: CloudFrame,
    color: Sequence[int],
    most: int = MOST,
) -> None:
    """Replace the points of a cloud's node, for a moved region or another object. Parameters as for :func:`add_cloud`.
    """
    rows, columns = chosen_pixels(roi, radiograph.shape, most)
    points = np.empty((len(rows), len(columns), 3), np.float32)
    points[..., 0], points[..., 1] = columns + 0.5, rows[:, None] + 0.5
    points[..., 2] = gray = radiograph.gray_image()[np.ix_(rows, columns)]
    is_inside = inside(rows, columns, gray, field)
    with folded(node):
        set_attribute(node, "frame", frame.dumps())
        set_attribute(node, "color", " ".join(str(int(channel)) for channel in color))
        set_attribute(node, "raster", f"{len(rows)} {len(columns)}")
        node.SetAndObservePolyData(_vertices(frame.to_view(points.reshape(-1, 3))))
        data = node.GetPolyData().GetPointData()
        for array_name, values in (
            (GRAY, gray.ravel()),
            (INSIDE, is_inside.astype(np.uint8).ravel()),
            (COLOR, point_colors(gray, is_inside, color).reshape(-1, 3)),
        ):
            data.AddArray(_array(values, array_name))
        data.SetActiveScalars(COLOR)


class MovingCloud:
    """A cloud during a drag of its object's thresholds. What depends on the points alone is computed once.

    Parameters
    ----------
    node : vtkMRMLModelNode
        The cloud.
    field : ThresholdMap
        The thresholds before the drag.
    """

    def __init__(self, node: vtkMRMLModelNode, field: ThresholdMap) -> None:
        from vtk.util.numpy_support import vtk_to_numpy

        self._node, self._data = node, node.GetPolyData()
        shape = tuple(int(size) for size in attribute(node, "raster").split())
        frame = frame_of(node)
        points = vtk_to_numpy(self._data.GetPoints().GetData()).reshape(*shape, 3)
        columns = frame.from_view(points[0])[:, 0].astype(np.int64)
        rows = frame.from_view(points[:, 0])[:, 1].astype(np.int64)
        self._gray = vtk_to_numpy(self._data.GetPointData().GetArray(GRAY)).reshape(shape)
        self._low, self._high = np.empty((2, *shape), np.float32)
        for part, ends in replace(field, bottom=0.0, top=0.0).bands_at(rows + 0.5, columns + 0.5):
            self._low[part], self._high[part] = ends
        self._is_in_region = _in_region(rows, columns, field.roi)
        self._color = [int(channel) for channel in attribute(node, "color").split()]

    def show(self, field: ThresholdMap) -> int:
        """Show the map after all its bottoms and all its tops were shifted. Returns the number of points between them.
        """
        from vtk.util.numpy_support import vtk_to_numpy

        low, high = field.after_moves(self._low.copy(), self._high.copy())
        is_inside = (self._gray >= low) & (self._gray <= high) & self._is_in_region
        if self._node.GetPolyData() is self._data:  # else it shows another object by now
            data = self._data.GetPointData()
            vtk_to_numpy(data.GetArray(INSIDE))[:] = is_inside.ravel()
            vtk_to_numpy(data.GetArray(COLOR))[:] = point_colors(self._gray, is_inside, self._color).reshape(-1, 3)
            data.GetArray(INSIDE).Modified()
            data.GetArray(COLOR).Modified()
            self._data.Modified()  # of which the node tells those that show it
        return int(np.count_nonzero(is_inside))


def frame_of(node: vtkMRMLModelNode) -> CloudFrame:
    """The frame that a node of the cloud's view was made in; it is stored on the node and saved with the scene."""
    return CloudFrame.loads(attribute(node, "frame"))


def pixel_of_point(node: vtkMRMLModelNode, point_id: int) -> tuple[int, int]:
    """The (row, column) of the pixel that a point of the cloud shows. `point_id` is VTK's id, as pickers return it.

    Raises
    ------
    IndexError
        If there is no such point.
    """
    if not 0 <= point_id < node.GetPolyData().GetNumberOfPoints():
        raise IndexError(f"The cloud has no point {point_id}.")
    x, y, _ = frame_of(node).from_view([node.GetPolyData().GetPoint(point_id)])[0]
    return int(y), int(x)


def place_of_pixel(node: vtkMRMLModelNode, row: int, column: int, gray: float) -> tuple[float, float, float]:
    """The place of a pixel with a gray level in the cloud's view, (x, y, z) in mm. The cloud need not have a point for
    it.
    """
    x, y, z = frame_of(node).to_view([(column + 0.5, row + 0.5, gray)])[0]
    return float(x), float(y), float(z)


def _vertices(places: np.ndarray) -> vtkPolyData:
    """Points in the view (float32 (n, 3)) as a vtkPolyData with a vertex for each, so that cell and point ids agree."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtkIdTypeArray

    count = len(places)
    points, cells, data = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkPolyData()
    points.SetData(_array(places, "Points"))
    ids = np.arange(count + 1, dtype=np.int64)
    cells.SetData(numpy_to_vtkIdTypeArray(ids, deep=True), numpy_to_vtkIdTypeArray(ids[:-1], deep=True))
    data.SetPoints(points)
    data.SetVerts(cells)
    return data


def _array(values: np.ndarray, name: str):
    from vtk.util.numpy_support import numpy_to_vtk

    array = numpy_to_vtk(np.ascontiguousarray(values), deep=True)
    array.SetName(name)
    return array
