"""Where a radiograph's picture lies: its frame without blank margins, as shutters and unexposed film leave them."""

from __future__ import annotations

import numpy as np

from .gray import GRAY_MAX

BLANK = 4.0
"""Gray levels from black, or from white, that still count as blank."""
FILLED = 0.02
"""Share of a row or column that must not be blank for it to belong to the picture: a letter in the margin is less."""
LEAST = 0.08
"""Share of a side from which cutting a margin is worth it; thinner ones are part of what the detector has learnt."""


def content_window(gray: np.ndarray) -> tuple[slice, slice]:
    """The (row, column) slices of the picture without its blank margins.

    A margin is cut on the sides where it is at least `LEAST` of the image; an image that is blank all over stays whole.

    Parameters
    ----------
    gray : ndarray, shape (rows, columns)
        Gray levels 0..255.
    """
    step = max(1, min(gray.shape) // 512)  # a margin is found as well on a thinned image
    thin = gray[::step, ::step]
    filled = (thin > BLANK) & (thin < GRAY_MAX - BLANK)
    window = []
    for axis, size in ((1, gray.shape[0]), (0, gray.shape[1])):
        lines = np.flatnonzero(filled.mean(axis=axis) >= FILLED)
        if lines.size == 0:
            return slice(0, gray.shape[0]), slice(0, gray.shape[1])
        first, last = int(lines[0]) * step, min(size, (int(lines[-1]) + 1) * step)
        first = first if first >= LEAST * size else 0
        last = last if size - last >= LEAST * size else size
        window.append(slice(first, last))
    return window[0], window[1]
