"""Functions for all nodes of this software: attributes, references, views, events, removal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicer import vtkMRMLDisplayNode, vtkMRMLNode, vtkMRMLScene

_PREFIX = "GrayscaleDetSeg."


def attribute(node: vtkMRMLNode, name: str) -> str | None:
    """The value of an attribute of this software, or None if it is not set. Attributes are saved with the scene."""
    return node.GetAttribute(_PREFIX + name)


def set_attribute(node: vtkMRMLNode, name: str, value: str | None) -> None:
    """Set an attribute of this software; None removes it."""
    if attribute(node, name) != value:
        node.SetAttribute(_PREFIX + name, value)


def referenced(node: vtkMRMLNode, role: str) -> list[vtkMRMLNode]:
    """The nodes that `node` refers to in a role of this software, in order; nodes that left the scene are omitted."""
    full = _PREFIX + role
    nodes = [node.GetNthNodeReference(full, number) for number in range(node.GetNumberOfNodeReferences(full))]
    return [item for item in nodes if item is not None]


def refer(node: vtkMRMLNode, role: str, targets: Iterable[vtkMRMLNode]) -> None:
    """Make `node` refer to exactly `targets` in this role. References are saved with the scene."""
    full = _PREFIX + role
    with folded(node):
        node.RemoveNodeReferenceIDs(full)
        for target in targets:
            node.AddNodeReferenceID(full, target.GetID())


@contextmanager
def folded(node: vtkMRMLNode) -> Iterator[None]:
    """Combine all changes of a node inside the context into one event."""
    was = node.StartModify()
    try:
        yield
    finally:
        node.EndModify(was)


def show_in(display: vtkMRMLDisplayNode, view_ids: Sequence[str]) -> None:
    """Show a display node in the views with these ids only; in all views if there are no ids."""
    if list(display.GetViewNodeIDs() or ()) != list(view_ids):
        display.SetViewNodeIDs(list(view_ids))


def color_of(rgb: Sequence[int]) -> tuple[float, float, float]:
    """Convert a colour from 0..255 to Slicer's 0..1."""
    red, green, blue = (channel / 255.0 for channel in rgb)
    return red, green, blue


def remove(scene: vtkMRMLScene, nodes: Iterable[vtkMRMLNode | None]) -> None:
    """Remove nodes from the scene, together with their display and storage nodes.

    None, and nodes that are no longer in the scene, are ignored.
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
