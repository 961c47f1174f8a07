"""How much of every object lies on every ray: the line integrals from which a radiograph is made.

Each face of a closed surface adds its depth, with the sign of its facing, to the pixels whose middles it covers; what
is left after all faces is the length of the ray inside. Coordinates are snapped to 1/256 px and shared edges belong to
one face alone (top-left rule), so that no ray counts an edge twice or misses one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

SUBPIXEL = 256
NEAREST = 60.0
"""mm from the source below which nothing is drawn: it would not fit between tube and detector."""


@dataclass(frozen=True)
class Camera:
    """A point source and a flat detector.

    Parameters
    ----------
    matrix : ndarray (3, 4)
        From the body's frame to the camera's: x right, y down, z away from the source, mm; the origin is looked at.
    distance : float
        mm from the source to the origin.
    scale : float
        px a mm at the origin.
    shape : tuple of 2 int
        (rows, columns).
    """

    matrix: np.ndarray
    distance: float
    scale: float
    shape: tuple[int, int]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Columns and rows in px, and depths in mm (n, 3), of points (n, 3) in the body's frame, mm."""
        seen = points @ self.matrix[:, :3].T + self.matrix[:, 3]
        enlarged = self.scale * self.distance / np.maximum(seen[:, 2] + self.distance, NEAREST)
        rows, columns = self.shape
        return np.stack([seen[:, 0] * enlarged + columns / 2, seen[:, 1] * enlarged + rows / 2, seen[:, 2]], 1)


def may_show(projected: np.ndarray, shape: tuple[int, int]) -> bool:
    """Whether the rectangle around projected points (n, 3) touches the picture."""
    low, high = projected[:, :2].min(0), projected[:, :2].max(0)
    return bool((high > 0).all() and low[0] < shape[1] and low[1] < shape[0])


def add_thickness(projected: np.ndarray, faces: np.ndarray, thickness: np.ndarray) -> None:
    """Add a closed surface's thickness (mm) to an image.

    Parameters
    ----------
    projected : ndarray (n, 3)
        Columns, rows (px) and depth (mm) of the vertices.
    faces : ndarray of int32 (m, 3)
        Seen from outside anticlockwise in a frame that is not mirrored.
    thickness : ndarray of float32 (rows, columns)
        Changed in place.
    """
    snapped = np.round(np.clip(projected[:, :2], -1e5, 1e5) * SUBPIXEL).astype(np.int64)
    depth = (projected[:, 2] - projected[:, 2].mean()).astype(np.float64)
    _accumulate(snapped, depth, faces, thickness)


@numba.njit(cache=True)
def _accumulate(points, depth, faces, thickness):
    rows, columns = thickness.shape
    half = SUBPIXEL // 2
    for face in range(faces.shape[0]):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        x0, y0, x1, y1, x2, y2 = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        first_column = max(0, min(x0, x1, x2) // SUBPIXEL)
        last_column = min(columns - 1, max(x0, x1, x2) // SUBPIXEL)
        first_row, last_row = max(0, min(y0, y1, y2) // SUBPIXEL), min(rows - 1, max(y0, y1, y2) // SUBPIXEL)
        if first_column > last_column or first_row > last_row:
            continue
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0:
            continue
        z0, z1, z2, sign = depth[a], depth[b], depth[c], 1.0
        if area < 0:
            x1, y1, z1, x2, y2, z2 = x2, y2, z2, x1, y1, z1
            area, sign = -area, -1.0
        # an edge's own pixels belong to the face that has it at its top or left
        bias0 = 0 if (y1 == y2 and x2 > x1) or y2 < y1 else -1
        bias1 = 0 if (y2 == y0 and x0 > x2) or y0 < y2 else -1
        bias2 = 0 if (y0 == y1 and x1 > x0) or y1 < y0 else -1
        for row in range(first_row, last_row + 1):
            y = row * SUBPIXEL + half
            for column in range(first_column, last_column + 1):
                x = column * SUBPIXEL + half
                w0 = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
                w1 = (x0 - x2) * (y - y2) - (y0 - y2) * (x - x2)
                w2 = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
                if w0 + bias0 < 0 or w1 + bias1 < 0 or w2 + bias2 < 0:
                    continue
                thickness[row, column] += sign * (w0 * z0 + w1 * z1 + w2 * z2) / area
