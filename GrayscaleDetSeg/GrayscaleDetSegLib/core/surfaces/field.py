"""The result of the surfaces: a bottom and a top for every cell of a grid over the ROI, and what follows from them.

Pure functions of gray levels and thresholds, without any network: this is what editing works on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .. import boxes
from ..gray import GRAY_MAX
from ..interpolation import interpolated_rows, neighbours

Roi = tuple[float, float, float, float]


@dataclass(frozen=True)
class ThresholdField:
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
        is closed. Read-only.
    """

    roi: Roi
    low: np.ndarray
    high: np.ndarray

    def __post_init__(self) -> None:
        if self.low.shape != self.high.shape or self.low.ndim != 2 or self.low.size == 0:
            raise ValueError(f"A field needs as many bottoms as tops, not {self.low.shape} and {self.high.shape}.")
        for name in ("low", "high"):
            values = np.array(getattr(self, name), np.float32)
            if not np.isfinite(values).all():
                raise ValueError("The thresholds of a field must be finite.")
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @classmethod
    def uniform(cls, roi: Roi, low: float, high: float) -> ThresholdField:
        """The field of one cell: the article's single box."""
        return cls(roi, np.full((1, 1), low, np.float32), np.full((1, 1), high, np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of cells."""
        return self.low.shape

    @property
    def closed(self) -> np.ndarray:
        """bool (rows, columns): the cells whose middle no gray level can belong to."""
        return np.maximum(self.low, 0.0) > np.minimum(self.high, GRAY_MAX)

    def shifted(
        self, bottom: float = 0.0, top: float = 0.0, cell: tuple[int, int] | None = None
    ) -> ThresholdField:
        """The field with its bottoms and tops moved by so many gray levels, of all cells or of one (row, column).

        Raises
        ------
        IndexError
            If there is no such cell.
        """
        where = (slice(None), slice(None)) if cell is None else cell
        if cell is not None and not all(0 <= index < size for index, size in zip(cell, self.shape)):
            raise IndexError(f"There is no cell {cell} in a field of {self.shape[0]} x {self.shape[1]}.")
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
        return int((y - y0) / (y1 - y0) * rows), int((x - x0) / (x1 - x0) * columns)

    def at(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bottoms and tops (float32) at places in px, arrays of one shape."""
        x0, y0, x1, y1 = self.roi
        upper, lower, down = neighbours((np.asarray(y, float) - y0) / (y1 - y0), self.shape[0])
        left, right, across = neighbours((np.asarray(x, float) - x0) / (x1 - x0), self.shape[1])
        found = []
        for surface in (self.low, self.high):
            above = surface[upper, left] * (1.0 - across) + surface[upper, right] * across
            below = surface[lower, left] * (1.0 - across) + surface[lower, right] * across
            found.append(above * (1.0 - down) + below * down)
        return found[0], found[1]

    def surfaces(self, window: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        """Bottom and top, float32, of every pixel in a window of the image (slices of rows and columns)."""
        bands = [values for _, values in self.bands(window)]
        return np.concatenate([low for low, _ in bands]), np.concatenate([high for _, high in bands])

    def bands(self, window: tuple[slice, slice]) -> Iterator[tuple[slice, list[np.ndarray]]]:
        """The surfaces over a window of the image, a few rows at a time, so that no temporary grows with the image.

        Yields
        ------
        rows : slice
            Rows of the window.
        surfaces : list of 2 ndarray of float32, shape (rows, columns of the window)
            Bottom and top.
        """
        x0, y0, x1, y1 = self.roi
        rows, columns = window
        down = (np.arange(rows.start, rows.stop) + 0.5 - y0) / (y1 - y0)
        across = (np.arange(columns.start, columns.stop) + 0.5 - x0) / (x1 - x0)
        return interpolated_rows((self.low, self.high), down, across)

    def reach_of(self, cell: tuple[int, int], shape: tuple[int, int]) -> tuple[slice, slice]:
        """The window of an image of `shape` (rows, columns) outside of which a cell's thresholds have no say."""
        x0, y0, x1, y1 = self.roi
        (rows, columns), (row, column) = self.shape, cell
        high, wide = (y1 - y0) / rows, (x1 - x0) / columns
        # interpolation reaches to the middles of the neighbours
        box = x0 + (column - 0.5) * wide, y0 + (row - 0.5) * high, x0 + (column + 1.5) * wide, y0 + (row + 1.5) * high
        inside = np.array([max(box[0], x0), max(box[1], y0), min(box[2], x1), min(box[3], y1)])
        return boxes.pixel_slices(inside, shape)
