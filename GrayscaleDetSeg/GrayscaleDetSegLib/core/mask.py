"""The seventh stage: from thresholds to masks at full resolution, and what happens where these overlap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import boxes
from .explanations.threshold_map import ThresholdMap
from .radiograph import Radiograph
from .types import AnyBox2D, Window
from .windowed import shared_parts

May = Callable[[int, int], bool]
"""Whether two masks, by their places in a list, may share pixels."""

def rule_mask(
    radiograph: Radiograph, roi: AnyBox2D, low: float, high: float, window: Window | None = None
) -> np.ndarray:
    """The pure box rule: the pixels of a ROI with low <= g <= high.

    The thresholds are brought to the image's own units once, and the pixels compared as they are. A threshold at gray
    0 or 255 is open.

    Parameters
    ----------
    roi : tuple of 4 float
        (x0, y0, x1, y1) in px.
    low, high : float
        Gray levels 0..255.
    window : tuple of 2 slice, optional
        Inside of the ROI; by default all of its pixels, ``boxes.pixel_slices(roi, radiograph.shape)``.

    Returns
    -------
    ndarray of bool
        The shape of the window.
    """
    window = boxes.pixel_slices(roi, radiograph.shape) if window is None else window
    return _between(radiograph, window, low, high)


def field_mask(
    radiograph: Radiograph, field: ThresholdMap, window: tuple[slice, slice] | None = None
) -> np.ndarray:
    """The rule of the threshold surfaces: the pixels with low(x, y) <= g <= high(x, y).

    One pass over the pixels, a few rows at a time: beside the mask itself no temporary grows with the image. A field of
    one cell is the box rule, see :func:`rule_mask`.

    Parameters
    ----------
    window : tuple of 2 slice, optional
        Inside of the field's ROI; by default all of it, ``boxes.pixel_slices(field.roi, radiograph.shape)``.

    Returns
    -------
    ndarray of bool
        The shape of the window.
    """
    window = boxes.pixel_slices(field.roi, radiograph.shape) if window is None else window
    if field.shape == (1, 1):
        return _between(radiograph, window, *(float(ends[0, 0]) for ends in field.cells))
    pixels = radiograph.denoised[window]
    mask = np.empty(pixels.shape, bool)
    for rows, (low, high) in field.bands(window):
        gray = radiograph.mapping.to_gray(pixels[rows])
        np.logical_and(gray >= low, gray <= high, out=mask[rows])
    return mask


def settle_overlaps(
    masks: list[np.ndarray], rois: list[AnyBox2D], shape: tuple[int, int], may: May | None = None
) -> list[np.ndarray]:
    """Disjoint masks: a pixel in two masks goes to the object in whose ROI it lies deeper.

    Depth is the distance to the nearest edge of the ROI as a share of its half size, so that neither the larger nor
    the first object wins by that alone; of equal depths, the first wins.

    Parameters
    ----------
    masks : list of ndarray of bool
        Each in its own ROI's window.
    rois : list of (x0, y0, x1, y1)
    shape : tuple of 2 int
        (rows, columns) of the image.
    may : callable (int, int) -> bool, optional
        Whether two of the masks, by their places, may overlap: these are left as they are.

    Returns
    -------
    list of ndarray of bool
        In the same windows; those that lose nothing are the very masks that were given.
    """
    windows = [boxes.pixel_slices(roi, shape) for roi in rois]
    settled = list(masks)
    for first in range(len(masks)):
        for second in range(first + 1, len(masks)):
            parts = shared_parts(windows[first], windows[second])
            if parts is None or (may is not None and may(first, second)):
                continue
            rows, columns = np.nonzero(masks[first][parts[0]] & masks[second][parts[1]])
            x = columns + windows[first][1].start + parts[0][1].start + 0.5
            y = rows + windows[first][0].start + parts[0][0].start + 0.5
            keeps = _depth(rois[first], x, y) >= _depth(rois[second], x, y)
            for number, part, loses in ((first, parts[0], ~keeps), (second, parts[1], keeps)):
                if loses.any():
                    settled[number] = _own(settled[number], masks[number])
                    settled[number][part][rows[loses], columns[loses]] = False
    return settled


def _own(mask: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The mask, or a copy of it if it is still the one that was given."""
    return mask.copy() if mask is given else mask


def _between(radiograph: Radiograph, window: Window, low: float, high: float) -> np.ndarray:
    """bool, the shape of a window: its pixels with low <= g <= high, compared in the image's own units."""
    pixels = radiograph.denoised[window]
    lower, upper = radiograph.mapping.interval_to_units(low, high)
    mask = pixels >= lower
    mask &= pixels <= upper
    return mask


def _depth(roi: AnyBox2D, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = roi
    across = np.minimum(x - x0, x1 - x) / max(x1 - x0, 1e-6)
    down = np.minimum(y - y0, y1 - y) / max(y1 - y0, 1e-6)
    return np.minimum(down, across)
