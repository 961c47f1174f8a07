"""The objects of a result as a table node: one row per object, columns with units. Slicer's Tables module can save it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.explanations.thresholds import Thresholds
from ..core.results import AnyObject, AnyResult
from ..core.volumes.result import VolumeResult
from ..core.volumes.rounds import Rounds
from .nodes import folded

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLTableNode

OPEN = "open"
"""Stands for a threshold at gray 0 or 255 in the image's own units: nothing lies beyond it."""


@dataclass(frozen=True)
class Column:
    """One column of the table.

    Parameters
    ----------
    name, unit, text : str
        Header, unit, and description.
    value : callable (object) -> str, int or float
        Returns the cell of an object. A missing number is NaN if `kind` is float, and an empty text if it is str.
    kind : type
        str, int or float. Numbers that may be missing, and should then show an empty cell, are str.
    """

    name: str
    unit: str
    text: str
    value: Callable[[AnyObject], str | int | float]
    kind: type = str


def _explained(value: Callable[[Thresholds], float]) -> Callable[[AnyObject], float]:
    """A number that only objects explained by thresholds have."""
    return lambda item: math.nan if item.thresholds is None else value(item.thresholds)


def _end(end: int) -> Callable[[AnyObject], str]:
    def text(item: AnyObject) -> str:
        if item.thresholds is None:
            return ""
        value = item.thresholds.interval_units[end]
        return OPEN if math.isinf(value) else f"{value:g}"

    return text


_COLUMNS = (
    Column("Object", "", "Name of the object", lambda item: item.name),
    Column("Score", "", "Score of the 2D detector, 0 to 1; 1 for a region drawn by hand",
           lambda item: round(item.score, 4), float),
    Column("Confidence", "", "The IoU to expect by how far the pixels lie from their thresholds, 0 to 1",
           _explained(lambda thresholds: round(thresholds.confidence, 4)), float),
    Column("Bottom", "gray level", "Bottom of the box, 0 to 255; at 0 it is open",
           _explained(lambda thresholds: round(thresholds.interval.bottom, 2)), float),
    Column("Top", "gray level", "Top of the box, 0 to 255; at 255 it is open",
           _explained(lambda thresholds: round(thresholds.interval.top, 2)), float),
    Column("Bottom (image)", "image unit", "Bottom of the box in the image's own units, bone bright", _end(0)),
    Column("Top (image)", "image unit", "Top of the box in the image's own units, bone bright", _end(1)),
    Column("Area", "mm2", "Area at the detector, or in the plane that the image is calibrated for",
           lambda item: "" if item.area_mm2 is None else f"{item.area_mm2:.1f}"),
    Column("Pixels", "px", "Pixels of the object", lambda item: item.pixel_count, int),
    Column("Stability", "", "1 - bottom - top, their shares of the area changed by one gray level; 0 to 1",
           _explained(lambda thresholds: round(thresholds.stability.value, 4)), float),
    Column("Method", "", "The method that made the mask", lambda item: item.method),
)  # fmt: skip
COLUMNS = tuple(column.name for column in _COLUMNS)


def _rounds(item: AnyObject) -> str:
    explanation = item.explanation
    return str(len(explanation.rounds) - 1) if isinstance(explanation, Rounds) else ""


_OF_VOLUMES = (
    _COLUMNS[0],
    Column("Confidence", "", "Mean probability of the voxels by the networks' last round, 0 to 1",
           lambda item: round(item.confidence, 4), float),
    Column("Volume", "mm3", "Content of the object", lambda item: round(item.volume_mm3, 1), float),
    Column("Voxels", "voxels", "Voxels of the object", lambda item: item.pixel_count, int),
    Column("Rounds", "", "Rounds of the fine stage; empty for methods without", _rounds),
    _COLUMNS[-1],
)  # fmt: skip
VOLUME_COLUMNS = tuple(column.name for column in _OF_VOLUMES)


def _columns_of(result: AnyResult) -> tuple[Column, ...]:
    return _OF_VOLUMES if isinstance(result, VolumeResult) else _COLUMNS


def add_table(scene: vtkMRMLScene, result: AnyResult, name: str = "Results") -> vtkMRMLTableNode:
    """Add a table node with the objects of a result to the scene."""
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", scene.GenerateUniqueName(name))
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)
    fill_table(node, result)
    return node


def fill_table(node: vtkMRMLTableNode, result: AnyResult) -> None:
    """Fill a table node with the objects of another result. This emits one event."""
    import vtk

    columns = _columns_of(result)
    kinds = {str: vtk.vtkStringArray, int: vtk.vtkIntArray, float: vtk.vtkDoubleArray}
    with folded(node):
        table = vtk.vtkTable()
        for column in columns:
            array = kinds[column.kind]()
            array.SetName(column.name)
            for item in result.objects:
                array.InsertNextValue(column.value(item))
            table.AddColumn(array)
        node.SetAndObserveTable(table)
        for column in columns:
            node.SetColumnUnitLabel(column.name, column.unit)
            node.SetColumnDescription(column.name, column.text)
            node.SetColumnTitle(column.name, f"{column.name} [{column.unit}]" if column.unit else column.name)


def is_of(node: vtkMRMLTableNode, result: AnyResult) -> bool:
    """Whether a table node has the objects of a result with the same pixel counts; their masks may have been edited
    since.
    """
    rows, names = range(node.GetNumberOfRows()), [column.name for column in _columns_of(result)]
    counted = names.index("Voxels" if isinstance(result, VolumeResult) else "Pixels")
    held = [(node.GetCellText(row, 0), node.GetCellText(row, counted)) for row in rows]
    return held == [(item.name, str(item.pixel_count)) for item in result.objects]
