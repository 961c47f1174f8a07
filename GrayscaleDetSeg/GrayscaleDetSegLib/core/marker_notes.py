"""What the letter on a film has to say of sides: a sentence where it contradicts the tags or what was found.

A letter decides nothing: sides stay as the tags say, or as in the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .boxes import center
from .labels import mirrored, side_in
from .marker import Marker, find_markers
from .radiograph import Radiograph
from .regions import Regions

_SIDES = {"R": "right", "L": "left"}
OFF = 0.15
"""Share of the distance between right and left objects by which a letter must lie off their middle to tell a side."""


def with_markers(regions: Regions, radiograph: Radiograph) -> Regions:
    """The regions with what letters on the film contradict.

    Parameters
    ----------
    regions : Regions
        In px of the stored grid, their sides settled. The film is read in the view that they were found in.
    radiograph : Radiograph
    """
    lie = radiograph.lie
    if lie.sideless or not (lie.laterality or any(side_in(item.label) for item in regions.found)):
        return regions
    gray, step = regions.orientation.view_of(radiograph.gray_image()).thinned()
    markers = find_markers(gray)
    return replace(regions, notes=(*regions.notes, *_notes(markers, regions, radiograph, step))) if markers else regions


def _notes(markers: Sequence[Marker], regions: Regions, radiograph: Radiograph, step: int) -> list[str]:
    lie, plain = radiograph.lie, [each for each in markers if not each.is_mirrored]
    if not plain:
        return [f"The letter {markers[0].letter} on the film is seen from behind: the film may be mirrored, so check "
                f"sides."]  # fmt: skip
    letters = {each.letter for each in plain}
    notes = []
    if lie.laterality is not None and len(letters) == 1 and _SIDES[plain[0].letter] != lie.laterality:
        notes.append(f"{lie.laterality_by} and the letter {plain[0].letter} on the film contradict each other; sides "
                     f"follow the tag, so check it.")  # fmt: skip
    for each in plain:
        other = _called(each, regions, radiograph, step)
        if other is not None and other != _SIDES[each.letter]:
            follow = f"as {lie.said_by} says" if lie.to_left is not None else "those of the picture"
            notes.append(f"The letter {each.letter} on the film lies on the side that is called {other}; sides are "
                         f"{follow}, so check them.")  # fmt: skip
            break
    return notes


def _called(marker: Marker, regions: Regions, radiograph: Radiograph, step: int) -> str | None:
    """The side of the patient on which a letter lies by the objects that were found; None where they do not tell."""
    place = center(regions.orientation.roi_to_stored(tuple(step * edge for edge in marker.box), radiograph.shape))
    for label in dict.fromkeys(item.label for item in regions.found if side_in(item.label) == "right"):
        right, left = (
            [center(item.roi) for item in regions.found if item.label == each] for each in (label, mirrored(label))
        )
        if right and left:
            first, second = np.mean(right, axis=0), np.mean(left, axis=0)
            across = second - first
            off = float((place - (first + second) / 2) @ across) / max(float(across @ across), 1e-6)
            return None if abs(off) < OFF else "left" if off > 0 else "right"
    return None
