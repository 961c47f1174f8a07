"""Where an image lies, and the segments on it brought along when it was moved or rescaled."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from .geometry import PixelGrid, between, numpy_matrix, reversal, vtk_matrix
from .masks import binary, has_surface, make_surface

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkOrientedImageData, vtkSegmentation

_APART = 0.01
"""Places less than this many px apart are the same."""


@dataclass(frozen=True)
class Placement:
    """Where the voxels of a volume lay when a result on it was stored.

    Parameters
    ----------
    ijk_to_ras : tuple of 16 float
        Row-major matrix (4 x 4) from the volume's indices to the coordinates in mm that it is stored in.
    in_segmentation : tuple of 16 float
        The same to the coordinates in mm that the segmentation is stored in.
    """

    ijk_to_ras: tuple[float, ...]
    in_segmentation: tuple[float, ...]

    @classmethod
    def of(
        cls, node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid
    ) -> Placement:
        """Where a grid of a volume lies.

        Raises
        ------
        RadiographError
            If a transform between segmentation and volume is not linear.
        """
        in_segmentation = between(volume, node) @ grid.ijk_to_ras
        return cls(tuple(grid.ijk_to_ras.ravel().tolist()), tuple(in_segmentation.ravel().tolist()))

    @property
    def matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """Both matrices (4 x 4)."""
        return _matrix(self.ijk_to_ras), _matrix(self.in_segmentation)

    def is_of(self, grid: PixelGrid) -> bool:
        """Whether a volume whose grid this is lies where it lay."""
        return _alike(_matrix(self.ijk_to_ras), grid.ijk_to_ras, grid.dimensions)

    def is_reversed(self, grid: PixelGrid) -> bool:
        """Whether the voxels of `grid` are in the same places, counted from the other end along k.

        So are those of a left-handed volume after its file was written and read: Slicer's reader makes it right-handed.
        """
        reversed_ = _matrix(self.ijk_to_ras) @ reversal(grid.dimensions[2])
        return _alike(reversed_, grid.ijk_to_ras, grid.dimensions)


def carry_segments(
    node: vtkMRMLSegmentationNode,
    grid: PixelGrid,
    before: Placement,
    after: Placement,
    ours: Collection[str],
) -> None:
    """Move all segments as the volume of their result was moved or rescaled; pixels, names and colours stay.

    Segments that lie on the volume already, because they were moved with it, are left where they are, and so are all if
    those of the result do.

    Parameters
    ----------
    grid : PixelGrid
        Grid of the volume now.
    before, after : Placement
        Where the volume lay, and lies now.
    ours : collection of str
        Ids of the segments of the result.
    """
    (old, old_place), (new, place) = before.matrices, after.matrices
    if _alike(old_place, place, grid.dimensions):  # a transform was hardened, the segmentation's is still there
        return
    segmentation = node.GetSegmentation()
    label_maps = _label_maps(node)
    own = [image for identities, image in label_maps if identities & set(ours)]
    if own and all(_alike(_place_of(image), place, grid.dimensions) for image in own):
        return
    to_segmentation = place @ np.linalg.inv(new)
    change = place @ np.linalg.inv(to_segmentation @ old)
    had_surface = has_surface(node)
    if segmentation.GetSourceRepresentationName() != binary():
        import vtk

        transform = vtk.vtkTransform()
        transform.SetMatrix(vtk_matrix(change))
        segmentation.ApplyLinearTransform(transform)
    else:
        for _identities, image in label_maps:
            if not _alike(_place_of(image), place, grid.dimensions):
                image.SetImageToWorldMatrix(vtk_matrix(change @ _place_of(image)))
                image.Modified()  # which the segmentation observes: other representations go, and views are told
        _carry_geometry(segmentation, change, place, grid)
    if had_surface:
        make_surface(node)


def _carry_geometry(segmentation: vtkSegmentation, change: np.ndarray, place: np.ndarray, grid: PixelGrid) -> None:
    """Move the geometry that new label maps get, and all get that are saved: where it stays, masks are resampled."""
    import slicer

    converter = slicer.vtkSegmentationConverter
    name = converter.GetReferenceImageGeometryParameterName()
    text = segmentation.GetConversionParameter(name)
    geometry = slicer.vtkOrientedImageData()
    if not text or not converter.DeserializeImageGeometry(text, geometry, False):
        return
    if not _alike(_place_of(geometry), place, grid.dimensions):
        geometry.SetImageToWorldMatrix(vtk_matrix(change @ _place_of(geometry)))
        segmentation.SetConversionParameter(name, converter.SerializeImageGeometry(geometry))


def _label_maps(node: vtkMRMLSegmentationNode) -> list[tuple[set[str], vtkOrientedImageData]]:
    """The label maps of a segmentation that are not empty, and the ids of the segments in each."""
    segmentation = node.GetSegmentation()
    found: list[tuple[set[str], vtkOrientedImageData]] = []
    for number in range(segmentation.GetNumberOfSegments()):
        identity = segmentation.GetNthSegmentID(number)
        image = segmentation.GetNthSegment(number).GetRepresentation(binary())
        same = next((identities for identities, other in found if other is image), None)
        if same is not None:
            same.add(identity)
        elif image is not None and not image.IsEmpty():
            found.append(({identity}, image))
    return found


def _place_of(image: vtkOrientedImageData) -> np.ndarray:
    import vtk

    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return numpy_matrix(matrix)


def _matrix(numbers: tuple[float, ...]) -> np.ndarray:
    return np.array(numbers, float).reshape(4, 4)


def _alike(first: np.ndarray, second: np.ndarray, dimensions: tuple[int, int, int]) -> bool:
    """Whether two matrices (4 x 4) bring the corners of an image to the same places."""
    corners = np.array([(*corner, 1.0) for corner in product(*((0.0, side - 1.0) for side in dimensions))])
    sides = np.linalg.norm(second[:3, :3], axis=0)
    # in px of the finest axis: matrices may be read of a file, with fewer digits
    return bool(np.abs((corners @ (first - second).T)[:, :3]).max() <= _APART * sides.min())
