"""Gray levels of a real film for a drawn one: what exposure and processing make of tissue differs from maker to maker.

Drawn films have curves of ours; to give them the distribution of gray levels that a real film has (histogram matching)
brings in those that nobody described.
"""

from __future__ import annotations

import numpy as np

DARK = 8
"""Gray levels up to which a place is taken to be beside the body: how much of a film that is says nothing."""
LEAST = 500
"""px of the body that a distribution needs."""


def body_levels(image: np.ndarray) -> np.ndarray | None:
    """The distribution of the gray levels above `DARK`: cumulative shares, float64 (256,), or None of too few px."""
    counts = np.bincount(image.ravel(), minlength=256).astype(np.float64)
    counts[: DARK + 1] = 0.0
    return np.cumsum(counts) / counts.sum() if counts.sum() >= LEAST else None


def with_levels_of(image: np.ndarray, wanted: np.ndarray, share: float) -> np.ndarray:
    """The image with the distribution of gray levels of another one.

    Parameters
    ----------
    image : ndarray of uint8 (rows, columns)
    wanted : ndarray (256,)
        Of the other one, see :func:`body_levels`.
    share : float
        How far each gray level goes there: 0 not at all, 1 the whole way.

    Returns
    -------
    ndarray of uint8 (rows, columns)
        Brighter px stay brighter or become equal; what lies beside the body stays as it is.
    """
    own = body_levels(image)
    if own is None:
        return image
    levels = np.arange(256.0)
    there = np.diff(wanted, prepend=0.0) > 0  # the levels that the other one has
    goal = np.interp(own, wanted[there], levels[there])
    goal[: DARK + 1] = levels[: DARK + 1]
    table = (1.0 - share) * levels + share * goal
    return np.maximum.accumulate(table).round().astype(np.uint8)[image]
