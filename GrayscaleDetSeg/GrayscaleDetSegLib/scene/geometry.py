"""Coordinates of pixels in Slicer. This module alone handles RAS and IJK coordinates as numbers.

All other modules use pixels: arrays are (row, column), points (x, y) are in px from the outer corner of the first
pixel, so that the centre of the pixel in row i, column j is at (j + 0.5, i + 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import RadiographError
from ..core.radiograph import Geometry

if TYPE_CHECKING:
    from slicer import vtkMRMLTransformableNode
    from vtk import vtkMatrix4x4

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
WHOLE = -(2**31)
"""In place of a slice's index: all slices of a volume. No slice that anybody asks for by mistake has it."""


def ijk_to_ras(geometry: Geometry) -> np.ndarray:
    """The matrix (4 x 4, float64) from indices (column, row, slice) to RAS coordinates of pixel centres in mm.

    Slicer's axes point right, anterior and superior; ITK's point left, posterior and superior.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(geometry.direction, (3, 3)) * np.asarray(geometry.spacing)  # scales the columns
    matrix[:3, 3] = geometry.origin
    return _LPS_TO_RAS @ matrix


def geometry_of(matrix: np.ndarray) -> Geometry:
    """The geometry whose :func:`ijk_to_ras` is `matrix` (4 x 4); flips and left-handed axes are kept.

    Raises
    ------
    RadiographError
        If an axis of the matrix has no length.
    """
    lps = _LPS_TO_RAS @ matrix
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    if not np.isfinite(lps).all() or not (spacing > 0.0).all():
        raise RadiographError("The volume has an axis without length; set its spacing in the Volumes module.")
    return Geometry(
        tuple(spacing.tolist()), tuple(lps[:3, 3].tolist()), tuple((lps[:3, :3] / spacing).ravel().tolist())
    )


def vtk_matrix(matrix: np.ndarray) -> vtkMatrix4x4:
    """A vtkMatrix4x4 with the elements of `matrix` (4 x 4)."""
    import vtk

    copy = vtk.vtkMatrix4x4()
    copy.DeepCopy(np.asarray(matrix, float).ravel().tolist())
    return copy


def numpy_matrix(matrix: vtkMatrix4x4) -> np.ndarray:
    """The elements (4 x 4, float64) of a vtkMatrix4x4."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def moved(matrix: np.ndarray, points: ArrayLike) -> np.ndarray:
    """Multiply points, shape (n, 3), by a homogeneous matrix (4 x 4). Returns points, shape (n, 3)."""
    points = np.asarray(points, float)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def reversal(slices: int) -> np.ndarray:
    """The matrix (4 x 4) from indices (i, j, k) to those of a volume whose slices are counted from the other end."""
    matrix = np.diag([1.0, 1.0, -1.0, 1.0])
    matrix[2, 3] = slices - 1
    return matrix


def between(source: vtkMRMLTransformableNode | None, target: vtkMRMLTransformableNode | None) -> np.ndarray:
    """The matrix (4 x 4) from the coordinates of one node to those of another, through their parent transforms.

    Nodes under the same transform have the same coordinates, whatever the transform.

    Parameters
    ----------
    source, target : vtkMRMLTransformableNode or None
        None is the world (RAS).

    Raises
    ------
    RadiographError
        If a transform between them is not linear.
    """
    import slicer
    import vtk

    parents = [None if node is None else node.GetParentTransformNode() for node in (source, target)]
    for parent, node in zip(parents, (source, target)):
        if parents[0] is not parents[1] and parent is not None and not parent.IsTransformToWorldLinear():
            raise RadiographError(
                f"{node.GetName()} lies under a transform that bends it; harden the transform in the Data module."
            )
    matrix = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(*parents, matrix)
    return numpy_matrix(matrix)


