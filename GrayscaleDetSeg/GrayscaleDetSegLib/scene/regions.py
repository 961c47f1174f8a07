"""Regions of interest as ROI nodes: rectangles in the slice views that the user can drag, converted to and from px.

In whole volumes, whose grid is a ``geometry.VoxelGrid``, they are boxes in voxels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .geometry import PixelGrid, VoxelGrid, between, moved, numpy_matrix, vtk_matrix
from .nodes import color_of, folded, show_in

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode, vtkMRMLScene

Roi = tuple[float, ...]
"""(x0, y0, x1, y1) in px; of a whole volume (x0, y0, z0, x1, y1, z1) in voxels."""

LEAST = 1.0
"""A region has at least this many px each way."""
_FILL, _LINE = 0.06, 1.0
_EDGES = [(a, b) for a in range(8) for b in range(a) if bin(a ^ b).count("1") == 1]


def add_region(
    scene: vtkMRMLScene,
    volume: vtkMRMLScalarVolumeNode,
    grid: PixelGrid,
    roi: Roi,
    name: str,
    color: Sequence[int],
    view_ids: Sequence[str] = (),
) -> vtkMRMLMarkupsROINode:
    """Add a ROI node at the position and orientation of a region in a slice of a volume, one slice thick.

    Parameters
    ----------
    grid : PixelGrid
        Grid of the slice, see ``volumes.grid_of``.
    roi : tuple of 4 float
        (x0, y0, x1, y1) in px; in a whole volume (x0, y0, z0, x1, y1, z1) in voxels.
    name : str
        Name of the object.
    color : sequence of 3 int
        0..255.
    view_ids : sequence of str
        Ids of the views that show it; all views if empty.
    """
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", name)
    node.CreateDefaultDisplayNodes()
    place_region(node, volume, grid, roi)
    dress_region(node, color, view_ids, isinstance(grid, VoxelGrid))
    return node


def dress_region(
    node: vtkMRMLMarkupsROINode, color: Sequence[int], view_ids: Sequence[str] = (), is_box: bool = False
) -> None:
    """Set how a ROI node of a region is displayed: a faint face, no text, handles at its sides. See :func:`add_region`.

    Parameters
    ----------
    color : sequence of 3 int
        0..255.
    view_ids : sequence of str
        Ids of the views that show it; all views if empty.
    is_box : bool
        Whether it is a box in a whole volume, which has three axes to move and to stretch along.
    """
    display, shade = node.GetDisplayNode(), color_of(color)
    with folded(display):
        display.SetColor(*shade)
        display.SetSelectedColor(*shade)
        display.SetFillOpacity(_FILL)
        display.SetOutlineOpacity(_LINE)
        display.SetPropertiesLabelVisibility(False)
        display.SetPointLabelsVisibility(False)
        display.SetHandlesInteractive(True)
        display.SetRotationHandleVisibility(False)
        display.SetTranslationHandleVisibility(True)
        display.SetScaleHandleVisibility(True)
        # the middle carries it in the plane of the view; arrows would cover the sides of a small region, and along the
        # slice axis there is nothing to move or to stretch
        display.SetTranslationHandleComponentVisibility([False, False, False, True])
        display.SetScaleHandleComponentVisibility([True, True, is_box, False])
        show_in(display, view_ids)


def place_region(node: vtkMRMLMarkupsROINode, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid, roi: Roi) -> None:
    """Move a ROI node to a region of a volume, under the volume's transform. This emits one event."""
    axes = len(roi) // 2
    first, last = np.array(roi[:axes], float), np.array(roi[axes:], float)
    spacing = np.linalg.norm(grid.pixel_to_ras[:3, :3], axis=0)
    sides = np.ones(3)  # one slice where there is no third axis
    sides[:axes] = last - first
    with folded(node):
        turn_region(node, volume, grid, tuple((first + last) / 2))
        node.SetSize(*(sides * spacing).tolist())


def turn_region(
    node: vtkMRMLMarkupsROINode,
    volume: vtkMRMLScalarVolumeNode,
    grid: PixelGrid,
    middle: Sequence[float] = (0.0, 0.0),
) -> None:
    """Give a ROI node the orientation of a volume's pixels, under the volume's transform, and the centre (x, y) in px.

    A node without a size keeps this orientation while the user draws it.
    """
    matrix = grid.pixel_to_ras
    with folded(node):
        parent = volume.GetParentTransformNode()
        if node.GetParentTransformNode() is not parent:
            node.SetAndObserveTransformNodeID(None if parent is None else parent.GetID())
        frame = np.eye(4)
        frame[:3, :3] = _right_handed(matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0))
        frame[:3, 3] = moved(matrix, [(*middle, 0.0)[:3]])[0]
        # the matrix that is there is changed: the node observes it, and so do the handles
        node.GetObjectToNodeMatrix().DeepCopy(vtk_matrix(frame))


def region_of(node: vtkMRMLMarkupsROINode, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid) -> Roi | None:
    """The region that a ROI node marks in a slice of a volume, cropped to the image.

    The node may have any position, orientation and size. The region is the bounding rectangle of the part of the slice
    inside the box, or, if the box does not meet the slice, of its projection on it. It is at least `LEAST` px wide and
    high. In a whole volume it is the bounding box in voxels.

    Returns
    -------
    tuple of 4 or 6 float, or None
        (x0, y0, x1, y1) in px, or (x0, y0, z0, x1, y1, z1) in voxels. None if the box lies outside the image or has no
        points yet.

    Raises
    ------
    RadiographError
        If the node and the volume have different transforms and one of these is not linear.
    """
    if node.GetNumberOfDefinedControlPoints() == 0:
        return None
    half = np.abs(node.GetSize()) / 2.0
    signs = np.array([[1.0 if corner >> axis & 1 else -1.0 for axis in range(3)] for corner in range(8)])
    to_pixels = np.linalg.inv(grid.pixel_to_ras) @ between(node, volume)
    corners = moved(to_pixels @ numpy_matrix(node.GetObjectToNodeMatrix()), signs * half)
    size = np.array(grid.shape[::-1], float)
    places = np.round(corners if size.size == 3 else _cut(corners), 2)  # the node keeps places in single precision
    lower, upper = places[:, : size.size].min(axis=0), places[:, : size.size].max(axis=0)
    if not np.isfinite(places).all() or (upper <= 0.0).any() or (lower >= size).any():
        return None
    widening = np.maximum(LEAST - (upper - lower), 0.0) / 2.0
    lower, upper = np.clip(lower - widening, 0.0, size - LEAST), np.clip(upper + widening, LEAST, size)
    return tuple(float(value) for value in (*lower, *np.maximum(upper, lower + LEAST)))


def _cut(corners: np.ndarray) -> np.ndarray:
    """Where the edges of a box of 8 corners (x, y, z) meet the plane z = 0; the corners themselves where none does."""
    crossings = []
    for first, second in _EDGES:
        a, b = corners[first], corners[second]
        if a[2] * b[2] < 0.0:
            crossings.append(a + (b - a) * (a[2] / (a[2] - b[2])))
    crossings += [corner for corner in corners if corner[2] == 0.0]
    return np.array(crossings) if len(crossings) > 2 else corners


def _right_handed(axes: np.ndarray) -> np.ndarray:
    """Columns made perpendicular, the first kept, the third turned round if need be: ROI nodes know no other boxes."""
    first = axes[:, 0]
    second = axes[:, 1] - first * (first @ axes[:, 1])
    second = second / np.linalg.norm(second)
    return np.column_stack([first, second, np.cross(first, second)])
