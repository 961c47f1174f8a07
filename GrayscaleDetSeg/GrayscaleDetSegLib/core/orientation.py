"""Turning a stored pixel grid the way radiographs are hung, and results back.

A file's direction matrix says where its rows and columns point in the patient. Most radiographs are stored as they are
hung; a flipped or turned grid is brought back to that by flips and a transposition alone, without resampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import boxes
from .gray_image import GrayImage
from .radiograph import Geometry
from .types import Box2D


@dataclass(frozen=True)
class Orientation:
    """A transposition followed by flips: view = (transposed) pixels, reversed along the named axes."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @property
    def is_identity(self) -> bool:
        """Whether the view is the stored grid itself."""
        return not (self.transpose or self.flip_rows or self.flip_columns)

    def view(self, image: np.ndarray) -> np.ndarray:
        """The image as the detectors should see it; a view, no copy."""
        image = image.T if self.transpose else image
        return image[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]

    def stored(self, view: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`view`; a view, no copy."""
        image = view[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]
        return image.T if self.transpose else image

    def roi_to_stored(self, roi: tuple[float, ...], shape: tuple[int, int]) -> tuple[float, float, float, float]:
        """A box (x0, y0, x1, y1) in the view as a box in the stored grid of `shape` (rows, columns)."""
        rows, columns = (shape[1], shape[0]) if self.transpose else shape
        x0, y0, x1, y1 = roi
        if self.flip_columns:
            x0, x1 = columns - x1, columns - x0
        if self.flip_rows:
            y0, y1 = rows - y1, rows - y0
        return (y0, x0, y1, x1) if self.transpose else (x0, y0, x1, y1)

    def seen(self, gray: GrayImage, roi: tuple[float, ...]) -> tuple[GrayImage, Box2D, Box2D]:
        """The pixels of a ROI in the view, their whole extent there, and the same extent in the stored grid."""
        rows, columns = boxes.pixel_slices(roi, gray.shape)
        seen = GrayImage(self.view(gray.pixels[rows, columns]), gray.mapping)
        window = Box2D(*map(float, (columns.start, rows.start, columns.stop, rows.stop)))
        return seen, Box2D(0.0, 0.0, float(seen.shape[1]), float(seen.shape[0])), window


def canonical(geometry: Geometry) -> Orientation:
    """The orientation in which the view's columns run to the patient's left and its rows to the feet.

    Where the image plane holds no left-right axis, columns run to the back; where it holds no head-foot axis (the
    plane that DICOM radiographs without orientation are given), rows run to the back. Oblique axes count as the
    patient axis they are nearest to.
    """
    direction = np.asarray(geometry.direction, float).reshape(3, 3)
    along_columns, along_rows = direction[:, 0], direction[:, 1]  # patient direction of growing x, of growing y
    first, second = (int(np.argmax(np.abs(axis))) for axis in (along_columns, along_rows))
    if first == second:
        return Orientation()
    # L or, without it, P goes across; S (downwards: -S) or, without it, P goes down
    transpose = second < first
    across, down = (along_rows, along_columns) if transpose else (along_columns, along_rows)
    across_axis, down_axis = min(first, second), max(first, second)
    flip_columns = across[across_axis] < 0
    flip_rows = down[down_axis] > 0 if down_axis == 2 else down[down_axis] < 0
    return Orientation(transpose, bool(flip_rows), bool(flip_columns))
