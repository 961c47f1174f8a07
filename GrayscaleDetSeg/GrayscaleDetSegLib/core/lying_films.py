"""Films that lie on their side or head, and no word of it in their file: what tells so, and how to look again.

The 2D detector knows all quarter turns, but tells right from left, and what is small beside a lung, most surely on an
upright film. A second look costs time, so only what plainly does not lie as radiographs are hung gets one.
"""

from __future__ import annotations

from collections.abc import Sequence

from .boxes import center
from .orientation import Orientation
from .regions import RegionProposal

QUARTERS = (Orientation(True, False, True), Orientation(True, True, False))
"""Turned by 90 degrees, either way."""
HALF = (Orientation(False, True, True),)
WIDE = 1.8
"""Width over height from which a film is more likely a long one that lies on its side."""
LYING = 1.15
"""Width over height from which a lung lies on its side."""
BETTER = 1.05
"""Factor by which the scores of another look must exceed those of the first."""
UPRIGHT_WIDE = "teeth"
"""A class whose films are wide as they are hung."""


def other_looks(found: Sequence[RegionProposal], shape: tuple[int, int]) -> tuple[Orientation, ...]:
    """The turns under which an image should be looked at again; none where nothing speaks for one.

    Parameters
    ----------
    found : sequence of RegionProposal
        What the first look has found, best first, boxes (x0, y0, x1, y1) in px of the image.
    shape : tuple of 2 int
        (rows, columns) of the image.
    """
    lungs: dict[str, Sequence[float]] = {}
    for item in found:
        if item.label in ("right lung", "left lung"):
            lungs.setdefault(item.label, item.roi)
    if len(lungs) == 2:
        (right_x, right_y), (left_x, left_y) = (center(lungs[f"{side} lung"]) for side in ("right", "left"))
        if abs(right_y - left_y) > abs(right_x - left_x):
            return QUARTERS
        if right_x > left_x:
            return HALF
        return ()
    if lungs:
        ((x0, y0, x1, y1),) = lungs.values()
        return QUARTERS if x1 - x0 > LYING * (y1 - y0) else ()
    if shape[1] > WIDE * shape[0] and found and all(item.label != UPRIGHT_WIDE for item in found):
        return QUARTERS
    return ()
