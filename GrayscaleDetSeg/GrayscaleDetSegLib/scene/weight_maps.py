"""The maps by which a recurrent method weighted an image around an object, as volumes of one slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.volumes.rounds import SaliencyMap
from ..core.volumes.views import VIEWS
from ..core.volumes.volume import stored_axes
from .geometry import PixelGrid, vtk_matrix

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene

SLICE_VIEWS = {"axial": "Red", "sagittal": "Yellow", "coronal": "Green"}
"""The slice views that show each view's map, by their names in Slicer's layouts."""


def shown_maps(maps: Sequence[SaliencyMap]) -> list[SaliencyMap]:
    """For each view the map of the slice itself, not of its neighbours; maps without a position are omitted."""
    middle = max((each.channel for each in maps), default=0) // 2
    return [each for each in maps if each.channel == middle and each.box is not None]


def add_weights(
    scene: vtkMRMLScene, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid, each: SaliencyMap, name: str
) -> vtkMRMLScalarVolumeNode:
    """Add a volume with the weights of a map, float32, at the map's position in the image, under the image's transform.

    Parameters
    ----------
    grid : PixelGrid
        Grid of the whole image, a ``VoxelGrid``.
    """
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    values = each.lowest + np.asarray(each.values, np.float32) / np.float32(255.0) * (each.highest - each.lowest)
    image = vtk.vtkImageData()
    image.SetDimensions(values.shape[1], values.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(values, np.float32).ravel(), deep=True))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(name))
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(vtk_matrix(grid.pixel_to_ras @ _place(each, grid)))
    parent = volume.GetParentTransformNode()
    node.SetAndObserveTransformNodeID(None if parent is None else parent.GetID())
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(float(values.min()), float(max(values.max(), values.min() + 1e-6)))
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeFileColdToHotRainbow.txt")
    return node


def _place(each: SaliencyMap, grid: PixelGrid) -> np.ndarray:
    """The matrix (4 x 4) from a map's indices (column, row, slice) to voxels of the image, from their outer corner."""
    axes, turned = stored_axes(grid.geometry)
    box = each.box or (0.0,) * 6
    across = VIEWS[each.view]
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
