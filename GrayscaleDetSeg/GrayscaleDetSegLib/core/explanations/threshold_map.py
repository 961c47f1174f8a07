"""A threshold map: a bottom and a top for every cell of a grid over a region, and what follows from them.

Pure functions of gray levels and thresholds, without any network: this is what editing works on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..gray import GRAY_MAX
from ..interpolation import interpolated_rows, neighbours
from ..types import AnyBox2D, Box2D

SMALLEST = 1e-6
"""Regions count as at least so wide and high, in px, where their size divides."""


@dataclass(frozen=True)
class ThresholdMap:
    """Adjoining 3D boxes over a ROI, each with its own bottom and top.

    Between the middles of neighbouring cells both are interpolated bilinearly, beyond the outermost middles they stay
    as they are; so read, they are two surfaces, and a pixel inside the ROI belongs to the object where
    low(x, y) <= g <= high(x, y).

    Parameters
    ----------
    roi : tuple of 4 float
        (x0, y0, x1, y1) in px, divided evenly into the cells.
    low, high : ndarray of float32, shape (rows, columns) of cells
        Gray levels. A bottom at or below 0 and a top at or above 255 are open. A cell whose bottom lies above its top
        is closed. Read-only copies.
    bottom, top : float
        How far all bottoms and all tops were moved by hand.
    reach : tuple of 2 float or None
        The darkest and the brightest gray level of the object; 0 and 255 if None. Inside of an object the network puts
        bottoms and tops far beyond its points. When all are moved, those below and above `reach` move from there, where
        they begin to take effect: else a move would change nothing but the outline.

    Raises
    ------
    ValueError
        If bottoms and tops differ in shape, there are none, or some are not finite.
    """

    roi: Box2D
    low: np.ndarray
    high: np.ndarray
    bottom: float = 0.0
    top: float = 0.0
    reach: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.low.shape != self.high.shape or self.low.ndim != 2 or self.low.size == 0:
            raise ValueError(f"A field needs as many bottoms as tops, not {self.low.shape} and {self.high.shape}.")
        object.__setattr__(self, "roi", Box2D(*self.roi))
        for name in ("low", "high"):
            values = np.array(getattr(self, name), np.float32)
            if not (np.isfinite(values).all() and np.isfinite([self.bottom, self.top]).all()):
                raise ValueError("The thresholds of a field must be finite.")
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @classmethod
    def uniform(cls, roi: AnyBox2D, low: float, high: float) -> ThresholdMap:
        """The field of one cell: the article's single box."""
        return cls(Box2D(*roi), np.full((1, 1), low, np.float32), np.full((1, 1), high, np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of cells."""
        return self.low.shape

    @property
    def ends(self) -> tuple[float, float]:
        """The gray levels from which bottoms below and tops above them move, see `reach`."""
        return (0.0, GRAY_MAX) if self.reach is None else self.reach

    @property
    def closed(self) -> np.ndarray:
        """bool (rows, columns): the cells whose middle no gray level can belong to."""
        low, high = self.cells
        return np.maximum(low, 0.0) > np.minimum(high, GRAY_MAX)

    @property
    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Bottoms and tops in the middles of the cells, float32 (rows, columns), after all moves."""
        return self.after_moves(self.low.copy(), self.high.copy())

    def readable(self) -> ThresholdMap:
        """The same thresholds with all moves carried out, as reports say them."""
        return ThresholdMap(self.roi, *self.cells)

    def shifted(self, bottom: float = 0.0, top: float = 0.0, cell: tuple[int, int] | None = None) -> ThresholdMap:
        """The field with its bottoms and tops moved by so many gray levels, of all cells or of one (row, column).

        Raises
        ------
        IndexError
            If there is no such cell.
        """
        if cell is None:
            return replace(self, bottom=self.bottom + float(bottom), top=self.top + float(top))
        where = self._checked(cell)
        low, high = self.low.copy(), self.high.copy()
        low[where] += bottom
        high[where] += top
        return replace(self, low=low, high=high)

    def cell_at(self, x: float, y: float) -> tuple[int, int] | None:
        """The (row, column) of the cell over a place in px; None outside of the ROI."""
        x0, y0, x1, y1 = self.roi
        if not (x0 <= x < x1 and y0 <= y < y1):
            return None
        rows, columns = self.shape
        # just before the far edges, rounding can reach the number of cells itself
        return (
            min(int((y - y0) / (y1 - y0) * rows), rows - 1),
            min(int((x - x0) / (x1 - x0) * columns), columns - 1),
        )

    def at(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bottoms and tops (float32) at places in px, arrays of one shape; those of `bands` in pixels' middles."""
        down, across = self._shares(np.asarray(y, float), np.asarray(x, float))
        upper, lower, share_down = neighbours(down, self.shape[0])
        left, right, share_across = neighbours(across, self.shape[1])
        found = []
        for grid in (self.low, self.high):
            above = grid[upper, left] + (grid[upper, right] - grid[upper, left]) * share_across
            below = grid[lower, left] + (grid[lower, right] - grid[lower, left]) * share_across
            found.append(np.asarray(above + (below - above) * share_down, np.float32))
        return self.after_moves(*found)

    def surfaces(self, window: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        """Bottom and top, float32, of every pixel in a window of the image (slices of rows and columns)."""
        low, high = (np.empty([part.stop - part.start for part in window], np.float32) for _ in range(2))
        for rows, values in self.bands(window):
            low[rows], high[rows] = values
        return low, high

    def bands(self, window: tuple[slice, slice]) -> Iterator[tuple[slice, list[np.ndarray]]]:
        """The surfaces over a window of the image, a few rows at a time, so that no temporary grows with the image.

        Yields
        ------
        rows : slice
            Rows of the window.
        surfaces : list of 2 ndarray of float32, shape (rows, columns of the window)
            Bottom and top.
        """
        return self.bands_at(*(np.arange(part.start, part.stop) + 0.5 for part in window))

    def bands_at(self, y: np.ndarray, x: np.ndarray) -> Iterator[tuple[slice, list[np.ndarray]]]:
        """As :meth:`bands`, where rows `y` (n,) and columns `x` (m,), places in px, cross."""
        for rows, surfaces in interpolated_rows((self.low, self.high), *self._shares(y, x)):
            yield rows, list(self.after_moves(*surfaces))

    def after_moves(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bottoms and tops (float32, one shape, gray levels) with this map's moves carried out; changed in place."""
        if self.bottom:
            np.maximum(low, np.float32(self.ends[0]), out=low)
            low += np.float32(self.bottom)
        if self.top:
            np.minimum(high, np.float32(self.ends[1]), out=high)
            high += np.float32(self.top)
        return low, high

    def _checked(self, cell: tuple[int, int]) -> tuple[int, int]:
        row, column = cell
        if not (0 <= row < self.shape[0] and 0 <= column < self.shape[1]):
            raise IndexError(f"There is no cell {cell} in a field of {self.shape[0]} x {self.shape[1]}.")
        return row, column

    def _shares(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places in px as shares 0..1 of the ROI, down and across; a ROI without extent has no others than its edge."""
        x0, y0, x1, y1 = self.roi
        return (y - y0) / max(y1 - y0, SMALLEST), (x - x0) / max(x1 - x0, SMALLEST)
