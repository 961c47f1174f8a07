"""The place of nodes in the subject hierarchy: a result beside its volume, the nodes of its thresholds in a folder
there.

Slicer's window creates an item for every node. A scene without a subject hierarchy does not get one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScene, vtkMRMLSubjectHierarchyNode

_FOLDER = "GrayscaleDetSeg"


def hierarchy_of(scene: vtkMRMLScene) -> vtkMRMLSubjectHierarchyNode | None:
    """The subject hierarchy of a scene, or None. Slicer's own function would create one."""
    return scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")


def place_beside(scene: vtkMRMLScene, volume: vtkMRMLNode, nodes: Iterable[vtkMRMLNode]) -> None:
    """Place the items of nodes under the same study, folder or patient as the item of a volume."""
    hierarchy = hierarchy_of(scene)
    if hierarchy is not None:
        parent = _parent_of(hierarchy, volume)
        for node in nodes:
            hierarchy.CreateItem(parent, node)  # or moves the item that is there


def place_in_folder(scene: vtkMRMLScene, volume: vtkMRMLNode, name: str, nodes: Iterable[vtkMRMLNode]) -> None:
    """Place the items of nodes in a collapsed folder called `name` beside a volume; the folder is created if it is
    missing.
    """
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
    """Remove the items of nodes that will be removed, and folders of this software that become empty by it."""
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
