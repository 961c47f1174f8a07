"""Box geometry in two and three dimensions; everything about boxes that more than one module needs.

A 2D box is (x0, y0, x1, y1) in px and a 3D box (x0, y0, g0, x1, y1, g1) in px and gray levels. Coordinates are those of
pixel edges: the pixel in row i, column j covers x from j to j + 1 and y from i to i + 1. The gray axis is continuous:
a box holds the gray levels g0 <= g <= g1. Arrays of boxes have the shape (..., 4) or (..., 6).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike


def _halves(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.asarray(boxes, np.float64)
    half = boxes.shape[-1] // 2
    if boxes.shape[-1] not in (4, 6):
        raise ValueError(f"A box has 4 (2D) or 6 (3D) numbers, not {boxes.shape[-1]}.")
    return boxes[..., :half], boxes[..., half:]


def _product(sides: np.ndarray) -> np.ndarray:
    """The product over the last axis of 2 or 3 sides, none below 0: far faster than ``np.prod`` on so short an axis."""
    sides = np.maximum(sides, 0.0)
    product = sides[..., 0] * sides[..., 1]
    return product * sides[..., 2] if sides.shape[-1] == 3 else product


def volume(boxes: np.ndarray) -> np.ndarray:
    """Area (2D) or volume (3D) of boxes, shape (...,); 0 for boxes turned inside out."""
    lower, upper = _halves(boxes)
    return _product(upper - lower)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of axis-aligned boxes, 2D or 3D (Ge et al. 2022, equation 1).

    Parameters
    ----------
    a, b : ndarray, shapes (..., 4) or (..., 6)
        Broadcast against each other: ``iou(a[:, None], b[None])`` is the matrix of all pairs.

    Returns
    -------
    ndarray of float64, 0..1
        0 where the union has no volume.
    """
    (a_lower, a_upper), (b_lower, b_upper) = _halves(a), _halves(b)
    intersection = _product(np.minimum(a_upper, b_upper) - np.maximum(a_lower, b_lower))
    union = volume(a) + volume(b) - intersection
    return np.divide(intersection, union, out=np.zeros(np.shape(union)), where=union > 0)


def center(box: ArrayLike) -> np.ndarray:
    """The middle of a 2D box: (x, y)."""
    x0, y0, x1, y1 = np.asarray(box, float)
    return np.array([(x0 + x1) / 2.0, (y0 + y1) / 2.0])


def non_maximum_suppression(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Indices of the boxes that survive greedy non-maximum suppression, best score first.

    Parameters
    ----------
    boxes : ndarray, shape (n, 4) or (n, 6)
    scores : ndarray, shape (n,)
    threshold : float
        A box whose IoU (2D or 3D) with a better survivor exceeds it is removed.
    """
    boxes, order = np.asarray(boxes, np.float64), np.argsort(-np.asarray(scores), kind="stable")
    keep = []
    while order.size:
        best, rest = order[0], order[1:]
        keep.append(best)
        order = rest[iou(boxes[best], boxes[rest]) <= threshold]
    return np.asarray(keep, np.int64)


def class_aware_suppression(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, threshold: float
) -> np.ndarray:
    """As :func:`non_maximum_suppression`, where boxes of different `labels` never suppress each other."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    groups = [index[non_maximum_suppression(np.asarray(boxes)[index], scores[index], threshold)] for index in groups]
    if not groups:
        return np.zeros(0, np.int64)
    kept = np.concatenate(groups)
    return kept[np.argsort(-scores[kept], kind="stable")]


def vote(boxes: np.ndarray, scores: np.ndarray, kept: np.ndarray, threshold: float) -> np.ndarray:
    """The survivors of a suppression, each moved to the mean of the boxes that agree with it, weighted by score.

    Detectors find an object many times over; what suppression would throw away still tells where the edges are
    (box voting, Gidaris and Komodakis 2015).

    Parameters
    ----------
    boxes : ndarray, shape (n, 4) or (n, 6)
        All boxes, before suppression.
    scores : ndarray, shape (n,) or (m, n)
        Of all boxes: for the one class of all survivors, or a row for the class of each survivor.
    kept : ndarray of int, shape (m,)
        Indices of the survivors.
    threshold : float
        Boxes whose IoU with a survivor is at least this have a say; above 1, none but itself has.

    Returns
    -------
    ndarray of float64, shape (m, 4) or (m, 6)
    """
    boxes, scores = np.asarray(boxes, np.float64), np.asarray(scores, np.float64)
    moved = boxes[kept]
    agreeing = iou(moved[:, None], boxes) >= threshold
    for row, (which, own) in enumerate(zip(agreeing, np.broadcast_to(scores, agreeing.shape))):
        if own[which].sum() > 0:
            moved[row] = np.average(boxes[which], axis=0, weights=own[which])
    return moved


def clip(boxes: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """2D boxes cut off at the edges of an image of `shape` (rows, columns)."""
    rows, columns = shape
    return np.clip(np.asarray(boxes, np.float64), 0.0, [columns, rows, columns, rows])


def grown(box: ArrayLike, margin: float, shape: tuple[int, int]) -> np.ndarray:
    """A 2D box with `margin` (share of its size) added on every side, cut off at the edges of an image of `shape`."""
    box = np.asarray(box, np.float64)
    around = margin * np.tile(box[2:] - box[:2], 2) * [-1.0, -1.0, 1.0, 1.0]
    return clip(box + around, shape)


def pixel_slices(box: Iterable[float], shape: tuple[int, int]) -> tuple[slice, slice]:
    """The (row, column) slices of the pixels whose centres lie in a 2D box, at least one pixel each way."""
    x0, y0, x1, y1 = (float(value) for value in box)
    slices = []
    for start, stop, size in ((y0, y1, shape[0]), (x0, x1, shape[1])):
        first = int(np.clip(np.ceil(start - 0.5), 0, size - 1))
        last = int(np.clip(np.ceil(stop - 0.5), first + 1, size))
        slices.append(slice(first, last))
    return slices[0], slices[1]


def of_mask(mask: np.ndarray) -> np.ndarray:
    """The tight 2D box of the true pixels of a mask (rows, columns), float64.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise ValueError("An empty mask has no bounding box.")
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)


def extrude(box: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    """The 3D boxes (..., 6) over a 2D box, from gray level `low` to `high` (scalars or arrays of equal shape)."""
    low, high = np.broadcast_arrays(np.asarray(low, np.float64), np.asarray(high, np.float64))
    x0, y0, x1, y1 = (np.broadcast_to(float(value), low.shape) for value in box)
    return np.stack([x0, y0, low, x1, y1, high], axis=-1)
