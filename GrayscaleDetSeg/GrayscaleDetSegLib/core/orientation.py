"""Turning a stored pixel grid the way radiographs are hung, and results back.

A file's direction matrix says where its rows and columns point in the patient. Most radiographs are stored as they are
hung; a flipped or turned grid is brought back to that by flips and a transposition alone, without resampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .gray_image import GrayImage

if TYPE_CHECKING:
    from .radiograph import Geometry


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

    @property
    def is_mirrored(self) -> bool:
        """Whether the view is a mirror image of the stored grid, and no mere turn of it."""
        return self.transpose ^ self.flip_rows ^ self.flip_columns

    @property
    def words(self) -> str:
        """What is done to the stored grid, for the user: "turned by 90 degrees clockwise"."""
        return _WORDS[self.transpose, self.flip_rows, self.flip_columns]

    def of_flipped(self, flips: Orientation) -> Orientation:
        """The orientation that shows `flips.view(image)` as this one shows the image; `flips` transposes nothing."""
        rows, columns = flips.flip_rows, flips.flip_columns
        if self.transpose:
            rows, columns = columns, rows
        return Orientation(self.transpose, self.flip_rows ^ rows, self.flip_columns ^ columns)

    def view(self, image: np.ndarray) -> np.ndarray:
        """An image (rows, columns) as the detectors should see it; a view, no copy. Transposing swaps its shape."""
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

    def roi_to_view(self, roi: tuple[float, ...], shape: tuple[int, int]) -> tuple[float, float, float, float]:
        """The inverse of :meth:`roi_to_stored`; `shape` is that of the stored grid as well."""
        x0, y0, x1, y1 = (roi[1], roi[0], roi[3], roi[2]) if self.transpose else roi
        rows, columns = (shape[1], shape[0]) if self.transpose else shape
        if self.flip_columns:
            x0, x1 = columns - x1, columns - x0
        if self.flip_rows:
            y0, y1 = rows - y1, rows - y0
        return x0, y0, x1, y1

    def view_of(self, gray: GrayImage) -> GrayImage:
        """The gray image in the view; nothing is copied."""
        return gray if self.is_identity else GrayImage(self.view(gray.pixels), gray.mapping)


_WORDS = {
    (False, False, False): "as stored",
    (False, False, True): "mirrored left to right",
    (False, True, False): "mirrored top to bottom",
    (False, True, True): "turned by 180 degrees",
    (True, False, False): "mirrored about its falling diagonal",
    (True, False, True): "turned by 90 degrees clockwise",
    (True, True, False): "turned by 90 degrees counterclockwise",
    (True, True, True): "mirrored about its rising diagonal",
}


def canonical(geometry: Geometry) -> Orientation:
    """The orientation that :func:`along` finds for a grid's directions."""
    direction = np.asarray(geometry.direction, float).reshape(3, 3)
    return along(direction[:, 0], direction[:, 1])


def along(along_columns: ArrayLike, along_rows: ArrayLike) -> Orientation:
    """The orientation in which the view's columns run to the patient's left and its rows to the feet.

    Where the image plane holds no left-right axis, columns run to the back; where it holds no head-foot axis (the
    plane that DICOM radiographs without orientation are given), rows run to the back. Oblique axes count as the
    patient axis they are nearest to.

    Parameters
    ----------
    along_columns, along_rows : sequence of 3 float
        Where the growing column index (x) and the growing row index (y) run to in the patient, LPS.
    """
    vectors = np.asarray(along_columns, float), np.asarray(along_rows, float)
    first, second = (int(np.argmax(np.abs(axis))) for axis in vectors)
    if first == second:
        return Orientation()
    # L or, without it, P goes across; S (downwards: -S) or, without it, P goes down
    transpose = second < first
    across, down = reversed(vectors) if transpose else vectors
    across_axis, down_axis = min(first, second), max(first, second)
    flip_columns = across[across_axis] < 0
    flip_rows = down[down_axis] > 0 if down_axis == 2 else down[down_axis] < 0
    return Orientation(transpose, bool(flip_rows), bool(flip_columns))
