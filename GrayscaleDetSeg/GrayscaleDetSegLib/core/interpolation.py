"""Bilinear interpolation between the middles of a grid's cells, a few rows of pixels at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

ROWS_AT_ONCE = 32
"""Temporaries of so many rows stay in a processor's cache."""


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
    wide = [grid[:, left] + (grid[:, right] - grid[:, left]) * share_across for grid in grids]
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
    for rows, share, pairs in stripes(grids, down, across):
        yield rows, [above + (below - above) * share for above, below in pairs]
