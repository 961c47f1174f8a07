"""Gray levels on demand: detectors look at few of a radiograph's pixels, so only those are mapped."""

from __future__ import annotations

import numpy as np

from .gray import GrayMapping

THINNED = 1024
"""Thinned images have at least this, and less than twice this, on their longest side (unless they start smaller)."""


class GrayImage:
    """The gray levels of a radiograph, indexed like an array; the mapping is applied to what is asked for.

    Parameters
    ----------
    pixels : ndarray, shape (rows, columns)
        Own units, bone bright.
    mapping : GrayMapping
    """

    def __init__(self, pixels: np.ndarray, mapping: GrayMapping) -> None:
        self.pixels, self.mapping = pixels, mapping

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) in px."""
        return self.pixels.shape

    def __getitem__(self, index) -> np.ndarray:
        """float32 gray levels 0..255 of the pixels that numpy's indexing gives."""
        return self.mapping.to_gray(self.pixels[index])

    def thinned(self) -> tuple[np.ndarray, int]:
        """float32 gray levels of every n-th pixel both ways, and n: about as many whatever the resolution."""
        step = max(1, max(self.shape) // THINNED)
        first = step // 2 if min(self.shape) > step // 2 else 0
        return self[first::step, first::step], step
