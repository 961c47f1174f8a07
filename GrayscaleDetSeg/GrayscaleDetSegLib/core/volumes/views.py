"""A volume as slices of three views, and the boxes in them."""

from __future__ import annotations

import numpy as np

VIEWS = {"coronal": 1, "sagittal": 2, "axial": 0}
"""Each view, and the axis of the working grid (superior, posterior, left) that its slices follow each other along."""
MULTIPLE = 8
"""Windows are enlarged to multiples of this, with what the image shows there, so that many are alike in size."""
LEAST_MARGIN = 2
"""Px that every box grows by at least, or small images would not let it move."""


def along(values: np.ndarray, view: str) -> np.ndarray:
    """The same values as slices (n, rows, columns) of a view; nothing is copied."""
    return np.moveaxis(values, VIEWS[view], 0)


def margin_px(share: float, shape: tuple[int, int]) -> tuple[int, int]:
    """A margin, given as a share of the image's side, in px down and across a slice of `shape`."""
    down, across = (max(LEAST_MARGIN if share > 0 else 0, int(round(share * side))) for side in shape)
    return down, across


def slice_boxes(mask: np.ndarray) -> np.ndarray:
    """The smallest box (top, left, bottom, right) of every slice of a mask (n, rows, columns); -1 where it is empty."""
    boxes = np.full((len(mask), 4), -1, np.int64)
    for axis, (low, high) in ((2, (0, 2)), (1, (1, 3))):
        used = np.any(mask, axis)
        some = used.any(1)
        boxes[some, low] = used[some].argmax(1)
        boxes[some, high] = used.shape[1] - used[some][:, ::-1].argmax(1)
    return boxes


def windows(mask: np.ndarray, margin: tuple[int, int], multiple: int = MULTIPLE) -> np.ndarray:
    """The boxes of :func:`slice_boxes`, grown by a margin and to a multiple, within the slices; -1 where empty."""
    boxes = slice_boxes(mask)
    some = boxes[:, 2] > 0
    for axis in (0, 1):
        low, high = grown(boxes[some, axis], boxes[some, axis + 2], margin[axis], mask.shape[axis + 1], multiple)
        boxes[some, axis], boxes[some, axis + 2] = low, high
    return boxes


def volume_windows(
    mask: np.ndarray, margin: tuple[int, int], share: float, multiple: int = MULTIPLE
) -> np.ndarray:
    """One window around all of a mask (n, rows, columns), of the slices that it shows in and those beside them.

    As many slices on each side as a margin has of their number, one at least; -1 for all others.
    """
    boxes = np.full((len(mask), 4), -1, np.int64)
    used = np.flatnonzero(mask.any((1, 2)))
    if used.size:
        beside = max(1, int(round(share * len(mask))))
        first, last = max(0, used[0] - beside), min(len(mask), used[-1] + 1 + beside)
        shadow = np.asarray(mask.any(0))
        boxes[first:last] = windows(shadow[None], margin, multiple)[0]
    return boxes


def grown(low: np.ndarray, high: np.ndarray, margin: int | np.ndarray, side: int, multiple: int = MULTIPLE):
    """Intervals [low, high) with a margin, then as long as the next multiple, moved into 0..side."""
    low, high = np.maximum(low - margin, 0), np.minimum(high + margin, side)
    length = np.minimum(-(-(high - low) // multiple) * multiple, side)
    start = np.clip(low - (length - (high - low)) // 2, 0, side - length)
    return start, start + length


def stack(slices: np.ndarray, index: int, count: int, window: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """(count, rows, columns): a slice with its neighbours, the outermost one repeated; or a window of them."""
    half = count // 2
    chosen = np.clip(np.arange(index - half, index + half + 1), 0, len(slices) - 1)
    if window is None:
        return np.ascontiguousarray(slices[chosen])
    top, left, bottom, right = window
    return np.ascontiguousarray(slices[chosen, top:bottom, left:right])


def dsc(first: np.ndarray, second: np.ndarray) -> float:
    """The Dice-Sorensen coefficient of two masks (bool); 1 where both are empty."""
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    return 2.0 * int(np.count_nonzero(first & second)) / total if total else 1.0


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int, int, int] | None:
    """(z0, y0, x0, z1, y1, x1) around the voxels of a mask; None where there are none."""
    ends: list[tuple[int, int]] = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if not used.size:
            return None
        ends.append((int(used[0]), int(used[-1]) + 1))
    (z0, z1), (y0, y1), (x0, x1) = ends
    return z0, y0, x0, z1, y1, x1


def largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest part of a mask (bool) whose voxels meet with their sides; all of one that is empty."""
    import SimpleITK as sitk

    if not mask.any():
        return mask
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8))))
    return parts == np.bincount(parts.ravel())[1:].argmax() + 1


def near(mask: np.ndarray, reach: float) -> np.ndarray:
    """The voxels (bool) less than `reach` voxels away from a mask, itself included."""
    import SimpleITK as sitk

    if not mask.any():
        return np.zeros(mask.shape, bool)
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    away = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=False)
    return (sitk.GetArrayViewFromImage(away) < reach) | mask
