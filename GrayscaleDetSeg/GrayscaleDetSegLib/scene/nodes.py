"""What all nodes of this software share: names of attributes, references between them, where they show, their end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicer import vtkMRMLDisplayNode, vtkMRMLNode, vtkMRMLScene

_PREFIX = "GrayscaleDetSeg."


def attribute(node: vtkMRMLNode, name: str) -> str | None:
    """An attribute of ours, None where it is not set; it is saved with the scene."""
    return node.GetAttribute(_PREFIX + name)


def set_attribute(node: vtkMRMLNode, name: str, value: str | None) -> None:
    """Set an attribute of ours, or take it away with None."""
    if attribute(node, name) != value:
        node.SetAttribute(_PREFIX + name, value)


def referenced(node: vtkMRMLNode, role: str) -> list[vtkMRMLNode]:
    """The nodes that `node` refers to in a role of ours, in order; those no longer in the scene are left out."""
    full = _PREFIX + role
    nodes = [node.GetNthNodeReference(full, number) for number in range(node.GetNumberOfNodeReferences(full))]
    return [item for item in nodes if item is not None]


def refer(node: vtkMRMLNode, role: str, targets: Iterable[vtkMRMLNode]) -> None:
    """Let `node` refer to `targets`, and in this role to nothing else; the references are saved with the scene."""
    full = _PREFIX + role
    with folded(node):
        node.RemoveNodeReferenceIDs(full)
        for target in targets:
            node.AddNodeReferenceID(full, target.GetID())


@contextmanager
def folded(node: vtkMRMLNode) -> Iterator[None]:
    """One event for all changes made to a node meanwhile."""
    was = node.StartModify()
    try:
        yield
    finally:
        node.EndModify(was)


def show_in(display: vtkMRMLDisplayNode, view_ids: Sequence[str]) -> None:
    """Show something in these views alone (ids of view nodes); in all views where there are none."""
    if list(display.GetViewNodeIDs() or ()) != list(view_ids):
        display.SetViewNodeIDs(list(view_ids))


def color_of(rgb: Sequence[int]) -> tuple[float, float, float]:
    """A colour 0..255 as Slicer has it, 0..1."""
    red, green, blue = (channel / 255.0 for channel in rgb)
    return red, green, blue


def remove(scene: vtkMRMLScene, nodes: Iterable[vtkMRMLNode | None]) -> None:
    """Remove nodes from the scene, and with each what only it needs: how it is shown and where it is stored.

    Nodes that are gone already, or None, are passed over.
    """
    for node in list(nodes):
        if node is None or not scene.IsNodePresent(node):
            continue
        helpers = []
        if node.IsA("vtkMRMLDisplayableNode"):
            helpers += [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]
        if node.IsA("vtkMRMLStorableNode"):
            helpers += [node.GetNthStorageNode(number) for number in range(node.GetNumberOfStorageNodes())]
        scene.RemoveNode(node)
        for helper in helpers:
            if helper is not None and scene.IsNodePresent(helper):
                scene.RemoveNode(helper)
