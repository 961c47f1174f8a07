"""What a detector of slices learns from: true boxes, the anchors that match them, and the loss of Faster R-CNN."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.volumes.attention import attention_of
from GrayscaleDetSegLib.core.volumes.proposals import SliceRegions, anchor_boxes
from GrayscaleDetSegLib.core.volumes.views import along

POSITIVE, NEGATIVE = 0.7, 0.3
"""IoU with a true box above which an anchor is an object, the article's, and below which it is background."""
LEAST_PX = 4
"""Smaller parts of a slice's mask are no regions, unless they are all of it."""


def true_boxes(mask: np.ndarray) -> np.ndarray:
    """The tight box (x0, y0, x1, y1) of every connected part of a slice's mask (rows, columns); (n, 4)."""
    parts, count = ndimage.label(mask)
    found = ndimage.find_objects(parts)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    chosen = [place for place, size in zip(found, sizes) if size >= LEAST_PX] or found
    return np.array([(x.start, y.start, x.stop, y.stop) for y, x in chosen], np.float64).reshape(-1, 4)


def true_regions(mask: np.ndarray, view: str) -> SliceRegions:
    """The true boxes of all slices of a mask in the working grid."""
    slices = along(mask, view)
    rows = [(index, box, 1.0) for index in np.flatnonzero(slices.any((1, 2))) for box in true_boxes(slices[index])]
    return SliceRegions.of(rows)


def true_attention(mask: np.ndarray, view: str) -> np.ndarray:
    """The attention volume that a perfect detector would give."""
    return attention_of(mask.shape, view, true_regions(mask, view))


def fitted_shapes(masks: Iterable[np.ndarray], view: str, count: int = 3) -> tuple[list[float], list[float]]:
    """Scales and ratios of anchors, `count` of each, from the true boxes of all slices: middle ones of thirds.

    Returns
    -------
    list of float, list of float
        See ``RpnConfig``; in ascending order.
    """
    scales, ratios = [], []
    for mask in masks:
        found = true_regions(mask, view).boxes
        width, height = found[:, 2] - found[:, 0], found[:, 3] - found[:, 1]
        scales += list(np.sqrt(width * height) / max(along(mask, view).shape[1:]))
        ratios += list(height / width)
    places = (np.arange(count) + 0.5) / count
    return tuple([round(float(value), 4) for value in np.quantile(each, places)] for each in (scales, ratios))


def anchor_recall(
    masks: Iterable[np.ndarray], view: str, scales: Sequence[float], ratios: Sequence[float], stride: float
) -> float:
    """The share of true boxes that an anchor meets with an IoU above `POSITIVE`; the stride as a share of the side."""
    met = []
    for mask in masks:
        shape = along(mask, view).shape[1:]
        side = max(shape)
        step = stride * side
        anchors = anchor_boxes(int(shape[0] / step), int(shape[1] / step), 1, scales, ratios, side / step) * step
        for box in true_regions(mask, view).boxes:
            met.append(boxes.iou(anchors, box).max() > POSITIVE)
    return float(np.mean(met)) if met else 0.0


def matched(anchors: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each anchor (n, 4) is to learn from the true boxes (m, 4) of its slice.

    An anchor is an object where its IoU with a true box is above `POSITIVE`, and so is the best of every true box, as
    in Faster R-CNN: else small or odd ones would teach nothing.

    Returns
    -------
    ndarray of int8, (n,)
        1 an object, 0 background, -1 neither.
    ndarray of int64, (n,)
        The true box that it meets best.
    """
    if not len(truth):
        return np.zeros(len(anchors), np.int8), np.zeros(len(anchors), np.int64)
    overlaps = boxes.iou(anchors[:, None], truth[None])
    nearest, best = overlaps.argmax(1), overlaps.max(1)
    kind = np.full(len(anchors), -1, np.int8)
    kind[best < NEGATIVE] = 0
    for column in range(len(truth)):
        most = overlaps[:, column].max()
        ties = np.flatnonzero(overlaps[:, column] >= most - 1e-9) if most > 0 else []
        kind[ties], nearest[ties] = 1, column
    kind[best > POSITIVE] = 1
    return kind, nearest


def offsets_of(anchors: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(tx, ty, tw, th) that make true boxes of anchors, both (n, 4); the inverse of ``proposals.decoded``."""
    size, wanted = anchors[:, 2:] - anchors[:, :2], truth[:, 2:] - truth[:, :2]
    moved = (truth[:, :2] + truth[:, 2:] - anchors[:, :2] - anchors[:, 2:]) / 2.0 / size
    return np.concatenate([moved, np.log(wanted / size)], 1)


def sampled(kind: np.ndarray, most: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Anchors that a step learns from: `most` objects at most, chosen at random, and all background.

    Returns
    -------
    ndarray of int64, ndarray of int64
        Indices into `kind` (int8, as :func:`matched` says) of objects and of background, in ascending order.
    """
    objects, background = np.flatnonzero(kind == 1), np.flatnonzero(kind == 0)
    if len(objects) > most:
        objects = np.sort(random.choice(objects, most, replace=False))
    return objects, background


def detection_loss(
    logits: torch.Tensor,
    offsets: torch.Tensor,
    objects: np.ndarray,
    background: np.ndarray,
    wanted: np.ndarray,
    negatives: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log loss of the anchors, and smooth L1 of the offsets of those that are objects, each a mean per anchor.

    Parameters
    ----------
    logits, offsets : Tensor (anchors, 2) and (anchors, 4)
        Of all slices of the batch, one after the other.
    objects, background : ndarray of int64
        As :func:`sampled` gives them.
    wanted : ndarray (objects, 4)
        Their true offsets.
    negatives : float
        All background together weighs as much as so many anchors for each object (as for one where there is none): what
        drawing so many at random comes to, without the chance that what looks most like an object is seldom drawn.
    """
    of_objects = torch.from_numpy(objects).to(logits.device)
    of_background = torch.from_numpy(background).to(logits.device)
    each = functional.log_softmax(logits.float(), -1)
    count, whole = len(objects), negatives * max(1, len(objects))
    likely = -each[of_background, 0].mean() * whole - each[of_objects, 1].sum()
    likely = likely / (whole + count)
    if not count:
        return likely, offsets.sum() * 0.0
    true = torch.from_numpy(wanted.astype(np.float32)).to(logits.device)
    near = functional.smooth_l1_loss(offsets[of_objects].float(), true, reduction="none").sum(-1).mean()
    return likely, near
