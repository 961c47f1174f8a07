"""Shows the chosen result and hides the others: the slices of several images occupy the same place in the views."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .nodes import attribute, set_attribute
from .outcome import outcome_of
from .record import kept_document

if TYPE_CHECKING:
    from slicer import vtkMRMLDisplayNode, vtkMRMLScene, vtkMRMLSegmentationNode

_ASIDE = "aside"
_HIDDEN, _WANTED = "hidden", "wanted"  # by us, while another result is chosen; shown again by somebody, meanwhile


def show_only(scene: vtkMRMLScene, chosen: vtkMRMLSegmentationNode | None) -> None:
    """Hide the nodes of all results but the chosen one's, and show those of the chosen one that this function hid
    before.

    What the user has hidden stays hidden. What the user shows of another result stays visible, whichever result is
    chosen next. Segmentations without a result of this software are not changed. The state is saved with the scene.

    Parameters
    ----------
    scene : vtkMRMLScene
    chosen : vtkMRMLSegmentationNode or None
        None hides all results.
    """
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")):
        node = scene.GetNthNodeByClass(number, "vtkMRMLSegmentationNode")
        if node is chosen or kept_document(node) is not None:
            for display in _displays(node):
                if node is chosen:
                    _show(display)
                else:
                    _hide(display)


def _displays(node: vtkMRMLSegmentationNode) -> Iterator[vtkMRMLDisplayNode]:
    found = outcome_of(node)
    for each in (node, *found.regions.values(), *found.threshold_nodes):
        if each.GetDisplayNode() is not None:
            yield each.GetDisplayNode()


def _hide(display: vtkMRMLDisplayNode) -> None:
    mark = attribute(display, _ASIDE)
    if not display.GetVisibility():
        if mark == _WANTED:  # somebody has only had a look at it
            set_attribute(display, _ASIDE, _HIDDEN)
    elif mark is None:
        set_attribute(display, _ASIDE, _HIDDEN)
        display.SetVisibility(False)
    elif mark == _HIDDEN:
        set_attribute(display, _ASIDE, _WANTED)


def _show(display: vtkMRMLDisplayNode) -> None:
    if attribute(display, _ASIDE) is not None:
        display.SetVisibility(True)
        set_attribute(display, _ASIDE, None)
