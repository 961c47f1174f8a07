"""The rounds in which an iterating method found the objects of a volume, as a table node: one row per round of an
object.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..core.results import AnyResult, objects_of
from ..core.volumes.rounds import Rounds
from .nodes import folded

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLTableNode

COLUMNS = {
    "Object": ("", "Name of the object"),
    "Round": ("", "0 is the first look, or a box given by hand"),
    "DSC": ("", "Agreement with the round before, 0 to 1"),
    "Volume": ("mm3", "Content of what the round found"),
    **{
        f"{axis} {end}": ("voxels", f"The box around that along {along}, from the outer corner of the first voxel")
        for end in ("first", "last")
        for axis, along in (("Column", "columns"), ("Row", "rows"), ("Slice", "slices"))
    },
}
"""Unit and text of each column, by its name."""


def has_rounds(result: AnyResult) -> bool:
    """Whether an object of a result is explained by rounds."""
    return any(isinstance(item.explanation, Rounds) for item in objects_of(result))


def add_rounds(scene: vtkMRMLScene, result: AnyResult, name: str) -> vtkMRMLTableNode:
    """Add a table node with the rounds of a result to the scene."""
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", scene.GenerateUniqueName(name))
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)
    fill_rounds(node, result)
    return node


def fill_rounds(node: vtkMRMLTableNode, result: AnyResult) -> None:
    """Fill a table node with the rounds of another result. This emits one event. Values that a round does not have are
    NaN.
    """
    import vtk

    arrays = [vtk.vtkStringArray(), vtk.vtkIntArray(), *(vtk.vtkDoubleArray() for _ in list(COLUMNS)[2:])]
    for array, name in zip(arrays, COLUMNS):
        array.SetName(name)
    for item in objects_of(result):
        explanation = item.explanation
        for each in explanation.rounds if isinstance(explanation, Rounds) else ():
            similarity = math.nan if each.similarity is None else each.similarity
            box = (math.nan,) * 6 if each.box is None else each.box
            for array, value in zip(arrays, (item.name, each.number, similarity, each.volume_mm3, *box)):
                array.InsertNextValue(value)
    with folded(node):
        table = vtk.vtkTable()
        for array in arrays:
            table.AddColumn(array)
        node.SetAndObserveTable(table)
        for name, (unit, text) in COLUMNS.items():
            node.SetColumnUnitLabel(name, unit)
            node.SetColumnDescription(name, text)
            node.SetColumnTitle(name, f"{name} [{unit}]" if unit else name)
