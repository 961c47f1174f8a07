"""The 2D stage: from a radiograph to the regions of its objects.

Polarity is settled by the picture, the picture is looked at as it is hung, regions go back to the stored grid, and
their sides follow from the file's tags or the picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from . import boxes, sides
from .lying_films import BETTER, other_looks
from .marker_notes import with_markers
from .orientation import Orientation
from .polarity_check import CONFIDENT, DOUBTFUL, PolarityCheck
from .radiograph import Radiograph, Spacing
from .regions import RegionProposal, Regions
from .stopwatch import Stopwatch
from .types import Box2D
from .yolo.detector import RoiDetector

LEAST_SIDE = 32
"""px that an image needs on its shorter side for anything to be known in it."""
CLEARLY = 1.5
"""Factor by which the stored grid's scores must exceed those of the view that its directions ask for."""


def find(
    radiograph: Radiograph,
    detector: RoiDetector,
    threshold: float,
    check: PolarityCheck | None,
    stopwatch: Stopwatch,
) -> tuple[Radiograph, Regions]:
    """The radiograph, bone bright by the picture, and the regions of its objects.

    Parameters
    ----------
    radiograph : Radiograph
    detector : RoiDetector
    threshold : float
        Score that a region needs.
    check : PolarityCheck or None
        None takes the file's polarity as it is.
    stopwatch : Stopwatch
    """
    with stopwatch("polarity"):
        is_known = min(radiograph.shape) >= LEAST_SIDE
        probability = _inverted(radiograph, check) if is_known and check is not None else 0.0
    with stopwatch("regions"):
        settled, regions = _by_polarity(radiograph, detector, threshold, probability)
        return settled, with_markers(regions, settled)


def _by_polarity(
    radiograph: Radiograph, detector: RoiDetector, threshold: float, probability: float
) -> tuple[Radiograph, Regions]:
    """How much is known in the picture, and in its inversion, decides: the check is easily wrong on turned films."""
    regions = _unmarked(radiograph, detector, threshold)
    if probability < DOUBTFUL:
        return radiograph, regions
    inverted = _turned_over(radiograph, probability)
    other = _unmarked(inverted, detector, threshold)
    more = 1.0 if probability >= CONFIDENT else CLEARLY
    if other.found and _known(other.found) >= more * _known(regions.found):
        return inverted, other
    if probability >= CONFIDENT and not regions.found:  # nothing known, whichever way round: no reason to doubt
        return radiograph, regions
    return _doubted(radiograph, probability), regions


def _known(found: Iterable[RegionProposal]) -> float:
    """How much is known in a picture: the sum of the two best scores of each class. A body has two of most bones, and
    a row of what is taken for vertebrae would count more than all else.
    """
    scores: dict[str, list[float]] = {}
    for item in found:
        scores.setdefault(item.label, []).append(item.score)
    return sum(sum(sorted(each)[-2:]) for each in scores.values())


def settled_polarity(radiograph: Radiograph, check: PolarityCheck | None) -> Radiograph:
    """The radiograph, turned over if it plainly looks as if bone were dark, and a note that says so; a note alone
    where it may be so."""
    if check is None:
        return radiograph
    probability = _inverted(radiograph, check)
    if probability < DOUBTFUL:
        return radiograph
    return (_doubted if probability < CONFIDENT else _turned_over)(radiograph, probability)


def _inverted(radiograph: Radiograph, check: PolarityCheck) -> float:
    """The probability that bone is dark, by the picture as it is hung."""
    return check.inverted_probability(radiograph.upright.view_of(radiograph.gray_image()).thinned()[0])


def _doubted(radiograph: Radiograph, probability: float) -> Radiograph:
    note = f"Polarity is not certain: the picture may be inverted (probability {probability:.2f}), so check it."
    return replace(radiograph, notes=(*radiograph.notes, note))


def _turned_over(radiograph: Radiograph, probability: float) -> Radiograph:
    reason = f"the picture looks inverted (probability {probability:.3f}), whatever the file says"
    turned = radiograph.inverted(reason)
    return replace(turned, notes=(*turned.notes, f"Polarity turned over: {reason}."))


def find_regions(radiograph: Radiograph, detector: RoiDetector, threshold: float) -> Regions:
    """The regions of interest, in px of the stored grid.

    A grid that the file's tags or directions say is flipped or turned is looked at both as stored and as it would be
    hung. The second counts, as it is what the file says, unless the first has clearly higher scores: files with wrong
    tags and directions are common too. Sides are as the tags say, see ``sides``.
    """
    return with_markers(_unmarked(radiograph, detector, threshold), radiograph)


