"""Plain thresholding inside the same ROI, as a baseline of the 3D detector: Otsu and multi-Otsu (scikit-image)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from skimage.filters import threshold_multiotsu, threshold_otsu

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.gray import GRAY_MAX
from GrayscaleDetSegLib.core.single_box.detected import DetectedBox

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


class ThresholdDetector:
    """Otsu's thresholds in the place of the 3D detector: the same ROIs, the same rule, the same post-processing.

    Parameters
    ----------
    parts : mapping of str to int, optional
        Class to how many of three gray classes are the object (1 or 2), see :func:`multi_otsu`; without it, `otsu`.
    classes : tuple of str
        Those that the pipeline it stands in finds.
    """

    def __init__(self, parts: Mapping[str, int] | None = None, classes: tuple[str, ...] = ()) -> None:
        self.parts, self.classes = parts, classes

    def detect(self, gray: np.ndarray, roi: tuple[float, ...], label: str) -> DetectedBox:
        """The box over a ROI whose interval holds the gray levels that the threshold takes.

        Parameters
        ----------
        gray : ndarray or GrayImage, shape (rows, columns)
            Gray levels 0..255 of the whole image.
        roi : tuple of 4 float
            (x0, y0, x1, y1) in px.
        label : str
        """
        levels = gray[boxes.pixel_slices(roi, gray.shape)]
        taken = otsu(levels, label) if self.parts is None else multi_otsu(levels, label, self.parts.get(label, 1))
        low, high = 0.0, GRAY_MAX
        if not taken.all():  # halfway between the last gray level that is taken and the first that is not
            if label in DARK:
                high = (float(levels[taken].max()) + float(levels[~taken].min())) / 2.0
            else:
                low = (float(levels[taken].min()) + float(levels[~taken].max())) / 2.0
        box = tuple(map(float, boxes.extrude(np.asarray(roi), low, high)))
        return DetectedBox(box, box, 1.0)