@dataclass(frozen=True, eq=False)
class PixelGrid:
    """The pixel grid of one slice of a volume.

    Parameters
    ----------
    dimensions : tuple of 3 int
        Size of the volume in its own index order (i, j, k).
    axes : tuple of 3 int
        The indices (0, 1, 2 for i, j, k) that count columns, rows and slices; that of the columns is smaller than that
        of the rows.
    index : int
        Index of the slice.
    ijk_to_ras : ndarray, shape (4, 4)
        From the volume's indices to the coordinates that the volume is stored in, before any parent transform.
    """

    dimensions: tuple[int, int, int]
    axes: tuple[int, int, int]
    index: int
    ijk_to_ras: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns) in px."""
        return self.dimensions[self.axes[1]], self.dimensions[self.axes[0]]

    @property
    def extent(self) -> tuple[int, int, int, int, int, int]:
        """First and last index of the slice along i, j and k."""
        ends = [[0, size - 1] for size in self.dimensions]
        ends[self.axes[2]] = [self.index, self.index]
        (i0, i1), (j0, j1), (k0, k1) = ends
        return i0, i1, j0, j1, k0, k1

    @property
    def geometry(self) -> Geometry:
        """The geometry of the slice, in the order (column, row, slice), as a Radiograph has it."""
        matrix = np.eye(4)
        matrix[:, :3] = self.ijk_to_ras[:, list(self.axes)]
        first = np.zeros(4)
        first[self.axes[2]], first[3] = self.index, 1.0
        matrix[:, 3] = self.ijk_to_ras @ first
        return geometry_of(matrix)

    @property
    def pixel_to_ras(self) -> np.ndarray:
        """The matrix (4 x 4) from (x, y, z) to the volume's coordinates: x and y in px, z in slices relative to this
        slice.
        """
        to_centre = np.eye(4)
        to_centre[:2, 3] = -0.5
        return ijk_to_ras(self.geometry) @ to_centre

    def plane(self, values: np.ndarray) -> np.ndarray:
        """The slice, shape (rows, columns, ...), of an array (k, j, i, ...) of the volume's size, as a view."""
        return np.moveaxis(values, 2 - self.axes[2], 0)[self.index]

    def slab(self, plane: np.ndarray) -> np.ndarray:
        """An image (rows, columns) as an array (k, j, i) that contains this slice alone, as a view."""
        return np.expand_dims(plane, 2 - self.axes[2])

    def of_slab(self, values: np.ndarray) -> np.ndarray:
        """The image (rows, columns) of an array that :meth:`slab` returned, as a view. Inverse of :meth:`slab`."""
        return np.moveaxis(values, 2 - self.axes[2], 0)[0]


class VoxelGrid(PixelGrid):
    """The voxel grid of a whole volume; it replaces a PixelGrid, and its `index` is `WHOLE`.

    Images are arrays (slices, rows, columns), and points (x, y, z) are in voxels from the outer corner of the first
    voxel.
    """

    @classmethod
    def of(cls, dimensions: tuple[int, int, int], matrix: np.ndarray) -> VoxelGrid:
        """The grid of a volume of the size `dimensions` (i, j, k) with the matrix (4 x 4) from indices to RAS in mm."""
        return cls(dimensions, (0, 1, 2), WHOLE, matrix)

    @property
    def shape(self) -> tuple[int, ...]:
        """(slices, rows, columns) in voxels."""
        return self.dimensions[::-1]

    @property
    def extent(self) -> tuple[int, int, int, int, int, int]:
        """First and last index along i, j and k."""
        i, j, k = self.dimensions
        return 0, i - 1, 0, j - 1, 0, k - 1

    @property
    def geometry(self) -> Geometry:
        """The geometry of the volume, in the order (column, row, slice)."""
        return geometry_of(self.ijk_to_ras)

    @property
    def pixel_to_ras(self) -> np.ndarray:
        """The matrix (4 x 4) from (x, y, z) in voxels to the volume's coordinates in mm."""
        to_centre = np.eye(4)
        to_centre[:3, 3] = -0.5
        return self.ijk_to_ras @ to_centre

    def plane(self, values: np.ndarray) -> np.ndarray:
        """Return the values unchanged."""
        return values

    def slab(self, plane: np.ndarray) -> np.ndarray:
        """Return the values unchanged."""
        return plane

    def of_slab(self, values: np.ndarray) -> np.ndarray:
        """Return the values unchanged."""
        return values
