"""Shapes of bones by formula: rods, and bodies that run into each other smoothly; all closed, in mm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .parts import Bone
from .surface import Surface

AROUND = 16
"""Corners of a rod's cross-section."""
FAR = 1e3
"""mm from the surface that a place counts where no body is near."""
Point = Sequence[float]


@dataclass(frozen=True)
class Body:
    """Something solid, or something that is taken away.

    Parameters
    ----------
    low, high : ndarray (3,)
        Corners of what it fills.
    distance : callable
        mm to its surface, about, negative inside (n,), of points (n, 3).
    blend : float
        mm within which it runs into what is there.
    cut : bool
        Whether it is taken away.
    """

    low: np.ndarray
    high: np.ndarray
    distance: Callable[[np.ndarray], np.ndarray]
    blend: float = 3.0
    cut: bool = False


def ball(centre: Point, radii: Point | float, turn: np.ndarray | None = None, blend: float = 3.0,
         cut: bool = False) -> Body:  # fmt: skip
    """An ellipsoid; the columns of `turn` (3, 3) are its axes."""
    centre, radii = np.asarray(centre, float), np.broadcast_to(np.asarray(radii, float), 3)
    turn = np.eye(3) if turn is None else turn
    reach = np.sqrt((turn * radii) ** 2 @ np.ones(3))

    def distance(points: np.ndarray) -> np.ndarray:
        local = (points - centre) @ turn
        near = np.linalg.norm(local / radii, axis=1)
        slope = np.linalg.norm(local / radii**2, axis=1)
        return near * (near - 1.0) / np.maximum(slope, 1e-6)

    return Body(centre - reach, centre + reach, distance, blend, cut)


def limb(start: Point, end: Point, first: float, last: float, flat: tuple[Point, float] | None = None,
         blend: float = 3.0, cut: bool = False) -> Body:  # fmt: skip
    """A rod with round ends and radii `first` and `last`; `flat` is a direction and the factor on the radii there."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    along = end - start
    most = max(first, last) * max(1.0, flat[1] if flat else 1.0)

    def distance(points: np.ndarray) -> np.ndarray:
        local = points - start
        place = np.clip(local @ along / max(along @ along, 1e-9), 0.0, 1.0)
        offset = local - place[:, None] * along
        if flat:
            direction = np.asarray(flat[0], float) / np.linalg.norm(flat[0])
            offset = offset + np.outer(offset @ direction, direction) * (1.0 / flat[1] - 1.0)
        return np.linalg.norm(offset, axis=1) - (first + place * (last - first))

    return Body(np.minimum(start, end) - most, np.maximum(start, end) + most, distance, blend, cut)


def string(points: Sequence[Point], radii: Sequence[float], steps: int = 4, flat: tuple[Point, float] | None = None,
           blend: float = 2.0) -> list[Body]:  # fmt: skip
    """A rod through points, smoothly."""
    from scipy.interpolate import PchipInterpolator

    at = np.arange(len(points))
    fine = np.linspace(0, len(points) - 1, (len(points) - 1) * steps + 1)
    path, width = PchipInterpolator(at, np.asarray(points, float))(fine), PchipInterpolator(at, radii)(fine)
    return [limb(path[n], path[n + 1], width[n], width[n + 1], flat, blend) for n in range(len(fine) - 1)]


def plate(a: Point, b: Point, c: Point, thick: float, blend: float = 3.0) -> Body:
    """A triangle of bone, `thick` mm from face to face, its edges rounded."""
    corners = np.array([a, b, c], float)
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    normal /= np.linalg.norm(normal)

    def distance(points: np.ndarray) -> np.ndarray:
        inside, nearest = np.ones(len(points), bool), np.full(len(points), np.inf)
        for first, second in zip(corners, np.roll(corners, -1, axis=0)):
            edge, local = second - first, points - first
            inside &= local @ np.cross(normal, edge) >= 0
            place = np.clip(local @ edge / (edge @ edge), 0.0, 1.0)
            nearest = np.minimum(nearest, np.linalg.norm(local - place[:, None] * edge, axis=1))
        return np.where(inside, np.abs((points - corners[0]) @ normal), nearest) - thick / 2

    return Body(corners.min(0) - thick, corners.max(0) + thick, distance, blend)


def beyond(point: Point, normal: Point, size: float = 200.0, blend: float = 2.0) -> Body:
    """What lies on a normal's side of a plane, taken away, within `size` mm of a point."""
    point, normal = np.asarray(point, float), np.asarray(normal, float) / np.linalg.norm(normal)
    return Body(point - size, point + size, lambda points: -((points - point) @ normal), blend, True)


def gap(point: Point, normal: Point, thick: float, size: float = 60.0) -> Body:
    """A slice between two planes, taken away: the growth plate of a child."""
    point, normal = np.asarray(point, float), np.asarray(normal, float) / np.linalg.norm(normal)
    return Body(point - size, point + size, lambda points: np.abs((points - point) @ normal) - thick / 2, 0.0, True)


