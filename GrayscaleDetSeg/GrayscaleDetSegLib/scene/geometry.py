"""From the LPS geometry of a radiograph to Slicer's RAS matrices: the only module in which RAS appears."""

from __future__ import annotations

import numpy as np

from ..core.radiograph import Geometry

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def ijk_to_ras(geometry: Geometry) -> np.ndarray:
    """The matrix (4 x 4, float64) from indices (column, row, slice) to RAS coordinates of pixel centres in mm.

    Slicer's axes point right and anterior where ITK's point left and posterior; superior is shared.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(geometry.direction, (3, 3)) * np.asarray(geometry.spacing)  # scales the columns
    matrix[:3, 3] = geometry.origin
    return _LPS_TO_RAS @ matrix


def vtk_matrix(matrix: np.ndarray):
    """A vtkMatrix4x4 with the elements of `matrix` (4 x 4)."""
    import vtk

    copy = vtk.vtkMatrix4x4()
    copy.DeepCopy(np.asarray(matrix, float).ravel().tolist())
    return copy
