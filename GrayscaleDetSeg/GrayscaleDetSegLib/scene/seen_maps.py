"""Maps that explain an object, such as the weights of a recurrent method, as volumes of one slice.

A map covers the region that its explanation names, or a whole slice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.explanations.seen import SeenMap
from ..core.volumes.result import VolumeBox
from ..core.volumes.views import VIEWS
from ..core.volumes.volume import stored_axes
from .geometry import PixelGrid, VoxelGrid, vtk_matrix

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene

SLICE_VIEWS = {"axial": "Red", "sagittal": "Yellow", "coronal": "Green"}
"""The slice views that show each view's map, by their names in Slicer's layouts; the Red one shows radiographs."""


def add_seen_map(
    scene: vtkMRMLScene,
    volume: vtkMRMLScalarVolumeNode,
    grid: PixelGrid,
    each: SeenMap,
    name: str,
    working: tuple[int, int, int] | None = None,
) -> vtkMRMLScalarVolumeNode:
    """Add a volume with the values of a map, float32, at its position in the image, under the image's transform.

    Parameters
    ----------
    grid : PixelGrid
        Grid of the whole image, a ``VoxelGrid``, or of the slice of a radiograph.
    working : tuple of 3 int, optional
        Size of the networks' grid in voxels, along (superior, posterior, left); needed if the map has no position.
    """
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    values = np.ascontiguousarray(each.values, np.float32)
    image = vtk.vtkImageData()
    image.SetDimensions(values.shape[1], values.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(), deep=True))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(name))
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(vtk_matrix(grid.pixel_to_ras @ _place(each, grid, working)))
    parent = volume.GetParentTransformNode()
    node.SetAndObserveTransformNodeID(None if parent is None else parent.GetID())
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(float(values.min()), float(max(values.max(), values.min() + 1e-6)))
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeFileColdToHotRainbow.txt")
    return node


def _place(each: SeenMap, grid: PixelGrid, working: tuple[int, int, int] | None) -> np.ndarray:
    """The matrix (4 x 4) from a map's indices (column, row, slice) to voxels of the image, from their outer corner."""
    if isinstance(grid, VoxelGrid):
        axes, turned = stored_axes(grid.geometry)
        across = VIEWS[each.view]
        box = each.box or _slice_box(each, grid, working or (1, 1, 1))
    else:  # a radiograph, as it is stored: rows, columns
        axes, turned, across = (0, 1, 2), (False,) * 3, 0
        box = each.box or VolumeBox(0.0, 0.0, -0.5, float(grid.shape[1]), float(grid.shape[0]), 0.5)
    row, column = (axis for axis in range(3) if axis != across)
    sizes = (each.values.shape[1], each.values.shape[0], 1)
    matrix = np.eye(4)
    matrix[:3, :3] = 0.0
    for index, (axis, size) in enumerate(zip((column, row, across), sizes)):
        along = 2 - axes[axis]
        first, last = box[along], box[along + 3]
        if turned[axis]:
            first, last = last, first
        step = (last - first) / size
        matrix[along, index], matrix[along, 3] = step, first + step / 2.0
    return matrix


def _slice_box(each: SeenMap, grid: VoxelGrid, working: tuple[int, int, int]) -> VolumeBox:
    """The whole of a map's slice, in voxels of the stored grid."""
    axes, turned = stored_axes(grid.geometry)
    across = VIEWS[each.view]
    low, high = [0.0] * 3, [float(side) for side in grid.dimensions]
    along, count = 2 - axes[across], working[across]
    first = (count - 1 - each.slice if turned[across] else each.slice) / count
    low[along], high[along] = first * high[along], (first + 1.0 / count) * high[along]
    return VolumeBox(*low, *high)
