"""The results as a table node: one row per object, columns with units, as Slicer's Tables module shows and saves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.result import SegmentationResult
from .nodes import folded

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLTableNode

OPEN = "open"
"""Stands for a threshold at gray 0 or 255 in the image's own units: nothing lies beyond it."""

# column, unit, what it says
_COLUMNS = (
    ("Object", "", "Name of the object"),
    ("Score", "", "Score of the 2D detector, 0 to 1; 1 for a region drawn by hand"),
    ("Confidence", "", "The IoU to expect by how far the pixels lie from their thresholds, 0 to 1"),
    ("Bottom", "gray level", "Bottom of the box, 0 to 255; at 0 it is open"),
    ("Top", "gray level", "Top of the box, 0 to 255; at 255 it is open"),
    ("Bottom (image)", "image unit", "Bottom of the box in the image's own units, bone bright"),
    ("Top (image)", "image unit", "Top of the box in the image's own units, bone bright"),
    ("Area", "mm2", "Area at the detector, or in the plane that the image is calibrated for"),
    ("Pixels", "px", "Pixels of the object"),
    ("Stability", "", "1 - bottom - top, their shares of the area changed by one gray level; 0 to 1"),
    ("Method", "", "What made the mask: threshold surfaces or the single box"),
)
COLUMNS = tuple(name for name, _, _ in _COLUMNS)


def add_table(scene: vtkMRMLScene, result: SegmentationResult, name: str = "Results") -> vtkMRMLTableNode:
    """Add a table node with the objects of a result to the scene."""
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", scene.GenerateUniqueName(name))
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)
    fill_table(node, result)
    return node


def fill_table(node: vtkMRMLTableNode, result: SegmentationResult) -> None:
    """Let a table node show the objects of another result; one event."""
    import vtk

    rows = [_row(item) for item in result.objects]
    with folded(node):
        table = vtk.vtkTable()
        for number, (name, _, _) in enumerate(_COLUMNS):
            kind = vtk.vtkStringArray if name in _TEXT else vtk.vtkIntArray if name == "Pixels" else vtk.vtkDoubleArray
            column = kind()
            column.SetName(name)
            for row in rows:
                column.InsertNextValue(row[number])
            table.AddColumn(column)
        node.SetAndObserveTable(table)
        for name, unit, text in _COLUMNS:
            node.SetColumnUnitLabel(name, unit)
            node.SetColumnDescription(name, text)
            node.SetColumnTitle(name, f"{name} [{unit}]" if unit else name)


def is_of(node: vtkMRMLTableNode, result: SegmentationResult) -> bool:
    """Whether a table node has the objects of a result, with as many pixels; they may have been edited since."""
    rows = range(node.GetNumberOfRows())
    held = [(node.GetCellText(row, 0), node.GetCellText(row, COLUMNS.index("Pixels"))) for row in rows]
    return held == [(item.name, str(item.pixel_count)) for item in result.objects]


# texts where a number can be missing, which a column of numbers cannot say
_TEXT = {"Object", "Method", "Bottom (image)", "Top (image)", "Area"}


def _row(item) -> list:
    bottom, top = item.interval
    units = [OPEN if abs(value) == float("inf") else f"{value:g}" for value in item.interval_units]
    return [
        item.name,
        round(item.roi_score, 4),
        round(item.confidence, 4),
        round(bottom, 2),
        round(top, 2),
        *units,
        "" if item.area_mm2 is None else f"{item.area_mm2:.1f}",
        item.pixel_count,
        round(item.stability.value, 4),
        item.method,
    ]