def meshed(bodies: Iterable[Body], spacing: float | Point) -> Surface:
    """The surface of bodies, one after the other; `spacing` is that of the grid, mm (along x, y, z)."""
    from skimage.measure import marching_cubes

    bodies, step = list(bodies), np.broadcast_to(np.asarray(spacing, float), 3)
    solid = [body for body in bodies if not body.cut]
    low = np.min([body.low for body in solid], axis=0) - 2.5 * step
    high = np.max([body.high for body in solid], axis=0) + 2.5 * step
    axes = [np.arange(first, last, by) for first, last, by in zip(low, high, step)]
    values = np.full([len(axis) for axis in axes], FAR)
    for body in bodies:
        margin = 2.0 * step + 1.5 * body.blend
        window = tuple(slice(*np.searchsorted(axis, [body.low[n] - margin[n], body.high[n] + margin[n]]))
                       for n, axis in enumerate(axes))  # fmt: skip
        grid = np.meshgrid(*(axis[part] for axis, part in zip(axes, window)), indexing="ij")
        if not grid[0].size:
            continue
        away = body.distance(np.stack([axis.ravel() for axis in grid], 1)).reshape(grid[0].shape)
        there = values[window]
        values[window] = -_united(-there, away, body.blend) if body.cut else _united(there, away, body.blend)
    values[np.abs(values) < 1e-3] = 1e-3  # no vertex where two edges of the grid meet
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=tuple(step))
    surface = Surface((vertices + low).astype(np.float32), faces.astype(np.int32))
    return surface if surface.volume > 0 else Surface(surface.vertices, surface.faces[:, ::-1].copy())


def _united(first: np.ndarray, second: np.ndarray, blend: float) -> np.ndarray:
    if blend <= 0.0:
        return np.minimum(first, second)
    share = np.clip(0.5 + 0.5 * (first - second) / blend, 0.0, 1.0)
    return first + (second - first) * share - blend * share * (1.0 - share)


def rod(path: Sequence[Point], radii: Sequence[tuple[float, float]], across: Point, round_end: float = 1.0,
        rings: int = 26) -> Surface:  # fmt: skip
    """A closed rod with elliptic rings through points.

    Parameters
    ----------
    path : sequence of 3 float (k)
    radii : sequence of 2 float (k)
        Half widths along `across` and at right angles to it, mm.
    across : 3 float
        Not parallel to the path.
    round_end : float
        Length of the rounded ends by their radius.
    """
    from scipy.interpolate import PchipInterpolator

    path, radii = np.asarray(path, float), np.asarray(radii, float)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = length[-1] * (0.5 - 0.5 * np.cos(np.pi * np.linspace(0, 1, rings)))
    middle, width = PchipInterpolator(length, path)(at), PchipInterpolator(length, radii)(at)
    for distance, end in ((at, radii[0]), (length[-1] - at, radii[-1])):
        reach = max(round_end * float(end.min()), 1e-6)
        width *= np.sqrt(1.0 - np.clip(1.0 - distance / reach, 0.0, 0.995) ** 2)[:, None]
    along = np.gradient(middle, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    first = np.asarray(across, float) - along * (along @ np.asarray(across, float))[:, None]
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(along, first)
    angle = np.arange(AROUND) * (2 * np.pi / AROUND)
    circle = (middle[:, None] + width[:, :1, None] * np.cos(angle)[None, :, None] * first[:, None]
              + width[:, 1:, None] * np.sin(angle)[None, :, None] * second[:, None])  # fmt: skip
    here, there, top = np.arange(AROUND), (np.arange(AROUND) + 1) % AROUND, (rings - 1) * AROUND
    faces = [np.stack([np.full(AROUND, rings * AROUND), there, here], 1),
             np.stack([np.full(AROUND, rings * AROUND + 1), top + here, top + there], 1)]  # fmt: skip
    for low in range(0, top, AROUND):
        faces.append(np.stack([low + here, low + there, low + AROUND + there], 1))
        faces.append(np.stack([low + here, low + AROUND + there, low + AROUND + here], 1))
    vertices = np.concatenate([circle.reshape(-1, 3), middle[:1], middle[-1:]])
    return Surface(vertices.astype(np.float32), np.concatenate(faces).astype(np.int32))


def bone(name: str, label: str, surface: Surface, end: float, shaft: float | None = None) -> Bone:
    """A bone whose compact layer is `end` mm thick, and `shaft` mm in the middle of its length."""
    cortex = np.full(len(surface.vertices), end, np.float32)
    if shaft is not None:
        centred = surface.vertices - surface.vertices.mean(0)
        along = centred @ np.linalg.svd(centred.T @ centred)[0][:, 0]
        along = (along - along.min()) / np.ptp(along)
        cortex += ((shaft - end) * np.clip(np.minimum(along, 1 - along) / 0.32, 0, 1) ** 1.4).astype(np.float32)
    return Bone(name, label, surface, cortex)