def _unmarked(radiograph: Radiograph, detector: RoiDetector, threshold: float) -> Regions:
    """The same before the letters on the film are read."""
    if min(radiograph.shape) < LEAST_SIDE:
        return Regions((), None, Orientation(), (_too_small(radiograph.shape),))
    stored = hung = _seen(radiograph, Orientation(), detector, threshold)
    if radiograph.upright != stored.orientation:
        hung = _seen(radiograph, radiograph.upright, detector, threshold)
    # where nothing passes, the best candidate decides, because it is named to the user
    chosen = stored if (stored.passing, stored.best) > (CLEARLY * hung.passing, hung.best) else hung
    seen = chosen
    if radiograph.upright.is_identity and radiograph.lie.turn is None:
        seen = _best_view(radiograph, chosen, detector, threshold)
    candidates = seen.candidates
    found = tuple(item for item in candidates if item.score >= threshold)
    notes = _view_notes(radiograph, chosen.orientation) if found else ()
    if seen is not chosen:
        notes = (*notes, f"Found {seen.orientation.words}: the picture seems to lie so.")
    # masks are made in the view that the file asks for: what was only guessed turns no grid
    regions = Regions(found, candidates[0] if candidates else None, chosen.orientation, notes)
    return sides.settled(regions, radiograph, candidates)


def _best_view(radiograph: Radiograph, first: _Seen, detector: RoiDetector, threshold: float) -> _Seen:
    """The first look at a file that says nothing of how it lies, or another one that finds clearly more."""
    found = [item for item in first.candidates if item.score >= threshold]
    looks = [_seen(radiograph, turn, detector, threshold) for turn in other_looks(found, radiograph.shape)]
    best = max(looks, key=lambda look: look.passing, default=first)
    return best if best.passing > BETTER * first.passing else first


@dataclass(frozen=True)
class _Seen:
    """What the detector sees in one view: all candidates, best first, in px of the stored grid; how much of it passes,
    see `_known`, and the best score."""

    orientation: Orientation
    candidates: list[RegionProposal]
    passing: float
    best: float


def _seen(radiograph: Radiograph, view: Orientation, detector: RoiDetector, threshold: float) -> _Seen:
    column, row, _ = radiograph.geometry.spacing
    shape = radiograph.shape[::-1] if view.transpose else radiograph.shape
    gray, step = view.view_of(radiograph.gray_image()).thinned()
    aspect = row / column if Spacing(row, column, "").is_nearly_square else 1.0
    candidates = detector.candidates(gray, 1.0 / aspect if view.transpose else aspect, threshold)
    passing = _known(item for item in candidates if item.score >= threshold)
    best = candidates[0].score if candidates else 0.0
    stored = [
        replace(item, roi=Box2D(*view.roi_to_stored(_enlarged(item.roi, step, shape), radiograph.shape)))
        for item in candidates
    ]
    return _Seen(view, stored, passing, best)


def _too_small(shape: tuple[int, int]) -> str:
    return (f"The image has {shape[1]} x {shape[0]} pixels, too few to know anything in it: at least {LEAST_SIDE} on "
            f"each side are needed.")  # fmt: skip


def _view_notes(radiograph: Radiograph, orientation: Orientation) -> tuple[str, ...]:
    """How the picture was looked at, where that is not as stored or not as its file says."""
    by = radiograph.lie.said_by or "the file's directions"
    if orientation != radiograph.upright:
        return (f"Looked at {orientation.words}, where much more was found than {radiograph.upright.words} as {by} "
                f"{'says' if radiograph.lie.said_by else 'say'}: check them.",)  # fmt: skip
    if orientation.is_identity:
        return ()
    return (f"Looked at {orientation.words}, as {by} {'says' if radiograph.lie.said_by else 'say'}; masks and boxes "
            f"lie on the stored grid.",)  # fmt: skip


def _enlarged(roi: tuple[float, ...], step: int, shape: tuple[int, int]) -> Box2D:
    """A ROI in px of the thinned image in px of the radiograph of `shape`."""
    return Box2D(*(roi if step == 1 else map(float, boxes.clip(np.asarray(roi) * step, shape))))
