"""Smooth curves through knots, without overshoot, as lookup tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Curve = Sequence[tuple[float, float]]
STEP = 0.1  # mm from one entry of a table to the next: finer than a pixel of any image made here
_LONGEST = 8192


def interpolate(knots: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Piecewise cubic values through (knots, values) whose slopes keep to Fritsch and Butland's rule (no overshoot).

    Parameters
    ----------
    knots : ndarray, shape (n,)
        Increasing, n at least 2.
    values : ndarray, shape (n, k)
    at : ndarray, shape (m,)
        Within the knots.

    Returns
    -------
    ndarray of float64, shape (m, k)
    """
    widths = np.diff(knots)[:, None]
    rises = np.diff(values, axis=0) / widths
    slopes = np.concatenate([rises[:1], np.zeros_like(rises[1:]), rises[-1:]])
    if len(rises) > 1:
        before, after = rises[:-1], rises[1:]
        w1, w2 = 2 * widths[1:] + widths[:-1], widths[1:] + 2 * widths[:-1]
        same = before * after > 0
        mean = np.where(same, w1 * after + w2 * before, 1.0)
        slopes[1:-1] = np.where(same, (w1 + w2) * before * after / mean, 0.0)
    piece = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    h = widths[piece]
    t = ((at - knots[piece])[:, None]) / h
    s = 1 - t
    return (
        (1 + 2 * t) * s * s * values[piece]
        + t * s * s * h * slopes[piece]
        + t * t * (3 - 2 * t) * values[piece + 1]
        - t * t * s * h * slopes[piece + 1]
    )


class Table:
    """Curves over one axis, sampled evenly: float32 of the shape (m, k) from `first` to `last` (mm)."""

    def __init__(self, knots: np.ndarray, values: np.ndarray) -> None:
        self.first, self.last = float(knots[0]), float(knots[-1])
        size = int(np.clip(np.ceil((self.last - self.first) / STEP) + 1, 64, _LONGEST))
        self.positions = np.linspace(self.first, self.last, size)
        values = np.asarray(values, float).reshape(len(knots), -1)
        self.values = interpolate(np.asarray(knots, float), values, self.positions).astype(np.float32)

    def index(self, at: np.ndarray) -> np.ndarray:
        """Indices of the entries nearest to positions `at` (mm); those beyond the ends get the last entry there."""
        size = len(self.positions)
        place = (at - np.float32(self.first)) * np.float32((size - 1) / (self.last - self.first))
        return np.clip(place + np.float32(0.5), 0, size - 1).astype(np.int32)
