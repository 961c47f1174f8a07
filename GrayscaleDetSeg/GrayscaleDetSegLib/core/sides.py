"""Which side of the patient an object is on: by the file's tags where they say it, else by the picture.

The 2D detector tells right from left by how the picture looks to it. That holds where the picture lies as radiographs
are hung; a mirrored film looks just as good. So what the file's tags say comes first, and where they contradict each
other or the picture, or where nothing can be checked, the user gets a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from .boxes import center
from .labels import mirrored, side_in, without_side
from .lie import Lie
from .orientation import Orientation
from .radiograph import Radiograph
from .regions import RegionProposal, Regions

PAIRED = ("femur", "tibia", "patella", "fibula", "foot", "humerus", "scapula", "radius", "ulna", "hand")
"""Classes without a side in their names, of which a person has two."""
MIDDLE = "heart"
LEAST = 0.03
"""Share of the distance between the lungs by which the heart must lie off their middle to tell a side."""
GUESSED = 0.15
"""Score from which a heart tells a side."""
BESIDE = 0.5
"""Share of the distance between right and left that must be along the axis on which the tags put them."""


def settled(regions: Regions, radiograph: Radiograph, candidates: Sequence[RegionProposal] = ()) -> Regions:
    """The regions with the sides that are right by the radiograph's tags or its picture, and what is to be said.

    `candidates` are all that the detector has seen: a heart that is not sure enough to be shown still lies somewhere.
    """
    lie = radiograph.lie
    if lie.sideless:
        best = regions.best
        return replace(
            regions,
            found=tuple(replace(item, label=without_side(item.label), side=None) for item in regions.found),
            best=None if best is None else replace(best, label=without_side(best.label)),
        )
    notes = list(regions.notes)
    found, best = list(regions.found), regions.best
    if lie.to_left is not None:
        found, is_turned = _by_tags(found, lie, regions.orientation, radiograph.upright, notes)
        if is_turned:
            best = None if best is None else replace(best, label=mirrored(best.label))
            if regions.orientation == radiograph.upright:
                notes.append(f"The picture looks turned against its {lie.said_by}: sides follow the tag, so check it.")
    hearts = [item for item in candidates if item.label == MIDDLE and item.score >= GUESSED]
    notes += _heart_notes(found, hearts or [item for item in found if item.label == MIDDLE], lie)
    found = [replace(item, side=side_in(item.label)) for item in found]
    found, more = _of_one_side(found, lie)
    return replace(regions, found=tuple(found), best=best, notes=(*notes, *more))


def of_drawn(label: str, lie: Lie, others: Iterable[str] = ()) -> str | None:
    """The side of an object whose region a person has drawn: the one in its class, else the one that the file says.

    Parameters
    ----------
    label : str
        Class of the object.
    lie : Lie
    others : iterable of str
        Classes of the other objects in the picture. As for found objects, the file's side holds for none where they
        contradict it, or where there are two of a class of which a person has one on each side.

    Returns
    -------
    str or None
        ``"right"`` or ``"left"``; None where it is not known, or there is none.
    """
    own, labels = side_in(label), [*others, label]
    is_contradicted = any(side_in(each) not in (None, lie.laterality) for each in labels)
    if own is not None or label not in PAIRED or is_contradicted or _twice(each for each in labels if each in PAIRED):
        return own
    return lie.laterality


def _by_tags(
    found: list[RegionProposal], lie: Lie, seen: Orientation, upright: Orientation, notes: list[str]
) -> tuple[list[RegionProposal], bool]:
    """The regions with the sides that follow from where the patient's left is, and whether all were exchanged."""
    assert lie.to_left is not None
    evidence = distance = 0.0
    for label in {item.label for item in found if side_in(item.label) == "right"}:
        right, left = ([center(item.roi) for item in found if item.label == each] for each in (label, mirrored(label)))
        if right and left:
            between = (np.mean(left, axis=0) - np.mean(right, axis=0)) * min(len(right), len(left))
            evidence, distance = evidence + float(between @ lie.to_left), distance + float(np.hypot(*between))
    if abs(evidence) < BESIDE * distance:
        notes.append(f"Right and left do not lie beside each other as {lie.said_by} says; sides are those of the "
                     f"picture, so check them.")  # fmt: skip
        return found, False
    # a single object tells no side by its place: it looks to the detector as the view that it was found in
    is_turned = evidence < 0 if evidence else seen.is_mirrored != upright.is_mirrored
    if not is_turned or not any(side_in(item.label) for item in found):
        return found, False
    return [replace(item, label=mirrored(item.label)) for item in found], True


