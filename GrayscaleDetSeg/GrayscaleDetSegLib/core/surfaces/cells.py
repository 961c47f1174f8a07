"""A field of thresholds as the 3D boxes that it is made of, for drawing and for counting them."""

from __future__ import annotations

import numpy as np

from ..explanations.threshold_field import ThresholdField
from ..gray import GRAY_MAX


def cells(field: ThresholdField) -> np.ndarray:
    """The 3D boxes of all cells that are not closed, row by row.

    Returns
    -------
    ndarray of float64, shape (n, 6)
        (x0, y0, g0, x1, y1, g1) in px and gray levels, the latter cut off at 0 and 255: where a threshold is open.
    """
    rows, columns = np.nonzero(~field.closed)
    corners = np.stack([columns, rows, columns + 1, rows + 1], axis=-1)
    return _boxes(field, corners, np.stack([values[rows, columns] for values in _shown(field)], axis=-1))


def merged_cells(field: ThresholdField, tolerance: float) -> np.ndarray:
    """The boxes of :func:`cells`, neighbours with about the same bottom and top joined into larger ones.

    From the upper left cell on, each box grows to the right and then down as far as it can. Together the boxes cover
    what the cells cover, and none overlaps another.

    Parameters
    ----------
    tolerance : float
        In one box the bottoms differ by no more than so many gray levels, and so do the tops.

    Returns
    -------
    ndarray of float64, shape (m, 6)
        As for :func:`cells`; bottom and top are the means of the box's cells.

    Raises
    ------
    ValueError
        If the tolerance is negative.
    """
    if not tolerance >= 0.0:
        raise ValueError(f"A tolerance of {tolerance} gray levels is negative.")
    low, high = _shown(field)
    free = ~field.closed

    def fits(part: tuple[slice, slice]) -> bool:
        return bool(free[part].all()) and all(np.ptp(values[part]) <= tolerance for values in (low, high))

    corners, intervals = [], []
    for row, column in np.argwhere(free).tolist():
        if not free[row, column]:  # in a box already
            continue
        end_row, end_column = row + 1, column + 1
        while end_column < field.shape[1] and fits((slice(row, end_row), slice(column, end_column + 1))):
            end_column += 1
        while end_row < field.shape[0] and fits((slice(row, end_row + 1), slice(column, end_column))):
            end_row += 1
        part = slice(row, end_row), slice(column, end_column)
        free[part] = False
        corners.append((column, row, end_column, end_row))
        intervals.append((low[part].mean(), high[part].mean()))
    return _boxes(field, np.array(corners, np.int64).reshape(-1, 4), np.array(intervals, np.float64).reshape(-1, 2))


def _shown(field: ThresholdField) -> tuple[np.ndarray, np.ndarray]:
    """Bottoms and tops as float64, cut off at 0 and 255."""
    low, high = (np.clip(values, 0.0, GRAY_MAX).astype(np.float64) for values in field.cells)
    return low, high


def _boxes(field: ThresholdField, corners: np.ndarray, intervals: np.ndarray) -> np.ndarray:
    """Boxes (n, 6) of corners (n, 4), first column and row and those behind the last, and bottoms and tops (n, 2)."""
    x0, y0, x1, y1 = field.roi
    across, down = np.linspace(x0, x1, field.shape[1] + 1), np.linspace(y0, y1, field.shape[0] + 1)
    left, top, right, bottom = corners.T
    low, high = intervals.T
    return np.stack([across[left], down[top], low, across[right], down[bottom], high], axis=-1)
