"""One thing under two names: where two classes share most of their masks, a much surer one has it alone.

The 2D detector may take a bone for a tibia and for a fibula, and both regions then give the same pixels. What really
lies over each other in a projection (femur and hip bone, radius and ulna from the side) shares few of its pixels, or is
found with like scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .labels import lie_alongside
from .regions import RegionMask
from .windowed import shared_parts

SAME_THING = 0.7
"""IoU of two masks from which they may be one thing."""
SAME_LONG_BONE = 0.55
"""The same for bones that lie alongside each other: a radius on the ulna has not quite the ulna's mask."""
MUCH_LESS = 0.65
"""Share of the other's score below which a name is taken back. These were chosen on the boxed films of the training and
on drawn films that nobody trained on: of their pairs of forearm and shank bones they take back 46 false names and 6
right ones (from an IoU of 0.7 on, 42 and 6; up to 0.85 of the other's score, 64 and 27)."""


def without_doubles(
    parts: Sequence[RegionMask], shape: tuple[int, int], alongside: Sequence[Sequence[str]] = ()
) -> tuple[list[RegionMask], tuple[str, ...]]:
    """The parts without those that a much surer one of another class has already, with a note on each, and on those
    that stay though they are nearly the same.

    Regions that were drawn by hand stay.

    Parameters
    ----------
    parts : sequence of RegionMask
    shape : tuple of 2 int
        (rows, columns) of the image.
    alongside : sequence of sequence of str
        Groups of classes that may have nearly one mask (the two bones of a shank); where there are such, of any other
        two the surer one stays, however little surer it is.
    """

    def share(first: str, second: str) -> float:
        return MUCH_LESS if not alongside or lie_alongside(first, second, alongside) else 1.0

    def are_one(first: RegionMask, second: RegionMask) -> bool:
        labels = first.region.label, second.region.label
        least = SAME_LONG_BONE if lie_alongside(*labels, alongside) else SAME_THING
        return labels[0] != labels[1] and mask_iou(first, second, shape) > least

    order = sorted(range(len(parts)), key=lambda number: -parts[number].region.score)
    kept: list[int] = []
    notes = []
    for number in order:
        part = parts[number]
        others = [parts[each] for each in kept if are_one(parts[each], part)]
        surer = (each for each in others
                 if part.region.score < share(part.region.label, each.region.label) * each.region.score)  # fmt: skip
        other = next(surer, None)
        if other is None or part.region.drawn:
            kept.append(number)
            notes += [
                f"{each.region.label.capitalize()} and {part.region.label} share most of their masks: it may be one "
                f"bone under two names, so check it." for each in others if not part.region.drawn
            ]  # fmt: skip
        else:
            notes.append(
                f"Left out is {part.region.label} with a score of {part.region.score:.2f}: it is what was taken for "
                f"{other.region.label} with {other.region.score:.2f}."
            )
    return [parts[number] for number in sorted(kept)], tuple(notes)


def mask_iou(first: RegionMask, second: RegionMask, shape: tuple[int, int]) -> float:
    """IoU of the masks of two regions of an image of `shape` (rows, columns)."""
    windows = first.window(shape), second.window(shape)
    common = shared_parts(*windows)
    if common is None:
        return 0.0
    shared = int(np.count_nonzero(first.mask[common[0]] & second.mask[common[1]]))
    whole = int(np.count_nonzero(first.mask)) + int(np.count_nonzero(second.mask)) - shared
    return shared / max(1, whole)
