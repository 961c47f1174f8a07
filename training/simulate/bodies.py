"""Analytic bodies and the lengths of parallel rays (along z, towards the reader) through them.

Coordinates are in mm: x to the image's right, y down, z the ray. A body knows its bounds (x0, y0, x1, y1) and
gives, for float arrays x and y of one shape, the path length of the ray through (x, y) as float32 of that shape in mm:
0 outside the silhouette, exact inside (bodies whose surface is given as a half-depth over (x, y) are as long as twice
that, by construction).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from .curves import interpolate


class Body(Protocol):
    """Anything with a silhouette and a path length."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) in mm, holding the silhouette."""

    def thickness(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Path length in mm (float32) at positions x, y (mm, arrays of one shape)."""

    def inset(self, wall: float) -> Body:
        """The body inside a shell of `wall` mm."""


def _rotated(
    x: np.ndarray, y: np.ndarray, origin: tuple[float, float], degrees: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (u, s) in a frame at `origin`, turned clockwise on the image by `degrees`."""
    if degrees == 0.0:
        return x - np.float32(origin[0]), y - np.float32(origin[1])
    cosine, sine = np.float32(np.cos(np.radians(degrees))), np.float32(np.sin(np.radians(degrees)))
    dx, dy = x - np.float32(origin[0]), y - np.float32(origin[1])
    return dx * cosine + dy * sine, dy * cosine - dx * sine


def _bounds_of(corners: np.ndarray, origin: tuple[float, float], degrees: float) -> tuple[float, float, float, float]:
    """Bounds in mm of the points `corners` (n, 2) = (u, s) of such a frame."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x = origin[0] + corners[:, 0] * cosine - corners[:, 1] * sine
    y = origin[1] + corners[:, 0] * sine + corners[:, 1] * cosine
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _box_corners(u0: float, s0: float, u1: float, s1: float) -> np.ndarray:
    return np.array([(u0, s0), (u1, s0), (u0, s1), (u1, s1)])


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid with semi-axes (a, b, c) mm at `center`, turned in the image plane by `degrees` (clockwise)."""

    center: tuple[float, float]
    semi_axes: tuple[float, float, float]
    degrees: float = 0.0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """See :class:`Body`."""
        a, b, _ = self.semi_axes
        return _bounds_of(_box_corners(-a, -b, a, b), self.center, self.degrees)

    def thickness(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """See :class:`Body`: 2 c sqrt(1 - (u / a)^2 - (v / b)^2)."""
        a, b, c = (np.float32(value) for value in self.semi_axes)
        u, v = _rotated(x, y, self.center, self.degrees)
        inside = 1 - (u / a) ** 2 - (v / b) ** 2
        return (2 * c) * np.sqrt(np.maximum(inside, 0), dtype=np.float32)

    def inset(self, wall: float) -> Ellipsoid:
        """See :class:`Body`."""
        return replace(self, semi_axes=tuple(max(axis - wall, 0.01) for axis in self.semi_axes))


@dataclass(frozen=True)
class Capsule:
    """A tapered capsule in the image plane: a ball of radius r rolling from `start` to `end`, changing linearly.

    `flatness` is its depth (along z) over its width; 1 makes all cross-sections circles.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    radii: tuple[float, float]
    flatness: float = 1.0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """See :class:`Body`."""
        (x0, y0), (x1, y1), (r0, r1) = self.start, self.end, self.radii
        return min(x0 - r0, x1 - r1), min(y0 - r0, y1 - r1), max(x0 + r0, x1 + r1), max(y0 + r0, y1 + r1)

    def thickness(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """See :class:`Body`: the longest chord through any of the balls that the capsule is the union of.

        Maximises r(t)^2 - |p - p(t)|^2 over 0 <= t <= 1; it is a quadratic function of t, so the maximum is exact.
        """
        start, axis = np.asarray(self.start, np.float64), np.subtract(self.end, self.start)
        r0, slope = float(self.radii[0]), float(self.radii[1] - self.radii[0])
        dx, dy = x - np.float32(start[0]), y - np.float32(start[1])
        along = dx * np.float32(axis[0]) + dy * np.float32(axis[1])
        curvature = float(axis @ axis) - slope * slope
        if curvature > 1e-9:
            t = np.clip((along + np.float32(r0 * slope)) / np.float32(curvature), 0, 1)
        else:  # one ball holds the other
            t = np.float32(1.0 if slope > 0 else 0.0)
        radius = np.float32(r0) + np.float32(slope) * t
        square = radius**2 - (dx - t * np.float32(axis[0])) ** 2 - (dy - t * np.float32(axis[1])) ** 2
        return np.float32(2 * self.flatness) * np.sqrt(np.maximum(square, 0), dtype=np.float32)

    def inset(self, wall: float) -> Capsule:
        """See :class:`Body`."""
        return replace(self, radii=tuple(max(radius - wall, 0.01) for radius in self.radii))


@dataclass(frozen=True)
class Ring:
    """A closed tube (a rib and its mirror image) around a tilted ellipse, seen as an ellipse about `center`.

    Parameters
    ----------
    center : tuple of 2 float
        In mm.
    semi_axes : tuple of 3 float
        Half width along x, half height along y as projected, and half depth along z, mm.
    radius : float
        Of the tube, in the image plane, mm; `flatness` times that along the ray.
    arc : tuple of 2 float
        Angles in degrees (0 to the right, counted on to 90 below) between which there is tube; the rest is left out.
    """

    center: tuple[float, float]
    semi_axes: tuple[float, float, float]
    radius: float
    arc: tuple[float, float] = (0.0, 360.0)
    flatness: float = 1.0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """See :class:`Body`."""
        (x, y), (a, b, _), r = self.center, self.semi_axes, self.radius
        angles = np.radians(np.linspace(*self.arc, 33))
        xs, ys = x + a * np.cos(angles), y + b * np.sin(angles)
        pad = 1.2 * r
        return float(xs.min() - pad), float(ys.min() - pad), float(xs.max() + pad), float(ys.max() + pad)

    def thickness(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """See :class:`Body`: chord of the tube, longer where it runs along the ray (distance to first order)."""
        a, b, c = (np.float32(value) for value in self.semi_axes)
        u, v = (x - np.float32(self.center[0])) / a, (y - np.float32(self.center[1])) / b
        norm = np.sqrt(u * u + v * v) + np.float32(1e-6)
        gradient = np.sqrt((u / a) ** 2 + (v / b) ** 2) / norm + np.float32(1e-9)
        distance = (norm - 1) / gradient
        square = np.maximum(np.float32(self.radius) ** 2 - distance * distance, 0)
        cosine, sine = u / norm, v / norm
        flat = a * a * sine * sine + b * b * cosine * cosine + np.float32(1e-9)
        steepness = np.sqrt(1 + (c * cosine) ** 2 / flat)
        # a chord along the ray is at most that through the bend of the ring
        longest = np.float32(2.0 * np.sqrt(2.0 * self.radius * self.semi_axes[2]))
        chord = np.float32(2 * self.flatness) * np.sqrt(square, dtype=np.float32) * steepness
        first, last = self.arc
        if last - first < 360.0:
            # angle from the middle of the arc, without wrap-around
            middle, half = np.radians((first + last) / 2), np.radians((last - first) / 2)
            turned = cosine * np.float32(np.cos(middle)) + sine * np.float32(np.sin(middle))
            chord = np.where(turned >= np.float32(np.cos(half)), chord, np.float32(0))
        return np.minimum(chord, longest)

    def inset(self, wall: float) -> Ring:
        """See :class:`Body`."""
        return replace(self, radius=max(self.radius - wall, 0.01))


@dataclass(frozen=True)
class Union:
    """Bodies grown together in one plane: the ray is as long as in the deepest of them."""

    bodies: tuple[Body, ...]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """See :class:`Body`."""
        x0, y0, x1, y1 = np.array([body.bounds for body in self.bodies]).T
        return float(x0.min()), float(y0.min()), float(x1.max()), float(y1.max())

    def thickness(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """See :class:`Body`."""
        longest = self.bodies[0].thickness(x, y)
        for body in self.bodies[1:]:
            np.maximum(longest, body.thickness(x, y), out=longest)
        return longest

    def inset(self, wall: float) -> Union:
        """See :class:`Body`."""
        return Union(tuple(body.inset(wall) for body in self.bodies))


@dataclass(frozen=True)
class Placed:
    """A body moved by `shift` mm to the right, or its mirror image about x = 0, moved."""

    body: Body
    shift: float
    mirror: bool = False

    def local(self, x: np.ndarray) -> np.ndarray:
        """Positions x (mm) in the body's own frame."""
        moved = x - np.float32(self.shift)
        return -moved if self.mirror else moved

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """See :class:`Body`."""
        x0, y0, x1, y1 = self.body.bounds
        if self.mirror:
            x0, x1 = -x1, -x0
        return x0 + self.shift, y0, x1 + self.shift, y1

    def thickness(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """See :class:`Body`."""
        return self.body.thickness(self.local(x), y)

    def inset(self, wall: float) -> Placed:
        """See :class:`Body`."""
        return replace(self, body=self.body.inset(wall))


def tube(points: Sequence[tuple[float, float]], radii: Sequence[float], flatness: float = 1.0) -> Union:
    """A tube of varying radius along a smooth curve through `points` (n, 2) in mm, as joined tapered capsules."""
    knots, pieces = np.arange(len(points), dtype=float), max(8, 2 * (len(points) - 1))
    fine = np.linspace(0, len(points) - 1, pieces + 1)
    path = interpolate(knots, np.asarray(points, float), fine)
    width = np.interp(fine, knots, np.asarray(radii, float))
    return Union(
        tuple(
            Capsule(tuple(path[i]), tuple(path[i + 1]), (width[i], width[i + 1]), flatness) for i in range(pieces)
        )
    )
