"""The names in a scene that may identify patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .hierarchy import hierarchy_of

if TYPE_CHECKING:
    from slicer import vtkMRMLScene

_NODES = ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLTableNode")
_ATTRIBUTES = ("DICOM.PatientName", "DICOM.PatientID", "DICOM.PatientBirthDate")


def names_in(scene: vtkMRMLScene) -> set[str]:
    """The names of images, of nodes that were made from them, and of patients and studies in the subject hierarchy."""
    names = set()
    for kind in _NODES:
        for number in range(scene.GetNumberOfNodesByClass(kind)):
            names.add(scene.GetNthNodeByClass(number, kind).GetName())
    hierarchy = hierarchy_of(scene)
    if hierarchy is not None:
        import vtk

        items = vtk.vtkIdList()
        hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
        for number in range(items.GetNumberOfIds()):
            item = items.GetId(number)
            if hierarchy.GetItemLevel(item) in ("Patient", "Study"):
                names.add(hierarchy.GetItemName(item))
            names.update(hierarchy.GetItemAttribute(item, name) for name in _ATTRIBUTES)
    return {name for name in names if name}
