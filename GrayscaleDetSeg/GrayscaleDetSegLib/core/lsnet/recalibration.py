"""The RoI recalibration of L-SNet: from a box to a square image and back, differentiable in both.

The affine transformation of the article's eq. 2 takes a point of the square to one of the image,

    x' = s_x x + b_x,    y' = s_y y + b_y,

where both are counted from the middles of their images (eq. 3 says so by subtracting W / 2 and H / 2). Here a
transformation is a tensor (n, 4) of (s_x, s_y, b_x, b_y), with coordinates of -1 at one edge of an image and 1 at the
other: s is as in eq. 3, and b is divided by half the side. y runs downwards, as eq. 3 has it (in the article's text it
runs upwards).
"""

from __future__ import annotations

import torch
from torch.nn import functional

LEAST = 1 / 64
"""Share of the image's side that a region has at least; the article's epsilon has no work to do then."""


def transformation(points: torch.Tensor, distances: torch.Tensor, margin: float) -> torch.Tensor:
    """The transformation of eq. 3: s_x = l + r + alpha, b_x = 2 (x + (r - l) / 2) - 1, and the same of y.

    Parameters
    ----------
    points : Tensor (n, 2)
        x and y of key points, as shares of the image's width and height from its upper left corner.
    distances : Tensor (n, 4)
        l, r, t, b from there to the edges of the box, as shares; they may be negative, where a point lies outside.
    margin : float
        alpha, as a share: the box grows by half of it on each side, as eq. 3 is printed.

    Returns
    -------
    Tensor (n, 4)
        Differentiable; boxes smaller than `LEAST`, or turned inside out, have that size.
    """
    left, right, top, bottom = distances.unbind(-1)
    x, y = points.unbind(-1)
    wide = (left + right + margin).clamp_min(LEAST)
    high = (top + bottom + margin).clamp_min(LEAST)
    return torch.stack([wide, high, 2.0 * x + (right - left) - 1.0, 2.0 * y + (bottom - top) - 1.0], -1)


def of_boxes(boxes: torch.Tensor, margin: float) -> torch.Tensor:
    """The transformations of boxes (n, 4) of (x0, y0, x1, y1), as shares of the image."""
    low, high = boxes[..., :2], boxes[..., 2:]
    middles, half = (low + high) / 2.0, (high - low) / 2.0
    return transformation(middles, torch.stack([half[..., 0], half[..., 0], half[..., 1], half[..., 1]], -1), margin)


def inverse(transformations: torch.Tensor) -> torch.Tensor:
    """The exact inverse of transformations (n, 4): x = x' / s - b / s.

    The article's eq. 4 is printed as x = x' / (s + epsilon) - b, which is none wherever b is not 0 and s is not 1: the
    shift has to be divided by s as well. With that, and without epsilon (s is never 0 here), it is exact.
    """
    scale, shift = transformations[..., :2], transformations[..., 2:]
    return torch.cat([1.0 / scale, -shift / scale], -1)


def matrix(transformations: torch.Tensor) -> torch.Tensor:
    """The matrices (n, 2, 3) of eq. 2."""
    wide, high, across, down = transformations.unbind(-1)
    none = torch.zeros_like(wide)
    return torch.stack([torch.stack([wide, none, across], -1), torch.stack([none, high, down], -1)], -2)


def recalibrated(images: torch.Tensor, transformations: torch.Tensor, side: int) -> torch.Tensor:
    """The regions (n, channels, side, side) of images (n, channels, rows, columns), by bilinear interpolation.

    What lies outside of an image is 0. Differentiable in the images and in the transformations (n, 4).
    """
    grid = functional.affine_grid(
        matrix(transformations), [len(images), images.shape[1], side, side], align_corners=False
    )
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def restored(
    regions: torch.Tensor,
    transformations: torch.Tensor,
    shape: tuple[int, int],
    window: tuple[slice, slice] | None = None,
) -> torch.Tensor:
    """Regions (n, channels, side, side) back in the places that they were taken from, by the exact inverse.

    Parameters
    ----------
    transformations : Tensor (n, 4)
    shape : tuple of 2 int
        (rows, columns) of the whole image, of whatever resolution.
    window : tuple of 2 slice, optional
        The rows and columns of it that are wanted; all by default.

    Returns
    -------
    Tensor (n, channels, rows, columns)
        Of the window; 0 outside of the region.
    """
    rows, columns = window or (slice(0, shape[0]), slice(0, shape[1]))
    back = inverse(transformations)
    lines = [
        (torch.arange(each.start, each.stop, device=regions.device, dtype=regions.dtype) + 0.5) * (2.0 / size) - 1.0
        for each, size in ((columns, shape[1]), (rows, shape[0]))
    ]
    x, y = (back[:, axis, None] * lines[axis] + back[:, axis + 2, None] for axis in (0, 1))
    grid = torch.stack([x[:, None, :].expand(-1, y.shape[1], -1), y[:, :, None].expand(-1, -1, x.shape[1])], -1)
    return functional.grid_sample(regions, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
