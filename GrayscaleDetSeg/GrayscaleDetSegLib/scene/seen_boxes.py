"""The boxes that a method found in slices, as one model node: slabs as thick as their slices, coloured by their scores.

A slice view shows the outlines of the slabs in its slice; a 3D view shows all slabs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.explanations.seen import SeenBox
from .geometry import PixelGrid, moved
from .nodes import folded, show_in

if TYPE_CHECKING:
    from slicer import vtkMRMLModelNode, vtkMRMLScalarVolumeNode, vtkMRMLScene

SCORE = "score"
"""The array of the cells: 0..1; 1 of boxes that somebody drew."""
_CORNERS = np.array([[corner >> axis & 1 for axis in range(3)] for corner in range(8)])
_SIDES = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5))


def add_seen_boxes(
    scene: vtkMRMLScene,
    volume: vtkMRMLScalarVolumeNode,
    grid: PixelGrid,
    boxes: Sequence[SeenBox],
    name: str,
    view_ids: Sequence[str] = (),
) -> vtkMRMLModelNode:
    """Add a model with boxes of slices at their positions in the image, under the image's transform.

    Parameters
    ----------
    grid : PixelGrid
        Grid of the whole image, a ``VoxelGrid``, or of the slice of a radiograph.
    view_ids : sequence of str
        Ids of the views that show it; all views if empty.
    """
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    points, cells = vtk.vtkPoints(), vtk.vtkCellArray()
    scores = []
    for each in boxes:
        ends = np.array([each.box[:3], each.box[3:]])
        if len(grid.shape) == 2:  # z is 0 to 1, and the slice's own plane lies in its middle
            ends[:, 2] -= 0.5
        first = points.GetNumberOfPoints()
        for place in moved(grid.pixel_to_ras, ends[_CORNERS, np.arange(3)]):
            points.InsertNextPoint(*place)
        for side in _SIDES:
            cells.InsertNextCell(4, [first + corner for corner in side])
            scores.append(1.0 if each.score is None else each.score)
    polydata = vtk.vtkPolyData()
    polydata.SetPoints(points)
    polydata.SetPolys(cells)
    array = numpy_to_vtk(np.array(scores, np.float32), deep=True)
    array.SetName(SCORE)
    polydata.GetCellData().SetScalars(array)
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", scene.GenerateUniqueName(name))
    node.SetAndObservePolyData(polydata)
    parent = volume.GetParentTransformNode()
    node.SetAndObserveTransformNodeID(None if parent is None else parent.GetID())
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    with folded(display):
        display.SetRepresentation(display.WireframeRepresentation)
        display.SetActiveScalar(SCORE, vtk.vtkAssignAttribute.CELL_DATA)
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeFileColdToHotRainbow.txt")
        display.SetScalarRangeFlag(display.UseManualScalarRange)
        display.SetScalarRange(0.0, 1.0)
        display.SetScalarVisibility(True)
        display.SetVisibility2D(True)
        display.SetSliceIntersectionThickness(2)
        display.SetLighting(False)
        show_in(display, view_ids)
    return node
