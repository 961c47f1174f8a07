"""A body drawn by its outline: left and right border along an axis, and curved ends. Most bones are one of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .bodies import _bounds_of, _box_corners, _rotated
from .curves import Curve, Table


@dataclass(frozen=True)
class Profile:
    """A body of elliptic cross-sections along an axis in the image plane.

    In its own frame, s runs along the axis (down, at 0 degrees) and u across it (to the right). At s it reaches from
    left(s) to right(s) with half-depth depth(s): the path length is 2 depth sqrt(1 - v^(2^doublings)), v being -1 and 1
    at the borders. Ends are cut along curves over u and rounded off over `cap` mm.

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
    doublings : int
        1 for elliptic cross-sections, more for boxier ones (2: v^4, 3: v^8).
    """

    stations: Sequence[tuple[float, float, float, float]]
    origin: tuple[float, float] = (0.0, 0.0)
    degrees: float = 0.0
    start: Curve | None = None
    end: Curve | None = None
    cap: float = 0.0
    doublings: int = 1
    _wall: float | Curve = 0.0
    _end_wall: float = 0.0
    # made once, and shared by the bodies inside it
    _curves: dict = field(default_factory=dict, repr=False, compare=False)

    def _table(self, name: str) -> Table | None:
        """The table of the borders (s to left, right, depth) or of the "start" or "end" (u to s)."""
        if name not in self._curves:
            knots = {"borders": self.stations, "start": self.start, "end": self.end}[name]
            rows = None if knots is None else np.asarray(knots, float)
            self._curves[name] = None if rows is None else Table(rows[:, 0], rows[:, 1:])
        return self._curves[name]

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
        borders = self._table("borders")
        u, s = self.frame(x, y)
        left, right, depth = borders.values.T
        wall = self._wall
        if not np.isscalar(wall):
            wall = np.interp(borders.positions, *np.asarray(wall, float).T)
        half = np.maximum((right - left) / 2 - wall, 1e-3).astype(np.float32)
        depth = np.where(half > 2e-3, np.maximum(depth - wall, 0), 0).astype(np.float32)
        index = borders.index(s)
        v = (u - ((left + right) / 2)[index]) / half[index]
        v *= v
        for _ in range(self.doublings - 1):
            v *= v
        length = 2 * depth[index] * np.sqrt(np.maximum(1 - v, 0), dtype=np.float32)
        length[(s < borders.first) | (s > borders.last)] = 0
        for name, sign in (("start", 1.0), ("end", -1.0)):
            table = self._table(name)
            if table is not None:
                inside = (s - table.values[:, 0][table.index(u)]) * np.float32(sign)
                length *= self._rounding(inside - np.float32(self._end_wall))
            elif self.cap > 0:
                inside = s - np.float32(borders.first) if name == "start" else np.float32(borders.last) - s
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
        table = Table(knots[:, 0], knots[:, 1])
        return table.values[:, 0][table.index(self.frame(x, y)[1])]
