"""Test-time augmentation: several looks at one picture, as it is or mirrored, in inputs of different size.

What a network says by chance differs from look to look, and falls when scores are averaged; what it knows stays. An
enlarged look sees small bones that the size of training is too coarse for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .. import boxes
from ..labels import mirrored
from ..regions import RegionProposal
from ..types import Box2D

LEAST = 0.03
"""Score below which a look need not name a region: it counts as 0 in the mean."""
AGREEING = 0.5
"""IoU from which regions of two looks are one."""
TINY = 1e-12
"""Added to weights, so that scores of 0 have a mean, too."""


@dataclass(frozen=True)
class Look:
    """One way in which a picture is looked at.

    Parameters
    ----------
    size : int
        Side of the network's square input, px, a multiple of 32; 0 is the one that it was trained with.
    mirrored : bool
        Whether the picture's mirror image is looked at.

    Raises
    ------
    ValueError
        If the size is no multiple of 32.
    """

    size: int = 0
    mirrored: bool = False

    def __post_init__(self) -> None:
        if self.size % 32:
            raise ValueError(f"A look's size must be a multiple of 32, not {self.size}.")

    def picture(self, gray: np.ndarray) -> np.ndarray:
        """The gray levels (rows, columns) as this look shows them."""
        return np.ascontiguousarray(gray[:, ::-1]) if self.mirrored else gray

    def back(self, seen: Iterable[RegionProposal], columns: int, classes: Sequence[str]) -> list[RegionProposal]:
        """What was seen, in px of the picture, which has so many columns.

        Right and left change places in a mirror image, as far as the classes have both.
        """
        return [_mirrored_back(item, columns, classes) for item in seen] if self.mirrored else list(seen)


def _mirrored_back(item: RegionProposal, columns: int, classes: Sequence[str]) -> RegionProposal:
    x0, y0, x1, y1 = item.roi
    other = mirrored(item.label)
    return replace(item, label=other if other in classes else item.label, roi=Box2D(columns - x1, y0, columns - x0, y1))


def agreed(looks: Sequence[Sequence[RegionProposal]], suppression: float, least: float = 0.0) -> list[RegionProposal]:
    """Regions of all looks: the score is the mean over the looks, the box the mean weighted by the scores.

    Parameters
    ----------
    looks : sequence of sequence of RegionProposal
        What each look has found, in px of the picture.
    suppression : float
        IoU above which a region of a class is the same as a surer one.
    least : float
        What no look is so sure of is no region, even where it agrees with a surer one; where a class has nothing surer,
        its best one by the mean is given.

    Returns
    -------
    list of RegionProposal
        Best first. A look that has nothing with an IoU of `AGREEING` in a place counts as 0 there.
    """
    if len(looks) == 1:
        return list(looks[0])
    found = []
    for label in dict.fromkeys(item.label for look in looks for item in look):
        tables = [_table(look, label) for look in looks]
        rois, scores = (np.concatenate(parts) for parts in zip(*tables))
        survivors = boxes.non_maximum_suppression(rois, scores, suppression)
        sure = survivors[scores[survivors] >= least]
        means = [_mean(label, rois[index], tables) for index in (sure if len(sure) else survivors)]
        found += means if len(sure) else [max(means, key=lambda item: item.score)]
    return sorted(found, key=lambda item: -item.score)


def _mean(label: str, roi: np.ndarray, tables: Sequence[tuple[np.ndarray, np.ndarray]]) -> RegionProposal:
    """What all looks, each a table of boxes and scores, say of a region."""
    matches = [_best(roi, *table) for table in tables]
    weights = np.array([score for _, score in matches])
    box = np.average([box for box, _ in matches], axis=0, weights=weights + TINY)
    return RegionProposal(label, float(weights.mean()), Box2D(*map(float, box)))


def _table(look: Sequence[RegionProposal], label: str) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4) and scores (n,) of a class."""
    own = [item for item in look if item.label == label]
    return np.array([item.roi for item in own], float).reshape(-1, 4), np.array([item.score for item in own], float)


def _best(roi: np.ndarray, rois: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, float]:
    """The box and score by which a look agrees with a region; the region itself and 0 if it does not."""
    if not len(rois):
        return roi, 0.0
    fits = boxes.iou(roi, rois)
    best = int(np.argmax(np.where(fits >= AGREEING, fits * scores, -1.0)))
    return (rois[best], float(scores[best])) if fits[best] >= AGREEING else (roi, 0.0)
