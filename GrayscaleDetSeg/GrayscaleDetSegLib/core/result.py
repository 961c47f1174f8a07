"""The outcome of one run on one radiograph: immutable, complete, and able to say why it is what it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .explanations.base import Explanation
from .explanations.thresholds import Thresholds
from .orientation import Orientation, canonical
from .overlaps import EXCLUSIVE, Overlaps
from .radiograph import Radiograph, Spacing, area_of
from .regions import RegionProposal
from .types import Box2D
from .windowed import WindowedMask, label_maps, layer_members


@dataclass(frozen=True)
class SegmentedObject:
    """One object: what it is, where it was found, and its pixels; by whatever method.

    Parameters
    ----------
    name : str
        Unique within the result: the label, numbered from the second object of a class on ("femur 2").
    label : str
        Class of the object.
    region : Box2D
        Where it was looked for, (x0, y0, x1, y1) in px.
    score : float
        Score of the region by the 2D detector, 0..1; 1 for a region given by hand.
    windowed : WindowedMask
        The final pixels, in the pixel grid of the input.
    area_mm2 : float or None
        In the plane of the image's spacing; None without spacing.
    method : str
        Name of the method that made the mask.
    explanation : Explanation or None
        How the method came to the mask; None where it can't say so.
    side : str or None
        ``"right"`` or ``"left"`` in the patient; None where it is not known, or there is none.
    """

    name: str
    label: str
    region: Box2D
    score: float
    windowed: WindowedMask = field(metadata={"stored": False})
    area_mm2: float | None = field(metadata={"stored": False})  # follows from the pixels
    method: str
    explanation: Explanation | None = None
    side: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "region", Box2D(*self.region))

    @property
    def thresholds(self) -> Thresholds | None:
        """The thresholds that explain the object; None where it isn't explained so."""
        return self.explanation if isinstance(self.explanation, Thresholds) else None

    @property
    def mask(self) -> np.ndarray:
        """The final pixels, bool (rows, columns) of the whole image, read-only; made anew at each call."""
        return self.windowed.whole()

    @property
    def pixel_count(self) -> int:
        """Pixels of the final mask."""
        return self.windowed.count

    @property
    def precedence(self) -> float:
        """Which of two objects keeps a pixel that may have one only, see ``core.exclusive``: the one with more, 0..1.

        The region's score, times the confidence of the mask where thresholds say one.
        """
        return self.score if self.thresholds is None else self.score * self.thresholds.confidence

    def with_mask(self, mask: np.ndarray | WindowedMask, spacing: Spacing | None) -> SegmentedObject:
        """The object with other pixels, and their area; a plain mask is one of the whole image."""
        windowed = mask if isinstance(mask, WindowedMask) else WindowedMask.of(mask)
        return replace(self, windowed=windowed, area_mm2=area_of(windowed.count, spacing))


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
        Found ones, highest ROI score first; then those added by hand since. One looked for again keeps its place.
    best_candidate : RegionProposal or None
        The detector's best region, even if its score is below the threshold; None if it did not run.
    score_threshold : float
        The ROI score an object needed; 0 where all regions were drawn by hand, which need none.
    clean_up : tuple of str
        The names of the post-processing steps that ran; empty if the masks are the pure rule.
    orientation : str
        Which view of the pixels the detectors saw: ``"stored"``, ``"canonical"`` (as the directions of the axes say) or
        ``"upright"`` (as tags say).
    device : str
        What it ran on, for example "cpu".
    seconds : dict of str to float
        Wall time of each stage.
    model : str
        Name and version of the model bundle; where others have added or changed objects since, theirs as well, after
        `AND`. See :func:`is_among_makers`.
    notes : tuple of str
        What a user should know about how the objects were segmented, one sentence each.
    overlaps : Overlaps
        Which objects may share pixels, when they were made and in every later edit.
    turn : Orientation or None
        That view; None where `orientation` alone is known of it, as in results of earlier versions.
    """

    radiograph: Radiograph = field(metadata={"stored": False})
    objects: tuple[SegmentedObject, ...]
    best_candidate: RegionProposal | None
    score_threshold: float
    clean_up: tuple[str, ...]
    orientation: str
    device: str
    seconds: dict[str, float]
    model: str
    notes: tuple[str, ...] = ()
    overlaps: Overlaps = EXCLUSIVE
    turn: Orientation | None = None

    @property
    def view(self) -> Orientation:
        """How the grid was turned for the detectors."""
        if self.turn is not None:
            return self.turn
        return Orientation() if self.orientation == "stored" else canonical(self.radiograph.geometry)

    @property
    def message(self) -> str:
        """What was found, for the user: one sentence, and the notes."""
        return " ".join([self._found, *self.notes])

    @property
    def _found(self) -> str:
        if self.objects:
            return "Found " + ", ".join(item.name for item in self.objects) + "."
        if self.best_candidate is None:
            return "Nothing was found."
        candidate = self.best_candidate
        return (
            f"Nothing was found: the best candidate is {candidate.label} with a score of {candidate.score:.2f}, below "
            f"the threshold of {self.score_threshold:.2f}. Check the polarity and that the image shows a known object."
        )

    def repainted(self, item: SegmentedObject, mask: np.ndarray | WindowedMask) -> SegmentedObject:
        """One of the objects with other pixels."""
        return item.with_mask(mask, self.radiograph.spacing)

    def also_by(self, model: str) -> SegmentationResult:
        """The same result, naming `model` (name and version) among those that have made objects of it."""
        if not model or is_among_makers(model, self.model):
            return self
        return replace(self, model=AND.join(filter(None, (self.model, model))))

    def label_map(self) -> np.ndarray:
        """(rows, columns): 0 background, then 1, 2, ... in the order of `objects`, the last on top.

        uint8; uint16 where there are more than 255 objects. Where objects overlap, `layers` tells all.
        """
        label_map = np.zeros(self.radiograph.shape, np.uint8 if len(self.objects) < 256 else np.uint16)
        for value, item in enumerate(self.objects, start=1):
            label_map[item.windowed.window][item.windowed.crop] = value
        return label_map

    def layers(self) -> list[tuple[np.ndarray, tuple[int, ...]]]:
        """As few label maps as hold all objects, none of which overlap in one of them.

        Returns
        -------
        list of (ndarray, tuple of int)
            Each (rows, columns), uint8 or uint16, 0 for background; and the indices of its objects, which have the
            values 1, 2, ... in this order. One map without objects where there are none.
        """
        return label_maps([item.windowed for item in self.objects], self.radiograph.shape)

    def layer_members(self) -> list[tuple[int, ...]]:
        """The indices of the objects in each of the :meth:`layers`, without their label maps."""
        return layer_members([item.windowed for item in self.objects])
