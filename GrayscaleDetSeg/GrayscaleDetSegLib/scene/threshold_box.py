"""The single box in the cloud's view: a ROI node over the region. The user can drag its bottom and its top only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.gray import GRAY_MAX
from .frame import CloudFrame
from .geometry import between, moved, numpy_matrix, vtk_matrix
from .nodes import attribute, color_of, folded, set_attribute, show_in

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsROINode, vtkMRMLScene

Roi = tuple[float, float, float, float]

THINNEST = 0.5
"""Gray levels between bottom and top at least: a box without height cannot be taken hold of."""
_EXACT = 2e-3  # gray levels to which a box stands where it should: Slicer keeps its place in single precision


def add_threshold_box(
    scene: vtkMRMLScene,
    frame: CloudFrame,
    roi: Roi,
    interval: tuple[float, float],
    name: str,
    color: Sequence[int],
    view_ids: Sequence[str] = (),
) -> vtkMRMLMarkupsROINode:
    """Add the box of an object to the scene.

    Parameters
    ----------
    roi : tuple of 4 float
        (x0, y0, x1, y1) in px.
    interval : tuple of 2 float
        Bottom and top in gray levels.
    color : sequence of 3 int
        0..255.
    view_ids : sequence of str
        Ids of the views that show it.
    """
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", f"{name} thresholds")
    node.CreateDefaultDisplayNodes()
    place_threshold_box(node, frame, roi, interval)
    node.SetNthControlPointVisibility(0, False)  # its middle, by which it could be pulled away
    display, shade = node.GetDisplayNode(), color_of(color)
    with folded(display):
        display.SetColor(*shade)
        display.SetSelectedColor(*shade)
        display.SetFillOpacity(0.06)
        display.SetOutlineOpacity(1.0)
        display.SetPropertiesLabelVisibility(False)
        display.SetPointLabelsVisibility(False)
        display.SetVisibility2D(False)
        display.SetHandlesInteractive(True)
        display.SetRotationHandleVisibility(False)
        display.SetTranslationHandleVisibility(False)
        display.SetScaleHandleVisibility(True)
        display.SetScaleHandleComponentVisibility([False, False, True, False])
        show_in(display, view_ids)
    return node


def place_threshold_box(
    node: vtkMRMLMarkupsROINode, frame: CloudFrame, roi: Roi, interval: tuple[float, float]
) -> None:
    """Place a box over a region of a frame, from bottom to top. This emits one event, or none if nothing changes."""
    with folded(node):
        set_attribute(node, "frame", frame.dumps())
        set_attribute(node, "roi", " ".join(repr(float(value)) for value in roi))
        _place(node, frame, roi, interval)


def set_interval(node: vtkMRMLMarkupsROINode, interval: tuple[float, float]) -> None:
    """Move bottom and top of a box to these gray levels. This emits one event, or none if nothing changes."""
    with folded(node):
        _place(node, _frame(node), _roi(node), interval)


def interval_of(node: vtkMRMLMarkupsROINode) -> tuple[float, float]:
    """Bottom and top of a box in gray levels 0..255, also if the user turned it upside down; 0 and 255 are open ends.
    """
    half = np.abs(node.GetSize()) / 2.0
    corners = [[1.0 if corner >> axis & 1 else -1.0 for axis in range(3)] for corner in range(8)]
    places = moved(between(node, None) @ numpy_matrix(node.GetObjectToNodeMatrix()), np.asarray(corners) * half)
    gray = np.round(_frame(node).from_view(places)[:, 2], 3)  # places are kept in single precision
    bottom, top = (float(np.clip(value, 0.0, GRAY_MAX)) for value in (gray.min(), gray.max()))
    return bottom, top


def restore(node: vtkMRMLMarkupsROINode) -> bool:
    """Move a box back over its region if it was moved, stretched or turned; bottom and top are kept.

    Returns
    -------
    bool
        Whether the box was changed.
    """
    before = numpy_matrix(node.GetObjectToNodeMatrix()), np.array(node.GetSize())
    was_under = node.GetParentTransformNode()
    interval = interval_of(node)
    with folded(node):
        if was_under is not None:
            node.SetAndObserveTransformNodeID(None)
        _place(node, _frame(node), _roi(node), interval)
    after = numpy_matrix(node.GetObjectToNodeMatrix()), np.array(node.GetSize())
    return was_under is not None or any((one != other).any() for one, other in zip(before, after))


def _frame(node: vtkMRMLMarkupsROINode) -> CloudFrame:
    return CloudFrame.loads(attribute(node, "frame"))


def _roi(node: vtkMRMLMarkupsROINode) -> Roi:
    x0, y0, x1, y1 = (float(value) for value in (attribute(node, "roi") or "").split())
    return x0, y0, x1, y1


def _place(node: vtkMRMLMarkupsROINode, frame: CloudFrame, roi: Roi, interval: tuple[float, float]) -> None:
    bottom, top = (float(np.clip(value, 0.0, GRAY_MAX)) for value in sorted(interval))
    if top - bottom < THINNEST:
        middle = float(np.clip((bottom + top) / 2.0, THINNEST / 2.0, GRAY_MAX - THINNEST / 2.0))
        bottom, top = middle - THINNEST / 2.0, middle + THINNEST / 2.0
    x0, y0, x1, y1 = roi
    corners = frame.to_view([(x0, y0, bottom), (x1, y1, top)])
    matrix = np.eye(4)
    matrix[:3, 3] = corners.mean(axis=0)
    held, tolerance = node.GetObjectToNodeMatrix(), _EXACT * frame.level
    # a box that stands where it should is left alone, or every look at it would end in an event
    if not np.allclose(numpy_matrix(held), matrix, rtol=0.0, atol=tolerance):
        held.DeepCopy(vtk_matrix(matrix))
    size = np.abs(corners[1] - corners[0])
    if not np.allclose(node.GetSize(), size, rtol=0.0, atol=tolerance):
        node.SetSize(*size.tolist())
