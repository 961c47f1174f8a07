"""Masks that are looked at twice, the second time in the box of the first: a loose region gives a loose mask.

Objects of a class that stand in a row and touch, and hardly overlap in the picture, vertebrae, have regions that lie so
close together that one may fall between two objects. Its mask does not: it snaps to what is there. Of those that share
too much the surer one stays then. Of other classes those are looked at again whose mask does not fill its region.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from . import boxes
from .doubles import mask_iou
from .pieces import Pieces
from .regions import RegionMask, RegionProposal
from .types import Box2D

NONE: Mapping[str, float] = MappingProxyType({})
SAME_PLACE = 0.5
"""IoU that the box of a mask and its region need, or the mask tells nothing of where its object lies."""
BEYOND = 0.2
"""px by which a region goes beyond the mask that it is moved to."""
CRUMB = 0.1
"""Share of the largest piece's pixels below which a piece of a mask is a crumb."""


def settled(
    parts: Sequence[RegionMask],
    shape: tuple[int, int],
    shared: Mapping[str, float],
    again: Callable[[Sequence[RegionProposal]], Sequence[RegionMask]],
    loose: Mapping[str, float] = NONE,
) -> list[RegionMask]:
    """The parts, those of classes in `shared` looked at twice, without the ones that are there twice.

    Regions that were drawn by hand stay as they are, and so do parts of which a second look would leave no pixel.

    Parameters
    ----------
    parts : sequence of RegionMask
    shape : tuple of 2 int
        (rows, columns) of the image.
    shared : mapping of str to float
        IoU of two masks of a class from which they are one object; classes that are not named stay as they are.
    again : callable
        From regions to their masks, one each.
    loose : mapping of str to float, optional
        IoU of a mask's box and its region below which an object of other classes is looked at again.
    """
    found = list(parts)
    which = [index for index, part in enumerate(parts) if part.region.label in shared and not part.region.drawn]
    which = which if len(which) > 1 else []
    regions = {index: _snapped(found[index], shape, boxes.of_mask) for index in which}
    for index, part in enumerate(parts):
        if part.region.label in loose and not part.region.drawn:
            regions[index] = _snapped(part, shape, _box_without_crumbs, loose[part.region.label])
    moved = [index for index in sorted(regions) if regions[index] != found[index].region]
    for index, part in zip(moved, again([regions[index] for index in moved]) if moved else ()):
        if part.mask.any():  # an empty second look takes no object away that the first one has found
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


def _box_without_crumbs(mask: np.ndarray) -> np.ndarray:
    """The box of a mask, which is not empty, without its small pieces: they say nothing of where the object ends."""
    pieces = Pieces.of(mask, corners=False)
    kept = pieces.boxes[pieces.sizes >= CRUMB * pieces.sizes.max()]
    return np.concatenate([kept[:, :2].min(axis=0), kept[:, 2:].max(axis=0)]).astype(np.float64)


def _snapped(
    part: RegionMask, shape: tuple[int, int], box_of: Callable[[np.ndarray], np.ndarray], unless: float = 1.0
) -> RegionProposal:
    """The region of a part, moved to the box of its mask where that is about the same place; not from an IoU on."""
    if not part.mask.any():
        return part.region
    rows, columns = part.window(shape)
    box = box_of(part.mask) + np.array([columns.start, rows.start] * 2)
    if not SAME_PLACE <= float(boxes.iou(box, np.asarray(part.region.roi))) < unless:
        return part.region
    # edges between pixels would be rounded one way, whichever way the picture is turned
    return replace(part.region, roi=Box2D(*map(float, box + np.array([-1, -1, 1, 1]) * BEYOND)))
