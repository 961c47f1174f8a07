"""YOLOv3's anchors by k-means over the sizes of the training boxes (by 1 - IoU), and the fit of the 3D anchors."""

from __future__ import annotations

import numpy as np

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig


def size_iou(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """IoU (n, k) of boxes of `sizes` (n, 2) and `anchors` (k, 2) laid on one centre."""
    overlap = np.minimum(sizes[:, None], anchors[None]).prod(-1)
    return overlap / (sizes.prod(-1)[:, None] + anchors.prod(-1)[None] - overlap)


def cluster_anchors(sizes: np.ndarray, count: int, seed: int = 0, rounds: int = 300) -> tuple[np.ndarray, float]:
    """`count` anchors (width, height), smallest area first, and the mean IoU of the boxes with their best anchor.

    Parameters
    ----------
    sizes : ndarray (n, 2)
        Widths and heights in px of the input, at least `count` different ones.
    """
    sizes, generator = np.asarray(sizes, np.float64), np.random.default_rng(seed)
    anchors = sizes[generator.choice(len(sizes), 1)]
    while len(anchors) < count:  # k-means++: the next start is likely where the present ones fit badly
        distance = (1.0 - size_iou(sizes, anchors).max(1)) ** 2
        anchors = np.vstack([anchors, sizes[generator.choice(len(sizes), p=distance / distance.sum())]])
    for _ in range(rounds):
        nearest = size_iou(sizes, anchors).argmax(1)
        moved = np.stack(
            [np.median(sizes[nearest == k], 0) if (nearest == k).any() else anchors[k] for k in range(count)]
        )
        if np.allclose(moved, anchors):
            break
        anchors = moved
    return anchors[np.argsort(anchors.prod(1))], float(size_iou(sizes, anchors).max(1).mean())


def interval_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """3D IoU of boxes over the same ROI, from their intervals (..., 2) alone; broadcasts like ``boxes.iou``."""
    unit = np.array([0.0, 0.0, 1.0, 1.0])
    return boxes.iou(*(boxes.extrude(unit, np.asarray(c)[..., 0], np.asarray(c)[..., 1]) for c in (a, b)))


def anchor_recall(config: AnchorConfig, intervals: np.ndarray, threshold: float) -> float:
    """Share of ground-truth intervals (n, 2) for which some anchor has a 3D IoU of at least `threshold`."""
    overlaps = interval_iou(np.asarray(intervals)[:, None], config.intervals()[None])
    return float((overlaps.max(axis=1) >= threshold).mean())
