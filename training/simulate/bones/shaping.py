"""Surfaces made fit for drawing: refined, smoothed or thinned out, laid on others, with the thickness of the cortex."""

from __future__ import annotations

import numpy as np

from .fitting import mapped, principal_starts, register
from .skeleton import rotation
from .surface import Surface, finer, repaired

SMOOTHING = 0.5, -0.53
"""Steps of Taubin's filter: towards the neighbours' mean and back by a little more, so that the volume stays."""

ENDS = 0.25
"""Share of a long bone's length at each end over which its cortex thins out."""

COMPARED = 700
"""Vertices of the target by which one of several registrations is chosen."""


def smoothed(surface: Surface, steps: int) -> Surface:
    """The surface after `steps` passes of Taubin's filter, grown back about its middle to the volume that it had."""
    from scipy.sparse import coo_matrix

    faces, count = surface.faces, len(surface.vertices)
    start, end = faces.T.ravel(), np.roll(faces, -1, axis=1).T.ravel()
    links = coo_matrix((np.ones(len(start)), (start, end)), shape=(count, count)).tocsr()
    links = links + links.T
    links.data[:] = 1.0
    degree = np.maximum(np.asarray(links.sum(1)).ravel(), 1.0)[:, None]
    vertices = surface.vertices.astype(np.float64)
    for _ in range(steps):
        for weight in SMOOTHING:
            vertices = vertices + weight * (links @ vertices / degree - vertices)
    smooth = Surface(vertices.astype(np.float32), faces)
    ratio = np.cbrt(abs(surface.volume) / max(abs(smooth.volume), 1e-9))
    middle = vertices.mean(0)
    return Surface(((vertices - middle) * np.clip(ratio, 0.9, 1.2) + middle).astype(np.float32), faces)


def thinned(surface: Surface, most: int) -> Surface:
    """A closed surface of about `most` faces; the surface itself where it is no larger or thinning breaks it."""
    if len(surface.faces) <= most:
        return surface
    from vtkmodules.util import numpy_support
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkFiltersCore import vtkQuadricDecimation

    mesh, points, cells = vtkPolyData(), vtkPoints(), vtkCellArray()
    points.SetData(numpy_support.numpy_to_vtk(np.ascontiguousarray(surface.vertices), deep=True))
    table = np.concatenate([np.full((len(surface.faces), 1), 3), surface.faces], 1).astype(np.int64)
    cells.ImportLegacyFormat(numpy_support.numpy_to_vtkIdTypeArray(table.ravel(), deep=True))
    mesh.SetPoints(points)
    mesh.SetPolys(cells)
    reduce = vtkQuadricDecimation()
    reduce.SetInputData(mesh)
    reduce.SetTargetReduction(1.0 - most / len(surface.faces))
    reduce.Update()
    result = reduce.GetOutput()
    vertices = numpy_support.vtk_to_numpy(result.GetPoints().GetData())
    faces = numpy_support.vtk_to_numpy(result.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    try:
        return repaired(vertices, faces)
    except ValueError:
        return surface


def prepared(vertices: np.ndarray, faces: np.ndarray, least: int, most: int, smooth: int = 4) -> Surface:
    """A closed surface of `least` to `most` faces: coarse ones are cut finer and smoothed so that facets don't show.

    Parameters
    ----------
    vertices : ndarray, shape (n, 3)
        mm.
    faces : ndarray of int, shape (m, 3)
    least, most : int
        Faces; between them a surface stays as it is.
    smooth : int
        Passes of the filter after each cut.

    Raises
    ------
    ValueError
        If the surface can't be closed.
    """
    surface = repaired(vertices, faces)
    while len(surface.faces) < least:
        surface = smoothed(finer(surface), smooth)
    return thinned(surface, most)


def principal(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle (3,) and the principal directions (3, 3; rows, longest first, right-handed) of points."""
    middle = points.mean(0)
    axes = np.linalg.eigh(np.cov((points - middle).T))[1].T[::-1].copy()
    if np.linalg.det(axes) < 0:
        axes[2] *= -1
    return middle, axes


def turn_to(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation (3, 3) that takes the direction of `start` to that of `end`."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(start, end)
    size = float(np.linalg.norm(axis))
    if size < 1e-9:
        return np.eye(3)
    return rotation(axis, float(np.arctan2(size, start @ end)))


def registered(source: np.ndarray, target: np.ndarray, scaled: bool = True, start: np.ndarray | None = None
               ) -> tuple[np.ndarray, float]:  # fmt: skip
    """Where points (n, 3) lie best on others (m, 3): the map (3, 4), and the mean distance both ways, mm.

    It begins at `start`, or at the four ways to lay the principal axes on each other.
    """
    from scipy.spatial import cKDTree

    best = (np.eye(3, 4), np.inf)
    back = target[:: max(1, len(target) // COMPARED)]
    for first in principal_starts(source, target) if start is None else [start]:
        matrix, there = register(source, target, first, scaled=scaled)
        error = 0.5 * (there + float(cKDTree(mapped(matrix, source)).query(back)[0].mean()))
        if error < best[1]:
            best = (matrix, error)
    return best


def shaft_cortex(vertices: np.ndarray, shaft: float, end: float, axis: np.ndarray | None = None) -> np.ndarray:
    """Thickness (n,) in mm of a long bone's cortex: `shaft` in the middle, down to `end` at both ends."""
    along = vertices @ (principal(vertices)[1][0] if axis is None else axis)
    place = (along - along.min()) / max(float(np.ptp(along)), 1e-6)
    share = np.clip(np.minimum(place, 1 - place) / ENDS, 0, 1) ** 1.5
    return (end + (shaft - end) * share).astype(np.float32)


def even_cortex(vertices: np.ndarray, thickness: float) -> np.ndarray:
    """The same thickness (n,) everywhere, mm."""
    return np.full(len(vertices), thickness, np.float32)
