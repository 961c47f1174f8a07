"""Fitting an image of any size and shape into the detector's square input, and boxes back out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..layers.resizing import block_means, reduced

MAXIMUM_ASPECT = 1.3
"""Longest over shortest side of the fitted image. A long-leg film (1:3 and more) is stretched to this, because at
true aspect its bones would be a few px wide in the input. Stretching is undone exactly when boxes are mapped back."""


@dataclass(frozen=True)
class Letterbox:
    """The placement of an image in a square input: ``input = image * scale + offset`` for edges, per axis.

    Parameters
    ----------
    size : int
        Side of the square, px.
    fitted : tuple of 2 int
        (rows, columns) of the image inside the square.
    scale, offset : tuple of 2 float
        (x, y), from px of the image to px of the input.
    """

    size: int
    fitted: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]

    @classmethod
    def fit(cls, shape: tuple[int, int], size: int, pixel_aspect: float = 1.0) -> Letterbox:
        """Centre an image of `shape` (rows, columns) in a square; `pixel_aspect` is row spacing / column spacing."""
        rows, columns = shape[0] * pixel_aspect, float(shape[1])
        longest = max(rows, columns)
        shortest = longest / MAXIMUM_ASPECT
        rows, columns = max(rows, shortest) * size / longest, max(columns, shortest) * size / longest
        fitted = max(1, round(rows)), max(1, round(columns))
        scale = fitted[1] / shape[1], fitted[0] / shape[0]
        offset = float((size - fitted[1]) // 2), float((size - fitted[0]) // 2)
        return cls(size, fitted, scale, offset)

    def image_to_input(self, gray: np.ndarray) -> np.ndarray:
        """The input (1, 1, size, size), float32 in 0..1, of gray levels 0..255 (rows, columns); black around it."""
        # whole-number block means first: far cheaper than an antialiased resize of a full-size radiograph
        factors = [max(1, gray.shape[axis] // (2 * self.fitted[axis])) for axis in (0, 1)]
        image = reduced(block_means(np.asarray(gray, np.float32), *factors), self.fitted)
        left, top = int(self.offset[0]), int(self.offset[1])
        square = np.zeros((1, 1, self.size, self.size), np.float32)
        np.divide(image, 255.0, out=square[0, 0, top : top + self.fitted[0], left : left + self.fitted[1]])
        return square

    def boxes_to_image(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (n, 4) in px of the input as boxes in px of the image."""
        return (np.asarray(boxes, np.float64) - np.tile(self.offset, 2)) / np.tile(self.scale, 2)

    def boxes_to_input(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (n, 4) in px of the image as boxes in px of the input."""
        return np.asarray(boxes, np.float64) * np.tile(self.scale, 2) + np.tile(self.offset, 2)
