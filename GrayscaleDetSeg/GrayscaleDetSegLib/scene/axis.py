"""The gray axis of the cloud's view: a line with ticks, labels in gray levels, and the outline of the region at gray 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.gray import GRAY_MAX
from .frame import CloudFrame
from .nodes import folded, set_attribute, show_in

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLModelNode, vtkMRMLScene

Roi = tuple[float, float, float, float]

LEVELS = (0, 50, 100, 150, 200, 255)
"""Gray levels with a tick and a label."""
TITLE = "gray level"
_TICK, _GAP = 0.03, 0.04  # shares of the region's longer side
_COLOR = (0.85, 0.85, 0.85)


def add_axis(
    scene: vtkMRMLScene, frame: CloudFrame, roi: Roi, name: str, view_ids: Sequence[str] = ()
) -> tuple[vtkMRMLModelNode, vtkMRMLMarkupsFiducialNode]:
    """Add the gray axis of a region, (x0, y0, x1, y1) in px, to the scene.

    Returns
    -------
    lines, labels : vtkMRMLModelNode, vtkMRMLMarkupsFiducialNode
    """
    lines = scene.AddNewNodeByClass("vtkMRMLModelNode", f"{name} gray axis")
    labels = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", f"{name} gray levels")
    for node in (lines, labels):
        node.CreateDefaultDisplayNodes()
        node.SetSelectable(False)  # pickers should find the points behind
    set_axis(lines, labels, frame, roi)
    labels.SetLocked(True)
    display = lines.GetDisplayNode()
    with folded(display):
        display.SetColor(*_COLOR)
        display.SetLighting(False)
        display.SetLineWidth(1)
        display.SetVisibility2D(False)
        show_in(display, view_ids)
    display = labels.GetDisplayNode()
    with folded(display):
        for set_color in (display.SetColor, display.SetSelectedColor, display.SetActiveColor):
            set_color(*_COLOR)
        display.SetGlyphTypeFromString("Sphere3D")
        display.SetGlyphScale(0.01)  # too small to be seen: texts alone
        display.SetTextScale(2.5)
        display.SetPropertiesLabelVisibility(False)
        display.SetPointLabelsVisibility(True)
        display.SetOccludedVisibility(True)
        display.SetOccludedOpacity(1.0)
        display.SetVisibility2D(False)
        show_in(display, view_ids)
    return lines, labels


def set_axis(
    lines: vtkMRMLModelNode, labels: vtkMRMLMarkupsFiducialNode, frame: CloudFrame, roi: Roi
) -> None:
    """Move the axis to another region, (x0, y0, x1, y1) in px, or to another frame."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

    x0, y0, x1, y1 = roi
    longer = max((x1 - x0) * frame.spacing[0], (y1 - y0) * frame.spacing[1])
    tick, gap = longer * _TICK / frame.spacing[0], longer * _GAP / frame.spacing[0]
    # the corner that is in front and to the left in Slicer's default direction
    at = x0 - gap
    segments = [((at, y1, 0.0), (at, y1, GRAY_MAX))]
    segments += [((at - tick, y1, level), (at, y1, level)) for level in LEVELS]
    corners = [(x0, y0, 0.0), (x1, y0, 0.0), (x1, y1, 0.0), (x0, y1, 0.0)]
    segments += list(zip(corners, [*corners[1:], corners[0]]))
    places = frame.to_view(np.asarray(segments, np.float32).reshape(-1, 3))
    points, cells, data = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkPolyData()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(places), deep=True))
    ids = np.arange(len(places) + 1, dtype=np.int64)
    cells.SetData(numpy_to_vtkIdTypeArray(ids[::2].copy(), deep=True), numpy_to_vtkIdTypeArray(ids[:-1], deep=True))
    data.SetPoints(points)
    data.SetLines(cells)
    with folded(lines), folded(labels):
        for node in (lines, labels):
            set_attribute(node, "frame", frame.dumps())
        lines.SetAndObservePolyData(data)
        labels.RemoveAllControlPoints()
        texts = [(level, str(level)) for level in LEVELS]
        for level, text in [*texts, (GRAY_MAX * 1.08, TITLE)]:
            place = frame.to_view([(at - 3.0 * tick, y1, level)])[0]
            number = labels.AddControlPoint(*map(float, place), text)
            labels.SetNthControlPointLocked(number, True)
