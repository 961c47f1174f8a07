"""Regions of slices as a region proposal network says them: anchors, offsets, and what is left of them all.

Boxes are (x0, y0, x1, y1) in px of a slice, from the outer corner of its first pixel. Offsets are Faster R-CNN's:
tx = (x - xa) / wa, ty = (y - ya) / ha, tw = log(w / wa), th = log(h / ha), of the centres and sizes of box and anchor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import boxes as geometry

MOST_LOG = 4.0
"""tw and th are cut off here, so that their exponential stays finite."""
BEFORE = 200
"""So many of the best anchors of a slice are compared with each other at most."""


@dataclass(frozen=True)
class SliceRegions:
    """Boxes in the slices of a view.

    Parameters
    ----------
    index : ndarray of int64, (n,)
        Their slices, in ascending order.
    boxes : ndarray of float64, (n, 4)
    scores : ndarray of float64, (n,)
        Probability of an object, 0..1; NaN of boxes that nobody has detected, but somebody gave.
    """

    index: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[tuple[int, Sequence[float], float]]) -> SliceRegions:
        """Of (slice, box, score), in any order; boxes of one slice keep theirs."""
        rows = sorted(rows, key=lambda row: row[0])
        return cls(
            np.array([row[0] for row in rows], np.int64),
            np.array([row[1] for row in rows], np.float64).reshape(-1, 4),
            np.array([row[2] for row in rows], np.float64),
        )

    def __len__(self) -> int:
        return len(self.index)

    def grown(self, margin: float, shape: Sequence[int]) -> SliceRegions:
        """The same with a margin on every side, a share of the longest side of slices of `shape`, cut at edges."""
        if margin == 0.0:
            return self
        rows, columns = shape
        more = margin * max(rows, columns) * np.array([-1.0, -1.0, 1.0, 1.0])
        return SliceRegions(self.index, geometry.clip(self.boxes + more, (rows, columns)), self.scores)

    def rows(self) -> list[tuple[int, Sequence[float], float]]:
        """As :meth:`of` takes them."""
        return list(zip(self.index.tolist(), self.boxes.tolist(), self.scores.tolist()))


def anchor_boxes(
    rows: int, columns: int, stride: int, scales: Sequence[float], ratios: Sequence[float], side: float
) -> np.ndarray:
    """The anchors of a map of features, float64 (rows * columns * scales * ratios, 4), around the middle of each cell.

    Parameters
    ----------
    rows, columns : int
        Of the map.
    stride : int
        Px of the slice that a cell stands for.
    scales : sequence of float
        Square roots of the anchors' areas, as shares of the slice's longest side.
    ratios : sequence of float
        Their heights, divided by their widths.
    side : float
        The slice's longest side in px.
    """
    sizes = [(side * scale / ratio**0.5, side * scale * ratio**0.5) for scale in scales for ratio in ratios]
    half = np.array(sizes) / 2.0
    down, across = (np.arange(rows) + 0.5) * stride, (np.arange(columns) + 0.5) * stride
    centres = np.stack(np.meshgrid(across, down), -1)[:, :, None, :]
    return np.concatenate([centres - half, centres + half], -1).reshape(-1, 4)


def decoded(anchors: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The boxes (n, 4) that offsets (n, 4; tx, ty, tw, th) make of anchors (n, 4)."""
    sizes = anchors[:, 2:] - anchors[:, :2]
    centres = anchors[:, :2] + sizes / 2.0 + offsets[:, :2] * sizes
    half = sizes * np.exp(np.minimum(offsets[:, 2:], MOST_LOG)) / 2.0
    return np.concatenate([centres - half, centres + half], -1)


def chosen(
    boxes: np.ndarray, scores: np.ndarray, least: float, suppression: float, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """The boxes of one slice that count, best first, and their scores.

    Parameters
    ----------
    boxes, scores : ndarray (n, 4) and (n,)
    least : float
        Scores below this don't count.
    suppression : float
        A box whose IoU with a better one exceeds this is left out.
    most : int
        That are kept.
    """
    order = np.argsort(-scores, kind="stable")[:BEFORE]
    order = order[scores[order] >= least]
    sides = boxes[order, 2:] - boxes[order, :2]
    order = order[(sides > 0.0).all(-1)]
    kept = order[geometry.non_maximum_suppression(boxes[order], scores[order], suppression)][:most]
    return boxes[kept], scores[kept]
