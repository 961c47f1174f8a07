"""The outcome of one run on one radiograph: immutable, complete, and able to say why it is what it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .orientation import Orientation, canonical
from .radiograph import Radiograph, Spacing, area_of
from .surfaces.field import ThresholdField


@dataclass(frozen=True)
class Candidate:
    """A region of interest: its class, its score (0..1) and its box (x0, y0, x1, y1) in px.

    Regions that were drawn by hand say so with `drawn`: they are taken as they are, while those of the 2D detector,
    which are never quite exact, get a margin where a method can use one.
    """

    label: str
    score: float
    roi: tuple[float, float, float, float]
    drawn: bool = False


@dataclass(frozen=True)
class Stability:
    """How much an object's area changes when its thresholds move by one gray level, as a share of its area.

    Parameters
    ----------
    bottom, top : float
        Mean over a step up and a step down of all bottoms, or of all tops; 0 means that nothing changes.
    """

    bottom: float
    top: float

    @property
    def value(self) -> float:
        """1 - bottom - top, not below 0: 1 is a result that does not hang on the exact thresholds."""
        return max(0.0, 1.0 - self.bottom - self.top)


@dataclass(frozen=True)
class SegmentedObject:
    """One object: where it was found, between which thresholds, and the pixels that this leaves.

    Parameters
    ----------
    name : str
        Unique within the result: the label, numbered from the second object of a class on ("femur 2").
    label : str
        Class of the object.
    roi_score : float
        Score of the 2D detector, 0..1; 1 for a ROI given by hand.
    roi : tuple of 4 float
        (x0, y0, x1, y1) in px.
    proposal, box : tuple of 6 float
        The 3D box chosen among the anchors and the same after refinement, (x0, y0, g0, x1, y1, g1) in px and gray
        levels 0..255.
    box_score : float
        Score of the proposal by the 3D detector, 0..1.
    method : str
        ``"surfaces"`` or ``"box"``: what made the mask.
    field : ThresholdField
        The thresholds that made it: a bottom and a top for each of many cells, or, for the box, for one. Its ROI is the
        searched one: for the surfaces, that of the 2D detector with a margin.
    box_agreement : float
        IoU of the rule of the single box with the rule of `field`, in the ROI: how much of the result the interval
        alone explains (1 for the box itself).
    confidence : float
        The IoU to expect by how far the pixels lie from their thresholds, see ``explain.confidence``; 0..1.
    interval_units, interval_file : tuple of 2 float
        The thresholds in the image's own units, bone-bright, and as values of the file (they differ where the
        polarity was inverted). Infinite at an open end.
    mask : ndarray of bool, shape (rows, columns)
        The final pixels, read-only, in the pixel grid of the input.
    rule_pixel_count : int
        Pixels by the rule of `field` alone, before overlaps were settled and the clean-up ran.
    area_mm2 : float or None
        At the detector; None without spacing.
    stability : Stability
    """

    name: str
    label: str
    roi_score: float
    roi: tuple[float, float, float, float]
    proposal: tuple[float, ...]
    box: tuple[float, ...]
    box_score: float
    method: str
    field: ThresholdField
    box_agreement: float
    confidence: float
    interval_units: tuple[float, float]
    interval_file: tuple[float, float]
    mask: np.ndarray
    rule_pixel_count: int
    area_mm2: float | None
    stability: Stability

    @property
    def interval(self) -> tuple[float, float]:
        """(bottom, top) of the box in gray levels 0..255: the summary that people read."""
        return self.box[2], self.box[5]

    @property
    def pixel_count(self) -> int:
        """Pixels of the final mask."""
        return int(np.count_nonzero(self.mask))

    def with_mask(self, mask: np.ndarray, spacing: Spacing | None) -> SegmentedObject:
        """The object with other pixels (bool, of the mask's shape), which become read-only, and their area."""
        mask.flags.writeable = False
        return replace(self, mask=mask, area_mm2=area_of(int(np.count_nonzero(mask)), spacing))


AND = " + "
"""Stands between the models that have made a result."""


def is_among_makers(model: str, makers: str) -> bool:
    """Whether a model (name and version) is one of those that ``SegmentationResult.model`` names."""
    return f"{AND}{model}{AND}" in f"{AND}{makers}{AND}"  # names may hold the word, too


@dataclass(frozen=True)
class SegmentationResult:
    """All objects found in one radiograph.

    Parameters
    ----------
    radiograph : Radiograph
        As it was segmented; its polarity may have been turned over, see its notes.
    objects : tuple of SegmentedObject
        Highest ROI score first.
    best_candidate : Candidate or None
        The detector's best region, even if its score is below the threshold; None if it did not run.
    score_threshold : float
        The ROI score an object needed.
    clean_up : tuple of str
        The names of the clean-up steps that ran; empty if the masks are the pure rule.
    orientation : str
        ``"stored"`` or ``"canonical"``: which view of the pixels the detectors saw.
    device : str
        What it ran on, for example "cpu".
    seconds : dict of str to float
        Wall time of each stage.
    model : str
        Name and version of the model bundle; where others have added or changed objects since, theirs as well, after
        `AND`. See :func:`is_among_makers`.
    """

    radiograph: Radiograph
    objects: tuple[SegmentedObject, ...]
    best_candidate: Candidate | None
    score_threshold: float
    clean_up: tuple[str, ...]
    orientation: str
    device: str
    seconds: dict[str, float]
    model: str

    @property
    def view(self) -> Orientation:
        """How the grid was turned for the detectors."""
        return Orientation() if self.orientation == "stored" else canonical(self.radiograph.geometry)

    @property
    def message(self) -> str:
        """One sentence on what was found, for the user."""
        if self.objects:
            return "Found " + ", ".join(item.name for item in self.objects) + "."
        if self.best_candidate is None:
            return "Nothing was found."
        candidate = self.best_candidate
        return (
            f"Nothing was found: the best candidate is {candidate.label} with a score of {candidate.score:.2f}, below "
            f"the threshold of {self.score_threshold:.2f}. Check the polarity and that the image shows a known object."
        )

    def also_by(self, model: str) -> SegmentationResult:
        """The same result, naming `model` (name and version) among those that have made objects of it."""
        if not model or is_among_makers(model, self.model):
            return self
        return replace(self, model=AND.join(filter(None, (self.model, model))))

    def label_map(self) -> np.ndarray:
        """(rows, columns): 0 background, then 1, 2, ... in the order of `objects` (masks never overlap).

        uint8; uint16 where there are more than 255 objects.
        """
        label_map = np.zeros(self.radiograph.shape, np.uint8 if len(self.objects) < 256 else np.uint16)
        for value, item in enumerate(self.objects, start=1):
            label_map[item.mask] = value
        return label_map
