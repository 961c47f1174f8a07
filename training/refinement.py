"""Fitting of the box refinement on a trained PointNet: closed form, and the article's SGD beside it."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig
from GrayscaleDetSegLib.core.single_box.refinement import refine, with_constant

from .box_data import BoxDataset, Crop
from .intervals import interval_overlaps
from .networks import PointNet
from .ridge import descend_ridge, solve_ridge, targets
from .runs.record import say

DRAWS = 20000
"""Clouds that T is fitted to, at most: their features are held in memory."""
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
USUAL = 100.0


@torch.inference_mode()
def gather(
    network: PointNet, anchors: AnchorConfig, dataset: BoxDataset, passes: int, per_object: int, most: int = 10**9
) -> dict[str, dict[str, np.ndarray]]:
    """The best-scored anchors of every object, as inference would propose them.

    Parameters
    ----------
    passes : int
        How often each object is drawn (each time augmented anew, if the data set augments).
    per_object : int
        How many proposals are taken per draw.
    most : int
        Draws at most; of more, a fixed random choice is taken.

    Returns
    -------
    dict of class to dict of ndarray
        ``proposal`` (n, 2), ``features`` (n, m), ``truth`` (n, 2), all in gray levels.
    """
    network.eval()
    intervals, rows = anchors.intervals(), defaultdict(lambda: defaultdict(list))
    draws = passes * len(dataset)
    # not evenly spread: where every third object is a heart, every second draw may meet none
    chosen = range(draws) if draws <= most else np.sort(np.random.default_rng(0).choice(draws, most, replace=False))
    for index in chosen:
        sample = dataset[int(index)]
        points, gray = torch.from_numpy(sample.points)[None], torch.from_numpy(sample.gray)[None]
        pooled = network.pool_anchors(network.point_features(points)[0], gray, anchors)
        score = network.classify(pooled).softmax(-1)[0, :, 1 + sample.label].numpy()
        best = np.argsort(-score)[:per_object]
        group = rows[dataset.classes[sample.label]]
        group["proposal"].append(intervals[best])
        group["features"].append(pooled[0, best].numpy())
        group["truth"].append(np.repeat(sample.interval[None], len(best), 0))
    return {label: {key: np.concatenate(parts) for key, parts in group.items()} for label, group in rows.items()}


def fit(
    network: PointNet, anchors: AnchorConfig, training: BoxDataset, validation: BoxDataset, passes: int = 4
) -> dict[str, np.ndarray]:
    """T of every class (features + 1, 2), its penalty chosen on val by the IoU of the resulting masks."""
    gathered = gather(network, anchors, training, passes, 4, DRAWS)
    candidates = gather(network, anchors, validation, 1, 1)
    chosen = {}
    for label, group in gathered.items():
        offsets = targets(group["proposal"], group["truth"])
        own = [index for index, shown in enumerate(validation.crops.labels) if shown == label]  # one proposal each
        scored = []
        for penalty in PENALTIES:
            weights = solve_ridge(group["features"], offsets, penalty)
            if not own:  # nothing to choose by: what most classes choose
                scored.append((float(penalty == USUAL), penalty, weights))
                continue
            refined = refine(candidates[label]["proposal"], candidates[label]["features"], weights)
            ious = [mask_iou(validation.crops[index], interval) for index, interval in zip(own, refined)]
            scored.append((float(np.mean(ious)), penalty, weights))
        score, penalty, weights = max(scored, key=lambda item: item[0])
        say(f"   {label:11s} penalty {penalty:g}: mask IoU on val {score:.4f} from {len(offsets)} proposals")
        chosen[label] = weights
    return chosen


def compare_descent(
    network: PointNet, anchors: AnchorConfig, training: BoxDataset, penalty: float = 10.0
) -> dict[str, tuple[float, float]]:
    """Per class the loss of eq. 6 and 7, as a mean per proposal, at the closed form and after the article's SGD."""
    losses = {}
    for label, group in gather(network, anchors, training, 1, 2, DRAWS).items():
        offsets = targets(group["proposal"], group["truth"])
        extended = with_constant(group["features"])
        pair = []
        for solver in (solve_ridge, descend_ridge):
            weights = solver(group["features"], offsets, penalty)
            residual = ((extended @ weights - offsets) ** 2).sum() + penalty * (weights[:-1] ** 2).sum()
            pair.append(float(residual / len(offsets)))
        losses[label] = (pair[0], pair[1])
    return losses


def mask_iou(crop: Crop, interval: np.ndarray) -> float:
    """IoU of an interval's mask with the truth in an object's true ROI."""
    window = boxes.pixel_slices(crop.roi, crop.gray.shape)
    overlaps = interval_overlaps(crop.gray[window], crop.mask[window])
    low, high = int(np.clip(np.round(interval[0]), 0, 254)), int(np.clip(np.round(interval[1]), 1, 255))
    return float(overlaps[low, max(high - 1, low)])
