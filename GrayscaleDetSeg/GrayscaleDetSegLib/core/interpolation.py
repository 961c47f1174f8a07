"""Bilinear interpolation between the middles of a grid's cells, a few rows of pixels at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

ROWS_AT_ONCE = 32
"""Temporaries of so many rows stay in a processor's cache."""
FEW_ROWS = 16
"""Cells of no more rows are interpolated several at a time."""


def neighbours(places: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cells whose middles lie before and after each place, and how far it is between them (0..1, float32).

    Exactly at a middle, and beyond the outermost ones, the share is 0: there a cell's value is the interpolated one.

    Parameters
    ----------
    places : ndarray of float
        0..1 over all cells; beyond the outermost middles the outermost cell counts alone.
    count : int
        Cells along the axis.
    """
    position = np.clip(places * count - 0.5, 0.0, count - 1.0)
    before = position.astype(np.int64)
    return before, np.minimum(before + 1, count - 1), (position - before).astype(np.float32)


def stripes(
    grids: Sequence[np.ndarray], down: np.ndarray, across: np.ndarray
) -> Iterator[tuple[slice, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]]:
    """What the interpolation of grids of equal shape starts from: rows of places between the same two rows of cells.

    Parameters
    ----------
    grids : sequence of ndarray of float32, shape (rows, columns) of cells
    down, across : ndarray of float, shapes (n,) and (m,)
        Places 0..1 over the cells, from the upper and from the left edge.

    Yields
    ------
    rows : slice
        Of `down`, at most `ROWS_AT_ONCE`.
    share : ndarray of float32, shape (rows in the slice, 1)
        How far each row is from the cells above to those below, 0..1.
    pairs : list of 2 ndarray of float32, shape (m,)
        For each grid, the cells above and those below, interpolated at `across`.
    """
    above, below, share_down = neighbours(down, grids[0].shape[0])
    left, right, share_across = neighbours(across, grids[0].shape[1])
    wide = [_across(grid, left, right, share_across) for grid in grids]
    edges = [0, *(np.flatnonzero(np.diff(above)) + 1).tolist(), len(down)]
    for begin, end in zip(edges, edges[1:]):
        for first in range(begin, end, ROWS_AT_ONCE):
            rows = slice(first, min(first + ROWS_AT_ONCE, end))
            yield rows, share_down[rows, None], [(grid[above[first]], grid[below[first]]) for grid in wide]


def interpolated_rows(
    grids: Sequence[np.ndarray], down: np.ndarray, across: np.ndarray
) -> Iterator[tuple[slice, list[np.ndarray]]]:
    """Grids of equal shape, interpolated at the crossings of `down` and `across`; parameters as for :func:`stripes`.

    Yields
    ------
    rows : slice
        Of `down`; together they are all of it, in order.
    values : list of ndarray of float32, shape (rows in the slice, m)
        One for each grid.
    """
    if len(down) > FEW_ROWS * grids[0].shape[0]:
        for rows, share, pairs in stripes(grids, down, across):
            yield rows, [above + (below - above) * share for above, below in pairs]
        return
    # stripes of a few rows would take longer to handle than to compute: several together, each row by its own cells
    above, below, share_down = neighbours(down, grids[0].shape[0])
    wide = [_across(grid, *neighbours(across, grid.shape[1])) for grid in grids]
    for first in range(0, len(down), ROWS_AT_ONCE):
        rows = slice(first, min(first + ROWS_AT_ONCE, len(down)))
        yield rows, [_between(values, above[rows], below[rows], share_down[rows, None]) for values in wide]


def _across(grid: np.ndarray, left: np.ndarray, right: np.ndarray, share: np.ndarray) -> np.ndarray:
    """All rows of a grid at places between its columns."""
    first = grid[:, left]
    return first + (grid[:, right] - first) * share


def _between(values: np.ndarray, above: np.ndarray, below: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Rows between the rows `above` and `below` of `values`, by their `share` (n, 1)."""
    upper = values[above]
    found = values[below]
    found -= upper
    found *= share
    found += upper
    return found
