"""The second stage: pixels of a ROI as points (x, y, g)."""

from __future__ import annotations

import numpy as np

from . import boxes
from .gray import GRAY_MAX
from .gray_image import GrayImage


def point_cloud(gray: np.ndarray | GrayImage, roi: tuple[float, float, float, float]) -> np.ndarray:
    """Every pixel of a ROI as a point.

    Parameters
    ----------
    gray : ndarray, shape (rows, columns)
        Gray levels 0..255 of the whole image.
    roi : tuple of 4 float
        (x0, y0, x1, y1) in px.

    Returns
    -------
    ndarray of float32, shape (n, 3)
        x and y of the pixel's centre in px, and its gray level, row by row.
    """
    rows, columns = boxes.pixel_slices(roi, gray.shape)
    y, x = np.mgrid[rows, columns]
    return np.stack([x + 0.5, y + 0.5, gray[rows, columns]], axis=-1).reshape(-1, 3).astype(np.float32)


def stratified_places(side: int, generator: np.random.Generator) -> np.ndarray:
    """side x side places over a ROI, one at random in each cell of a raster.

    Returns
    -------
    ndarray of float64, shape (side * side, 2)
        x and y as shares 0..1 of the ROI, row by row.
    """
    down, across = generator.random((2, side, side))
    cells = np.arange(side)
    return np.stack([(cells + across) / side, (cells[:, None] + down) / side], axis=-1).reshape(-1, 2)


def sample_points(
    gray: np.ndarray | GrayImage, roi: tuple[float, float, float, float], side: int, generator: np.random.Generator
) -> np.ndarray:
    """side x side points spread over a ROI: one random pixel from each cell of a grid, whatever the resolution.

    Parameters
    ----------
    gray, roi
        As for :func:`point_cloud`.
    side : int
        Cells per axis; in a ROI with fewer pixels than cells, pixels repeat.
    generator : numpy random generator
        Seed it for a reproducible cloud.

    Returns
    -------
    ndarray of float32, shape (side * side, 3)
        x, y in px and gray levels, as for :func:`point_cloud`.
    """
    rows, columns = boxes.pixel_slices(roi, gray.shape)
    offsets = generator.random((2, side, side))
    cells = np.mgrid[:side, :side] + offsets
    y = rows.start + (cells[0] * ((rows.stop - rows.start) / side)).astype(np.int64)
    x = columns.start + (cells[1] * ((columns.stop - columns.start) / side)).astype(np.int64)
    return np.stack([x + 0.5, y + 0.5, gray[y, x]], axis=-1).reshape(-1, 3).astype(np.float32)


def normalise(points: np.ndarray, roi: tuple[float, float, float, float]) -> np.ndarray:
    """Points with x, y and g each brought from the ROI's extent and 0..255 to -1..1; float32, same shape."""
    x0, y0, x1, y1 = roi
    lower = np.array([x0, y0, 0.0], np.float32)
    extent = np.array([max(x1 - x0, 1e-6), max(y1 - y0, 1e-6), GRAY_MAX], np.float32)
    return 2.0 * (points - lower) / extent - 1.0
