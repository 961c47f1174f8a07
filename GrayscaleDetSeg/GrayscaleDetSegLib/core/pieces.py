"""The connected pieces of a mask, by its runs: the pixels of a row that lie side by side.

A mask of many megapixels has some thousand runs, so that what is asked of pieces (sizes, windows, which to keep) takes
one pass over the pixels and hardly any memory.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

_ROWS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Pieces:
    """The connected pieces of a mask, numbered from 0 in the order of their first pixels, row by row.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
        It must not be changed while it is asked for pixels.
    rows, starts, stops : ndarray of int, shape (runs,)
        The row of each run, its first column, and the one behind its last; in the order of the pixels.
    numbers : ndarray of int, shape (runs,)
        The piece of each run.
    count : int
        How many pieces there are.
    """

    mask: np.ndarray
    rows: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    numbers: np.ndarray
    count: int

    @classmethod
    def of(cls, mask: np.ndarray, corners: bool) -> Pieces:
        """The pieces of a mask (rows, columns) of bool; `corners` says whether pixels join at their corners."""
        wide = mask.shape[1] + 1  # behind each row lies a place that holds nothing
        starts, stops = _runs(mask)
        # runs of the next row that a run meets lie side by side in the list
        first = np.searchsorted(stops, starts + wide, "left" if corners else "right")
        behind = np.searchsorted(starts, stops + wide, "right" if corners else "left")
        met = np.maximum(behind - first, 0)
        upper = np.repeat(np.arange(len(starts)), met)
        lower = np.arange(len(upper)) + np.repeat(first - (np.cumsum(met) - met), met)
        roots = _joined(len(starts), upper, lower)
        is_root = roots == np.arange(len(roots))
        numbers = (np.cumsum(is_root) - 1)[roots]
        rows = starts // wide
        return cls(mask, rows, starts - rows * wide, stops - rows * wide, numbers, int(np.count_nonzero(is_root)))

    @functools.cached_property
    def sizes(self) -> np.ndarray:
        """Pixels of each piece, int (count,)."""
        return np.bincount(self.numbers, self.stops - self.starts, self.count).astype(np.int64)

    @functools.cached_property
    def boxes(self) -> np.ndarray:
        """The box of each piece, int (count, 4): x0, y0, x1, y1, the latter two behind its last column and row."""
        found = np.zeros((self.count, 4), np.int64)
        found[:, :2] = max(self.mask.shape)
        np.minimum.at(found[:, 0], self.numbers, self.starts)
        np.minimum.at(found[:, 1], self.numbers, self.rows)
        np.maximum.at(found[:, 2], self.numbers, self.stops)
        np.maximum.at(found[:, 3], self.numbers, self.rows + 1)
        return found

    def labels(self) -> np.ndarray:
        """The number of the piece of each pixel, from 1; 0 where the mask is false. uint32 (rows, columns)."""
        found = np.zeros(self.mask.shape, np.uint32)
        found[self.mask] = self._of_pixels((self.numbers + 1).astype(np.uint32))
        return found

    def chosen(self, which: np.ndarray) -> np.ndarray:
        """The mask of those pieces for which `which`, bool (count,), is true."""
        found = np.zeros(self.mask.shape, bool)
        found[self.mask] = self._of_pixels(which[self.numbers])
        return found

    def cut_out(self, number: int) -> np.ndarray:
        """The mask of one piece, bool, of the size of its box."""
        x0, y0, x1, y1 = self.boxes[number]
        runs = np.flatnonzero(self.numbers == number)
        steps = np.zeros((y1 - y0, x1 - x0 + 1), np.int8)
        steps[self.rows[runs] - y0, self.starts[runs] - x0] += 1
        steps[self.rows[runs] - y0, self.stops[runs] - x0] -= 1  # no two runs of a row touch
        return np.cumsum(steps, axis=1, dtype=np.int8)[:, :-1].astype(bool)

    def _of_pixels(self, values: np.ndarray) -> np.ndarray:
        """One value for each run as one for each true pixel, in the order of the pixels."""
        return np.repeat(values, self.stops - self.starts)


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First place and the one behind the last of each run of true pixels, in rows that are one place longer."""
    rows, columns = mask.shape
    wide, found = columns + 1, []
    for begin in range(0, rows, _ROWS_AT_ONCE):  # no copy of a whole large mask
        part = mask[begin : begin + _ROWS_AT_ONCE]
        held = np.zeros(len(part) * wide + 1, bool)  # the first place holds nothing
        held[1:].reshape(len(part), wide)[:, :columns] = part
        found.append(np.flatnonzero(held[1:] != held[:-1]) + begin * wide)
    edges = np.concatenate(found) if found else np.zeros(0, np.int64)
    return edges[::2], edges[1::2]


def _joined(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The smallest of all members that each of 0 .. `count` - 1 is joined with, by pairs (first, second)."""
    root = np.arange(count)
    while len(first):
        low, high = np.minimum(first, second), np.maximum(first, second)
        np.minimum.at(root, high, low)
        while True:  # to the end of every chain
            further = root[root]
            if np.array_equal(further, root):
                break
            root = further
        first, second = root[first], root[second]
        apart = first != second
        first, second = first[apart], second[apart]
    return root
