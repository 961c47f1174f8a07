"""Spheres, affine maps (3, 4), registration and contact of surfaces: the geometry by which bones are put together."""

from __future__ import annotations

import numpy as np

from .surface import Surface


def fit_sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (d,) and radius of the sphere (circle for d = 2) nearest to points (n, d), by linear least squares."""
    origin = points.mean(0)
    local = points - origin
    system = np.column_stack([2.0 * local, np.ones(len(local))])
    solution, *_ = np.linalg.lstsq(system, (local**2).sum(1), rcond=None)
    centre = solution[:-1]
    return centre + origin, float(np.sqrt(max(solution[-1] + centre @ centre, 0.0)))


def grow_sphere(
    points: np.ndarray, centre: np.ndarray, radius: float, towards: np.ndarray, cap: float, rounds: int = 25
) -> tuple[np.ndarray, float]:
    """The sphere (circle for d = 2) of which a cap is part of a surface, from a guess.

    Parameters
    ----------
    points : ndarray, shape (n, d)
    centre, radius : ndarray of shape (d,), float
        The guess.
    towards : ndarray, shape (d,)
        Direction from the centre to the middle of the cap.
    cap : float
        Cosine of the angle between `towards` and the rim of the cap.

    Raises
    ------
    ValueError
        If hardly any points lie near the sphere.
    """
    towards = towards / np.linalg.norm(towards)
    for number in range(rounds):
        offset = points - centre
        distance = np.linalg.norm(offset, axis=1)
        band = max(0.25 * 0.8**number, 0.04) * radius
        near = (np.abs(distance - radius) < band) & (offset @ towards > cap * distance)
        if near.sum() < 4 * points.shape[1]:
            raise ValueError("No sphere is found where a joint's head is expected.")
        centre, radius = fit_sphere(points[near])
    return centre, radius


def rotation(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) whose rows are the new axes: z is kept, x made perpendicular to it."""
    z = z / np.linalg.norm(z)
    y = np.cross(z, x)
    y /= np.linalg.norm(y)
    return np.stack([np.cross(y, z), y, z])


def frame(turn: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """The affine map (3, 4) into a frame whose axes are the rows of `turn` and whose origin is at `origin`."""
    return np.column_stack([turn, -turn @ origin])


def mapped(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (n, 3) or (3,) under an affine map (3, 4)."""
    return points @ matrix[:, :3].T + matrix[:, 3]


def after(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The affine map (3, 4) that does `first`, then `second`."""
    return np.column_stack([second[:, :3] @ first[:, :3], second[:, :3] @ first[:, 3] + second[:, 3]])


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The affine map (3, 4) back."""
    back = np.linalg.inv(matrix[:, :3])
    return np.column_stack([back, -back @ matrix[:, 3]])


def similarity(points: np.ndarray, target: np.ndarray, scaled: bool = True) -> np.ndarray:
    """The map (3, 4) of turning, shifting and, if wanted, scaling that brings points (n, 3) onto their targets."""
    middle, aim = points.mean(0), target.mean(0)
    a, b = points - middle, target - aim
    u, s, vt = np.linalg.svd(a.T @ b)
    keep = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    turn = (u @ keep @ vt).T
    scale = float((s * np.diag(keep)).sum() / (a**2).sum()) if scaled else 1.0
    return np.column_stack([scale * turn, aim - scale * turn @ middle])


def register(
    points: np.ndarray, target: np.ndarray, start: np.ndarray, rounds: int = 40, scaled: bool = True, sample: int = 1200
) -> tuple[np.ndarray, float]:
    """Iterated closest points: the map (3, 4) of points (n, 3) onto a surface's (m, 3), and the mean distance left.

    Some `sample` points are used, and a tenth of the pairs, the farthest, is left out in each round.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(target)
    points = points[:: max(len(points) // sample, 1)]
    matrix = start
    for _ in range(rounds):
        distance, nearest = tree.query(mapped(matrix, points))
        kept = distance <= np.quantile(distance, 0.9)
        matrix = similarity(points[kept], target[nearest[kept]], scaled)
    return matrix, float(tree.query(mapped(matrix, points))[0].mean())


def principal_starts(points: np.ndarray, target: np.ndarray) -> list[np.ndarray]:
    """Four maps (3, 4) that bring the principal axes of points onto those of the target, without mirroring."""
    frames = []
    for cloud in (points, target):
        middle = cloud.mean(0)
        axes = np.linalg.svd((cloud - middle)[::5], full_matrices=False)[2]
        axes[2] *= np.sign(np.linalg.det(axes))
        frames.append((middle, axes))
    (middle, axes), (aim, wanted) = frames
    scale = np.ptp((target - aim) @ wanted[0]) / np.ptp((points - middle) @ axes[0])
    starts = []
    for first, second in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        turn = scale * wanted.T @ np.diag([first, second, first * second]) @ axes
        starts.append(np.column_stack([turn, aim - turn @ middle]))
    return starts


def about_x(angle: float) -> np.ndarray:
    """The rotation (3, 3) about x by an angle in radians (right hand rule)."""
    return np.array([[1.0, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])


def signed_distance(points: np.ndarray, other: Surface) -> np.ndarray:
    """Distances (n,) of points (n, 3) from the nearest vertices of a surface, negative inside it, mm."""
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(other.vertices).query(points)
    outside = ((points - other.vertices[nearest]) * other.normals()[nearest]).sum(1) >= 0
    return np.where(outside, distance, -distance)


def seat(points: np.ndarray, other: Surface, direction: np.ndarray, gap: float, rounds: int = 8) -> np.ndarray:
    """The shift (3,) along a unit vector after which points (n, 3) come as near to a surface as the gap, mm.

    Parameters
    ----------
    direction : ndarray, shape (3,)
        From the points towards the surface.
    """
    shift = np.zeros(3)
    for _ in range(rounds):
        nearest = float(np.quantile(signed_distance(points + shift, other), 0.005))
        shift = shift + 0.8 * (nearest - gap) * direction
    return shift


def height_gap(upper: Surface, lower: Surface, region: tuple[float, float, float, float], cell: float) -> float:
    """How far a surface can sink before it meets the one below, within a rectangle; negative where they overlap, mm.

    Parameters
    ----------
    region : tuple of 4 float
        x from, x to, y from, y to.
    cell : float
        Side of the squares in which heights are compared.
    """
    sides = np.array([(region[1] - region[0]) / cell, (region[3] - region[2]) / cell]).astype(int) + 1
    maps = []
    for surface, extreme, empty in ((upper, np.minimum, np.inf), (lower, np.maximum, -np.inf)):
        corners = surface.vertices[surface.faces]
        halves = (corners + np.roll(corners, 1, axis=1)).reshape(-1, 3) / 2
        points = np.concatenate([surface.vertices, corners.mean(1), halves])
        places = np.floor((points[:, :2] - (region[0], region[2])) / cell).astype(int)
        inside = ((places >= 0) & (places < sides)).all(1)
        heights = np.full(sides, empty)
        extreme.at(heights, tuple(places[inside].T), points[inside, 2])
        maps.append(heights)
    gaps = maps[0] - maps[1]
    gaps = gaps[np.isfinite(gaps)]
    return float(np.quantile(gaps, 0.03)) if len(gaps) else float("nan")
