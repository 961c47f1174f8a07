"""A body drawn by its outline: left and right border along an axis, and curved ends. Most bones are one of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.interpolate import PchipInterpolator

from .bodies import _bounds_of, _box_corners, _rotated

_TABLE = 2048  # samples of a curve: finer than a pixel of any image made here
Curve = Sequence[tuple[float, float]]


def _sampled(knots: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`values` over `knots`, smoothly interpolated without overshoot at _TABLE even positions, float32."""
    fine = np.linspace(knots[0], knots[-1], _TABLE)
    return PchipInterpolator(knots, values)(fine).astype(np.float32)


@dataclass(frozen=True)
class Profile:
    """A body of elliptic cross-sections along an axis in the image plane.

    In its own frame, s runs along the axis (down, at 0 degrees) and u across it (to the right). At s it reaches from
    left(s) to right(s) with half-depth depth(s): the path length is 2 depth sqrt(1 - |v|^exponent), v being -1 and 1 at
    the borders. Ends are cut along curves over u and rounded off over `cap` mm.

    Parameters
    ----------
    stations : sequence of (s, left, right, depth)
        In mm, s increasing.
    origin : tuple of 2 float
        Of the frame, (x, y) mm.
    degrees : float
        Turn of the frame, clockwise on the image.
    start, end : sequence of (u, s), or None
        Where the body begins and ends; without, at the first and last station.
    cap : float
        Depth of the rounding of both ends, mm; 0 for a plane cut.
    exponent : float
        2 for elliptic cross-sections, more for boxier ones.
    """

    stations: Sequence[tuple[float, float, float, float]]
    origin: tuple[float, float] = (0.0, 0.0)
    degrees: float = 0.0
    start: Curve | None = None
    end: Curve | None = None
    cap: float = 0.0
    exponent: float = 2.0
    _wall: float | Curve = 0.0
    _end_wall: float = 0.0
    _tables: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    def _table(self) -> dict:
        """Lookup tables of middle, half width and depth over s, and of the ends over u; made once."""
        if self._tables:
            return self._tables
        rows = np.asarray(self.stations, float)
        s, end_wall, wall = rows[:, 0], self._end_wall, self._wall
        if not np.isscalar(wall):
            thick = np.asarray(wall, float)
            wall = np.interp(np.linspace(s[0], s[-1], _TABLE), thick[:, 0], thick[:, 1])
        left, right, depth = (_sampled(s, rows[:, column]) for column in (1, 2, 3))
        half = np.maximum((right - left) / 2 - wall, 1e-3).astype(np.float32)
        depth = np.where(half > 2e-3, np.maximum(depth - wall, 0), 0).astype(np.float32)
        table = {"s": (float(s[0]), float(s[-1])), "middle": (left + right) / 2, "half": half, "depth": depth}
        for name, curve, sign in (("start", self.start, 1.0), ("end", self.end, -1.0)):
            if curve is not None:
                knots = np.asarray(curve, float)
                table[name] = (
                    float(knots[0, 0]),
                    float(knots[-1, 0]),
                    _sampled(knots[:, 0], knots[:, 1]) + np.float32(sign * end_wall),
                )
        self._tables.update(table)
        return self._tables

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """See :class:`bodies.Body`."""
        rows = np.asarray(self.stations, float)
        s0, s1 = rows[0, 0], rows[-1, 0]
        if self.start is not None:
            s0 = max(s0, min(s for _, s in self.start))
        if self.end is not None:
            s1 = min(s1, max(s for _, s in self.end))
        pieces = [
            _box_corners(min(a[1], b[1]), max(a[0], s0), max(a[2], b[2]), min(b[0], s1))
            for a, b in zip(rows, rows[1:])
            if b[0] > s0 and a[0] < s1
        ]
        return _bounds_of(np.concatenate(pieces), self.origin, self.degrees)

    def frame(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The coordinates (u, s) in mm of positions x, y (mm)."""
        return _rotated(x, y, self.origin, self.degrees)

    def thickness(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """See :class:`bodies.Body`."""
        table = self._table()
        u, s = self.frame(x, y)
        s0, s1 = table["s"]
        position = (s - np.float32(s0)) * np.float32((_TABLE - 1) / (s1 - s0))
        index = np.clip(position + np.float32(0.5), 0, _TABLE - 1).astype(np.int32)
        v = (u - table["middle"][index]) / table["half"][index]
        v = v * v if self.exponent == 2.0 else np.abs(v) ** np.float32(self.exponent)
        length = 2 * table["depth"][index] * np.sqrt(np.maximum(1 - v, 0), dtype=np.float32)
        length[(s < s0) | (s > s1)] = 0
        for name, sign in (("start", 1.0), ("end", -1.0)):
            if name in table:
                u0, u1, curve = table[name]
                place = (u - np.float32(u0)) * np.float32((_TABLE - 1) / (u1 - u0)) + np.float32(0.5)
                inside = (s - curve[np.clip(place, 0, _TABLE - 1).astype(np.int32)]) * np.float32(sign)
                length *= self._rounding(inside)
            elif self.cap > 0:
                inside = s - np.float32(s0) if name == "start" else np.float32(s1) - s
                length *= self._rounding(inside - np.float32(self._end_wall))
        return length

    def _rounding(self, inside: np.ndarray) -> np.ndarray:
        """Share of the depth left `inside` mm from an end: a quarter circle over `cap`."""
        cap = self.cap - self._end_wall
        if cap <= 0.1:
            return (inside > 0).astype(np.float32)
        f = np.clip(inside / np.float32(cap), 0, 1)
        return np.sqrt(f * (2 - f), dtype=np.float32)

    def inset(self, wall: float | Curve, end_wall: float | None = None) -> Profile:
        """See :class:`bodies.Body`; `wall` may be a curve of (s, mm), `end_wall` (mm) is that of the ends."""
        if end_wall is None:
            end_wall = float(wall) if np.isscalar(wall) else float(np.min(np.asarray(wall)[:, 1]))
        return replace(self, _wall=wall, _end_wall=end_wall)

    def along(self, x: np.ndarray, y: np.ndarray, curve: Curve) -> np.ndarray:
        """Values of `curve`, (s, value) with s increasing, at positions x, y: float32 of their shape."""
        knots = np.asarray(curve, float)
        _, s = self.frame(x, y)
        place = (s - np.float32(knots[0, 0])) * np.float32((_TABLE - 1) / (knots[-1, 0] - knots[0, 0]))
        return _sampled(knots[:, 0], knots[:, 1])[np.clip(place, 0, _TABLE - 1).astype(np.int32)]
