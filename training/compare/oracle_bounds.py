"""The best that boxes can do: one interval for an object, or one for each cell of a grid over its ROI."""

from __future__ import annotations

import numpy as np

from GrayscaleDetSegLib.core import boxes

LEVELS = 256


def best_cells(gray: np.ndarray, mask: np.ndarray, roi: np.ndarray, grid: int) -> np.ndarray:
    """The mask (rows, columns) with the highest IoU that grid x grid boxes over a ROI can make, one interval each.

    IoU is a fraction, true pixels taken over true pixels plus others taken. It is highest where no choice of intervals
    makes the upper part minus the lower times that highest value positive (Dinkelbach 1967): so for a guess of it, each
    cell takes the stretch of its histogram with the largest sum, and the IoU of all together is the next guess.

    Parameters
    ----------
    gray : ndarray of float, shape (rows, columns)
        Gray levels 0..255.
    mask : ndarray of bool, same shape
    roi : (x0, y0, x1, y1) in px
    grid : int
    """
    window = boxes.pixel_slices(roi, gray.shape)
    level = gray[window].astype(np.int64).clip(0, LEVELS - 1)
    truth, size = mask[window], np.count_nonzero(mask)
    rows, columns = level.shape
    cell = (np.arange(rows) * grid // rows)[:, None] * grid + np.arange(columns) * grid // columns
    inside, outside = (_histograms(cell[chosen], level[chosen], grid * grid) for chosen in (truth, ~truth))
    guess, taken = -1.0, np.zeros_like(truth)
    while True:
        bottom, top = _best_stretches(inside - max(guess, 0.0) * outside)
        found = (level >= bottom[cell]) & (level <= top[cell])
        iou = np.count_nonzero(found & truth) / (size + np.count_nonzero(found & ~truth))
        if iou <= guess:
            break
        guess, taken = iou, found
    whole = np.zeros(mask.shape, bool)
    whole[window] = taken
    return whole


def _histograms(cell: np.ndarray, level: np.ndarray, count: int) -> np.ndarray:
    """Pixels by cell and gray level: float64 (cells, levels)."""
    return np.bincount(cell * LEVELS + level, minlength=count * LEVELS).reshape(count, LEVELS).astype(np.float64)


def _best_stretches(worth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last level of the stretch with the largest sum in every row; none where no sum is positive."""
    total = np.concatenate([np.zeros((len(worth), 1)), worth.cumsum(1)], 1)
    gain = total[:, 1:] - np.minimum.accumulate(total[:, :-1], axis=1)
    top = gain.argmax(1)
    before = np.where(np.arange(LEVELS) <= top[:, None], total[:, :-1], np.inf)
    closed = gain[np.arange(len(worth)), top] <= 0.0
    return np.where(closed, LEVELS, before.argmin(1)), top
