"""Noise of a radiograph: measured, and smoothed where it would reach the masks.

A mask holds the pixels whose gray levels lie between two thresholds, so noise of the size of the contrast makes it
crumble. What is smoothed depends on the pixels alone: a result that is opened again is made of the same values.
"""

from __future__ import annotations

import math

import numpy as np

from .gray import GRAY_MAX, GrayMapping

LIMIT = 5.0
"""Gray levels of noise up to which nothing is smoothed; clean radiographs have 0.2 to 2.5."""
HIGHEST = 40.0
"""Gray levels of noise from which a picture is taken to be made of it, and left as it is."""
SMOOTHING = 0.07
"""px of smoothing (standard deviation) per gray level of noise; 0.06 to 0.085 give the same masks to 0.005."""
MOST = 1.2
"""px: no more than this, because edges have to stay where they are."""
SIDE = 512
"""px: the noise is measured on the middle of larger images."""
ROWS_AT_ONCE = 64
_MEDIAN = 0.6745 * 6.0  # median of |N(0, 1)|, and the norm of the mask whose response is measured


def noise_level(pixels: np.ndarray, mapping: GrayMapping) -> float:
    """Standard deviation of the noise, in gray levels.

    The median response to a mask that is blind to planes and straight edges along the axes (Immerkaer 1996; the
    median, instead of his mean, is not moved by bone edges). Saturated pixels do not count.

    Parameters
    ----------
    pixels : ndarray (rows, columns)
        In units of their own.
    mapping : GrayMapping

    Returns
    -------
    float
        0 where fewer than a hundred pixels are left to judge by.
    """
    first = [max(0, (size - SIDE) // 2) for size in pixels.shape]
    gray = mapping.to_gray(pixels[first[0] : first[0] + SIDE, first[1] : first[1] + SIDE])
    if min(gray.shape) < 3:
        return 0.0
    across = gray[:, :-2] - 2.0 * gray[:, 1:-1] + gray[:, 2:]
    response = across[:-2] - 2.0 * across[1:-1] + across[2:]
    middle = gray[1:-1, 1:-1]
    response = np.abs(response[(middle > 0.0) & (middle < GRAY_MAX)])
    return float(np.median(response)) / _MEDIAN if response.size >= 100 else 0.0


def smoothing_for(noise: float) -> float:
    """px (standard deviation) by which an image with so many gray levels of noise is smoothed; 0 where it is not."""
    return min(MOST, SMOOTHING * noise) if LIMIT < noise < HIGHEST else 0.0


def smoothed(pixels: np.ndarray, deviation: float) -> np.ndarray:
    """`pixels` (rows, columns) after a Gaussian of so many px; float32, edges repeated."""
    reach = max(1, math.ceil(3.0 * deviation))
    at = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (at / deviation) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    rows, columns = pixels.shape
    found = np.empty((rows, columns), np.float32)
    for begin in range(0, rows, ROWS_AT_ONCE):  # no temporary is as large as the image
        end = min(begin + ROWS_AT_ONCE, rows)
        above = np.arange(begin - reach, end + reach).clip(0, rows - 1)
        down = _weighted(np.asarray(pixels[above], np.float32), weights)
        padded = np.pad(down, ((0, 0), (reach, reach)), mode="edge")
        found[begin:end] = _weighted(padded.T, weights).T
    return found


def _weighted(padded: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The sums of as many rows in a row as there are weights, float32; fewer rows come out than go in."""
    size = len(padded) - len(weights) + 1
    values = np.zeros_like(padded[:size])
    for start, weight in enumerate(weights):
        values += weight * padded[start : start + size]
    return values
