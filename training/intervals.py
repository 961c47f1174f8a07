"""The best gray interval of an object inside its ROI: the ground truth of the 3D box, and the method's ceiling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVELS = 255


@dataclass(frozen=True)
class BestInterval:
    """The interval low <= g <= high with the highest IoU, and that IoU (the ceiling of any single box)."""

    low: float
    high: float
    iou: float


def interval_overlaps(gray: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """IoU of {low <= g <= high} with the mask for every pair of whole gray levels.

    Parameters
    ----------
    gray : ndarray of float, any shape
        Gray levels 0..255 of the ROI's pixels.
    mask : ndarray of bool, same shape
        The object's pixels, at least one.

    Returns
    -------
    ndarray, shape (255, 255)
        Entry (i, j) belongs to the interval from i to j + 1; 0 where j < i.
    """
    if not mask.any():
        raise ValueError("The best interval of an empty mask does not exist.")
    level = np.minimum(np.asarray(gray, np.float32), LEVELS - 0.5).astype(np.int64)
    counts = [np.bincount(level[pixels], minlength=LEVELS) for pixels in (mask, ~mask)]
    upto = [np.concatenate([[0], np.cumsum(count)]) for count in counts]
    inside, outside = (total[None, 1:] - total[:-1, None] for total in upto)
    return np.triu(np.maximum(inside, 0) / (upto[0][-1] + np.maximum(outside, 0)))


def best_interval(gray: np.ndarray, mask: np.ndarray, tolerance: float = 0.0) -> BestInterval:
    """The interval with the highest IoU with the mask; of equals, the widest.

    Parameters
    ----------
    gray, mask
        As for :func:`interval_overlaps`.
    tolerance : float
        Also an interval whose IoU is this much lower counts as equal. Training uses a little of it: where hardly any
        pixel lies beyond a threshold, its exact place means nothing, and the widest choice is the steadiest target.
    """
    overlaps = interval_overlaps(gray, mask)
    best = overlaps.max()
    low, high = np.nonzero(overlaps >= best - tolerance)
    widest = np.argmax(high - low)
    # the rule takes in gray levels equal to the top, which here already belong to the next interval
    top = float(LEVELS if high[widest] + 1 == LEVELS else np.nextafter(np.float32(high[widest] + 1), np.float32(0)))
    return BestInterval(float(low[widest]), top, float(overlaps[low[widest], high[widest]]))