def _heart_notes(found: Sequence[RegionProposal], hearts: Sequence[RegionProposal], lie: Lie) -> list[str]:
    """Whether the heart lies on the left, as far as can be seen."""
    right, left = ([item for item in found if item.label == f"{side} lung"] for side in ("right", "left"))
    by_tag = lie.to_left is not None
    if not any(side_in(item.label) for item in found):
        return []
    unknown = [] if by_tag else ["Sides are as in the picture: no tag of the file says them, and nothing in it has "
                                 "confirmed them."]  # fmt: skip
    if len(right) > 1 or len(left) > 1:
        return [f"More than one {'right' if len(right) > 1 else 'left'} lung is found, so check sides."]
    if not (right and left and hearts):
        return unknown
    first, second, heart = (center(max(items, key=lambda item: item.score).roi) for items in (right, left, hearts))
    across = second - first
    axis = np.asarray(lie.to_left, float) if lie.to_left is not None else np.zeros(2)
    if lie.to_left is None:
        main = int(np.argmax(np.abs(across)))
        axis[main] = np.sign(across[main])
    distance = abs(float(across @ axis))
    off = float((heart - (first + second) / 2) @ axis) / max(distance, 1e-6)
    if off >= LEAST:
        return []
    if off > -LEAST:
        return unknown
    if by_tag:
        return [f"The heart lies on the right by {lie.said_by}: the tag is wrong, the picture is mirrored, or it does "
                f"lie there; sides follow the tag, so check it."]  # fmt: skip
    return ["The heart lies on the side that the picture calls right: the film may be mirrored, and no tag says so; "
            "check sides."]  # fmt: skip


def _of_one_side(found: list[RegionProposal], lie: Lie) -> tuple[list[RegionProposal], list[str]]:
    """Objects of paired classes with the side that the file says of the whole picture."""
    if lie.laterality is None:
        return found, []
    notes = []
    both = {without_side(item.label) for item in found if side_in(item.label) == "right"} & {
        without_side(item.label) for item in found if side_in(item.label) == "left"
    }
    if both:
        what = sorted(both)[0]
        notes.append(f"{lie.laterality_by} names one side, but {what}s of both are in the picture; it is not used.")
        return found, notes
    other = [item.label for item in found if side_in(item.label) not in (None, lie.laterality)]
    if other:
        notes.append(f"{lie.laterality_by} contradicts what was found, a {other[0]}; check sides.")
        return found, notes
    twice = _twice(item.label for item in found if item.label in PAIRED)
    if twice:
        notes.append(f"{lie.laterality_by} names one side, but there is more than one {twice} in the picture, so their "
                     f"sides are not known.")  # fmt: skip
        return found, notes
    sided = [replace(item, side=lie.laterality) if item.label in PAIRED else item for item in found]
    if sided != found:
        *others, last = dict.fromkeys(item.label for item in found if item.label in PAIRED)
        names = f"{', '.join(others)} and {last}" if others else last
        notes.append(f"The side of {names} is {lie.laterality}, as {lie.laterality_by} says.")
    return sided, notes


def _twice(labels: Iterable[str]) -> str:
    seen: set[str] = set()
    for label in labels:
        if label in seen:
            return label
        seen.add(label)
    return ""
