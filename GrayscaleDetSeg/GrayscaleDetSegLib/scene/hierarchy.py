"""Subject hierarchy: a result lies beside its volume, what shows its thresholds in a folder beside both.

Slicer's window makes an item for every node by itself; a scene without subject hierarchy is left without.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScene, vtkMRMLSubjectHierarchyNode

_FOLDER = "GrayscaleDetSeg"


def hierarchy_of(scene: vtkMRMLScene) -> vtkMRMLSubjectHierarchyNode | None:
    """The subject hierarchy of a scene if it has one; asking Slicer's own function would make one."""
    return scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")


def place_beside(scene: vtkMRMLScene, volume: vtkMRMLNode, nodes: Iterable[vtkMRMLNode]) -> None:
    """Place nodes under the study, the folder or the patient that a volume lies under."""
    hierarchy = hierarchy_of(scene)
    if hierarchy is not None:
        parent = _parent_of(hierarchy, volume)
        for node in nodes:
            hierarchy.CreateItem(parent, node)  # or moves the item that is there


def place_in_folder(scene: vtkMRMLScene, volume: vtkMRMLNode, name: str, nodes: Iterable[vtkMRMLNode]) -> None:
    """Place nodes in a closed folder called `name` beside a volume; the folder of that name is made if need be."""
    hierarchy = hierarchy_of(scene)
    if hierarchy is None:
        return
    parent = _parent_of(hierarchy, volume)
    folder = hierarchy.GetItemChildWithName(parent, name)
    if not folder or not hierarchy.HasItemAttribute(folder, _FOLDER):
        folder = hierarchy.CreateFolderItem(parent, name)
        hierarchy.SetItemAttribute(folder, _FOLDER, "1")
        hierarchy.SetItemExpanded(folder, False)
    for node in nodes:
        hierarchy.CreateItem(folder, node)


def forget(scene: vtkMRMLScene, nodes: Iterable[vtkMRMLNode]) -> None:
    """Take away the items of nodes that are about to be removed, and folders of ours that this leaves empty."""
    hierarchy = hierarchy_of(scene)
    if hierarchy is None:
        return
    parents = set()
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node)
        if item:
            parents.add(hierarchy.GetItemParent(item))
            hierarchy.RemoveItem(item, False, False)
    for parent in parents:
        if hierarchy.HasItemAttribute(parent, _FOLDER) and not hierarchy.GetNumberOfItemChildren(parent):
            hierarchy.RemoveItem(parent)


def _parent_of(hierarchy: vtkMRMLSubjectHierarchyNode, volume: vtkMRMLNode) -> int:
    item = hierarchy.GetItemByDataNode(volume)
    return hierarchy.GetItemParent(item) if item else hierarchy.GetSceneItemID()
