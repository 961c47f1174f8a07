"""Bilinear interpolation between the middles of a grid's cells, a few rows of pixels at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

ROWS_AT_ONCE = 32
"""Temporaries of so many rows stay in a processor's cache."""


def neighbours(places: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cells whose middles lie before and after each place, and how far it is between them (0..1, float32).

    Parameters
    ----------
    places : ndarray of float
        0..1 over all cells; beyond the outermost middles the outermost cell counts alone.
    count : int
        Cells along the axis.
    """
    position = np.clip(places * count - 0.5, 0.0, count - 1.0)
    before = np.minimum(position.astype(np.int64), max(count - 2, 0))
    return before, np.minimum(before + 1, count - 1), (position - before).astype(np.float32)


def interpolated_rows(
    grids: Sequence[np.ndarray], down: np.ndarray, across: np.ndarray
) -> Iterator[tuple[slice, list[np.ndarray]]]:
    """Grids of equal shape, interpolated at the crossings of `down` and `across`.

    Parameters
    ----------
    grids : sequence of ndarray of float32, shape (rows, columns) of cells
    down, across : ndarray of float, shapes (n,) and (m,)
        Places 0..1 over the cells, from the upper and from the left edge.

    Yields
    ------
    rows : slice
        Of `down`.
    values : list of ndarray of float32, shape (rows in the slice, m)
        One for each grid.
    """
    upper, lower, share_down = neighbours(down, grids[0].shape[0])
    left, right, share_across = neighbours(across, grids[0].shape[1])
    wide = [grid[:, left] + (grid[:, right] - grid[:, left]) * share_across for grid in grids]
    for first in range(0, len(down), ROWS_AT_ONCE):
        rows = slice(first, min(first + ROWS_AT_ONCE, len(down)))
        share = share_down[rows, None]
        yield rows, [grid[upper[rows]] + (grid[lower[rows]] - grid[upper[rows]]) * share for grid in wide]
