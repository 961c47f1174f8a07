"""Objects of a class that stand in a row and touch, and hardly overlap in the picture: vertebrae.

Their regions are loose and lie close together, so that one may fall between two objects. Its mask does not: it snaps to
what is there. So masks are made twice, the second time in the box of the first, and of those that share too much the
surer one stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from . import boxes
from .doubles import mask_iou
from .regions import RegionMask, RegionProposal
from .types import Box2D

SAME_PLACE = 0.5
"""IoU that the box of a mask and its region need, or the mask tells nothing of where its object lies."""


def settled(
    parts: Sequence[RegionMask],
    shape: tuple[int, int],
    shared: Mapping[str, float],
    again: Callable[[Sequence[RegionProposal]], Sequence[RegionMask]],
) -> list[RegionMask]:
    """The parts, those of classes in `shared` looked at twice, without the ones that are there twice.

    Regions that were drawn by hand stay as they are.

    Parameters
    ----------
    parts : sequence of RegionMask
    shape : tuple of 2 int
        (rows, columns) of the image.
    shared : mapping of str to float
        IoU of two masks of a class from which they are one object; classes that are not named stay as they are.
    again : callable
        From regions to their masks, one each.
    """
    which = [index for index, part in enumerate(parts) if part.region.label in shared and not part.region.drawn]
    if len(which) < 2:
        return list(parts)
    found = list(parts)
    regions = [_snapped(found[index], shape) for index in which]
    moved = [index for index, region in zip(which, regions) if region != found[index].region]
    for index, part in zip(moved, again([region for index, region in zip(which, regions) if index in moved])):
        found[index] = part
    order = sorted(which, key=lambda index: -found[index].region.score)
    kept: list[int] = []
    for index in order:
        part = found[index]
        label = part.region.label
        others = (found[other] for other in kept if found[other].region.label == label)
        if all(mask_iou(part, other, shape) <= shared[label] for other in others):
            kept.append(index)
    dropped = set(which) - set(kept)
    return [part for index, part in enumerate(found) if index not in dropped]


def _snapped(part: RegionMask, shape: tuple[int, int]) -> RegionProposal:
    """The region of a part, moved to the box of its mask where that is about the same place."""
    if not part.mask.any():
        return part.region
    rows, columns = part.window(shape)
    box = boxes.of_mask(part.mask) + np.array([columns.start, rows.start] * 2)
    if float(boxes.iou(box, np.asarray(part.region.roi))) < SAME_PLACE:
        return part.region
    return replace(part.region, roi=Box2D(*map(float, box)))
