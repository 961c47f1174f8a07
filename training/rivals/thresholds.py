"""Plain thresholding inside the same ROI, as a rival of the 3D detector: Otsu and multi-Otsu (scikit-image)."""

from __future__ import annotations

import numpy as np
from skimage.filters import threshold_multiotsu, threshold_otsu

DARK = ("right lung", "left lung")
"""Classes that are darker than what surrounds them; the others are brighter."""


def otsu(gray: np.ndarray, label: str) -> np.ndarray:
    """The pixels on the object's side of Otsu's threshold, in the gray levels of a ROI; same shape, bool."""
    if gray.min() == gray.max():
        return np.ones(gray.shape, bool)
    threshold = threshold_otsu(gray)
    return gray <= threshold if label in DARK else gray > threshold


def multi_otsu(gray: np.ndarray, label: str, parts: int = 1) -> np.ndarray:
    """As :func:`otsu` with three gray classes, of which the outermost `parts` (1 or 2) on its side are the object."""
    levels = np.round(gray).astype(np.uint8)
    if np.unique(levels).size < 3:
        return otsu(gray, label)
    thresholds = threshold_multiotsu(levels, classes=3)
    return levels <= thresholds[parts - 1] if label in DARK else levels > thresholds[-parts]
